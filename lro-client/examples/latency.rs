//! How late a caller hears that an operation is done, and how many calls that takes: waiting on the
//! server, polling with our pace, and polling with the default pace of google-cloud-lro.
//!
//! Run: `cargo run --release -p lro-client --example latency`
//!
//! Nothing sleeps: time is tokio's, paused. Each operation's length is drawn evenly from half to
//! one and a half times the length in the first column, 200 operations to a row, and a round trip
//! takes 5 ms. google-cloud-lro 1.11 is a model of its default policy: GetOperation after pauses
//! of 1 s, 2 s, 4 s and so on up to 60 s, without chance, where the first poll comes after the
//! first pause.

#![allow(
    dead_code,
    reason = "the server is shared with tests that use all of it"
)]

#[path = "../tests/it/support/fleet.rs"]
mod fleet;

use std::sync::Arc;
use std::time::Duration;

use fleet::Fleet;
use lro_client::lro_core::pb::operations_server::OperationsServer;
use lro_client::{Operation, OperationsClient, Poller};
use prost_types::Timestamp;
use tokio::time::{Instant, sleep};

const OPERATIONS: usize = 200;

#[derive(Clone, Copy)]
enum How {
    Wait,
    Poll,
    GoogleCloudLro,
}

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() {
    println!("| length | how | median | 99 % | calls per operation |");
    println!("| ---: | --- | ---: | ---: | ---: |");
    for seconds in [2, 10, 60, 600] {
        for (how, label) in [
            (How::Wait, "WaitOperation"),
            (How::Poll, "GetOperation, our default"),
            (
                How::GoogleCloudLro,
                "GetOperation, google-cloud-lro's default",
            ),
        ] {
            let (late, calls) = measure(Duration::from_secs(seconds), how).await;
            let median = late[late.len() / 2].as_secs_f64();
            let most = late[late.len() * 99 / 100].as_secs_f64();
            println!("| {seconds} s | {label} | {median:.3} s | {most:.3} s | {calls:.1} |");
        }
    }
}

async fn measure(length: Duration, how: How) -> (Vec<Duration>, f64) {
    let mut late = Vec::new();
    let mut calls = 0;
    for index in 0..OPERATIONS {
        let part = (index as f64 + 0.5) / OPERATIONS as f64;
        let names = ["operations/1".to_owned()];
        let mut fleet = Fleet::new(names, length.mul_f64(0.5 + part));
        fleet.offers_wait = matches!(how, How::Wait);
        let fleet = Arc::new(fleet);
        let client = OperationsClient::new(OperationsServer::from_arc(fleet.clone()));
        let client = match how {
            How::Wait => client,
            _ => client.without_wait_operation(),
        };
        match how {
            How::GoogleCloudLro => google_cloud_lro(&client).await,
            _ => {
                let poller = Poller::<Timestamp, ()>::resume("operations/1", &client);
                poller.until_done().await.map(drop).expect("it succeeds");
            }
        }
        late.push(Instant::now() - fleet.ends["operations/1"]);
        calls += fleet.calls();
    }
    late.sort();
    (late, calls as f64 / OPERATIONS as f64)
}

/// A model of `until_done` with the default policies.
async fn google_cloud_lro(client: &OperationsClient) {
    let mut pause = Duration::from_secs(1);
    loop {
        sleep(pause).await;
        let operation = client.get("operations/1").await.expect("it is there");
        if Operation::<Timestamp, ()>::from(operation).done() {
            return;
        }
        pause = (pause * 2).min(Duration::from_secs(60));
    }
}
