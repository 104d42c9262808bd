//! Measures the cost of waiting for 10,000 operations at once: calls, memory and processor time.
//!
//! Run: `cargo run --release -p lro-client --example many`
//!
//! The operations end evenly over ten minutes of tokio's time, which is paused, so nothing sleeps;
//! the server is in the same process, its share of the processor time included. Memory is what the
//! process has grown by (`/proc/self/statm`), so each row is a process of its own.

#![allow(
    dead_code,
    reason = "the server is shared with tests that use all of it"
)]

#[path = "../tests/it/support/fleet.rs"]
mod fleet;

use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use fleet::Fleet;
use lro_client::lro_core::pb;
use lro_client::lro_core::pb::operations_server::OperationsServer;
use lro_client::{IntoPoller as _, Operation, OperationsClient, Poller, PollerSet};
use prost_types::Timestamp;
use tokio::task::JoinSet;
use tokio::time::Instant;

const OPERATIONS: usize = 10_000;
const APART: Duration = Duration::from_millis(60);

const ROWS: [(&str, &str); 5] = [
    ("list", "a set, ListOperations"),
    ("get", "a set, GetOperation"),
    ("poll", "a task and a poller each, GetOperation"),
    ("wait", "a task and a poller each, WaitOperation"),
    ("google", "a task each, google-cloud-lro's default pace"),
];

type Typed = Poller<Timestamp, ()>;

fn main() {
    if let Some(how) = std::env::args().nth(1) {
        tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .start_paused(true)
            .build()
            .expect("there is a runtime")
            .block_on(measure(&how));
        return;
    }
    println!(
        "| how | calls per operation | calls at once | late, median | late, 99 % | memory per operation | processor time |"
    );
    println!("| --- | ---: | ---: | ---: | ---: | ---: | ---: |");
    let program = std::env::current_exe().expect("this program has a path");
    for (how, label) in ROWS {
        let output = Command::new(&program).arg(how).output();
        let output = output.expect("the program starts").stdout;
        println!("| {label} {}", String::from_utf8_lossy(&output).trim());
    }
}

async fn measure(how: &str) {
    let names = (0..OPERATIONS).map(|index| format!("projects/p/operations/{index:05}"));
    let mut fleet = Fleet::new(names, APART);
    fleet.page_max = if how == "list" { 1_000 } else { 0 };
    fleet.offers_wait = how == "wait";
    let fleet = Arc::new(fleet);
    let client = OperationsClient::new(OperationsServer::from_arc(fleet.clone()));
    let client = match how {
        "wait" => client,
        _ => client.without_wait_operation(),
    };
    let memory = resident();
    let processor = processor_time();
    let (mut late, memory_max) = match how {
        "list" | "get" => set(&fleet, &client).await,
        _ => tasks(&fleet, &client, how).await,
    };
    let processor = processor_time() - processor;
    late.sort();
    assert_eq!(late.len(), OPERATIONS);
    let (median, most) = (late[OPERATIONS / 2], late[OPERATIONS * 99 / 100]);
    println!(
        "| {:.2} | {} | {:.2} s | {:.2} s | {:.1} KiB | {:.1} s |",
        fleet.calls() as f64 / OPERATIONS as f64,
        fleet.under_way_max.load(Relaxed),
        median.as_secs_f64(),
        most.as_secs_f64(),
        memory_max.saturating_sub(memory) as f64 / 1024.0 / OPERATIONS as f64,
        processor,
    );
}

fn poller(name: &str, client: &OperationsClient) -> Typed {
    let operation = pb::Operation {
        name: name.to_owned(),
        ..Default::default()
    };
    Operation::from(operation).into_poller(client)
}

async fn set(fleet: &Fleet, client: &OperationsClient) -> (Vec<Duration>, usize) {
    let mut set = PollerSet::new(client);
    for name in fleet.ends.keys() {
        set.push(poller(name, client));
    }
    let mut late = Vec::with_capacity(OPERATIONS);
    let mut memory = 0;
    while let Some((name, result)) = set.next().await {
        result.map(drop).expect("it succeeds");
        late.push(Instant::now() - fleet.ends[&name]);
        if late.len() % 100 == 1 {
            memory = memory.max(resident());
        }
    }
    (late, memory)
}

async fn tasks(fleet: &Arc<Fleet>, client: &OperationsClient, how: &str) -> (Vec<Duration>, usize) {
    let mut tasks = JoinSet::new();
    for (name, end) in &fleet.ends {
        let (name, end, client) = (name.clone(), *end, client.clone());
        let google = how == "google";
        tasks.spawn(async move {
            match google {
                true => google_cloud_lro(&name, &client).await,
                false => {
                    let ended = poller(&name, &client).until_done().await;
                    ended.map(drop).expect("it succeeds");
                }
            }
            Instant::now() - end
        });
    }
    let mut late = Vec::with_capacity(OPERATIONS);
    let mut memory = 0;
    while let Some(ended) = tasks.join_next().await {
        late.push(ended.expect("it does not panic"));
        if late.len() % 100 == 1 {
            memory = memory.max(resident());
        }
    }
    (late, memory)
}

/// A model of its `until_done` with the default policies: see the example `latency`.
async fn google_cloud_lro(name: &str, client: &OperationsClient) {
    let mut pause = Duration::from_secs(1);
    loop {
        tokio::time::sleep(pause).await;
        if client.get(name).await.expect("it is there").done {
            return;
        }
        pause = (pause * 2).min(Duration::from_secs(60));
    }
}

/// The memory of this process, in bytes. A page has 4 KiB.
fn resident() -> usize {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    let pages = statm.split_whitespace().nth(1);
    pages.and_then(|it| it.parse().ok()).unwrap_or(0) * 4096
}

/// The processor time of this process, in seconds. A tick has 10 ms.
fn processor_time() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let fields = stat.rsplit(')').next().unwrap_or_default();
    let ticks = fields.split_whitespace().skip(11).take(2);
    ticks.filter_map(|it| it.parse::<f64>().ok()).sum::<f64>() / 100.0
}
