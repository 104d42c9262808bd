//! A client: starts operations, waits for them, and says what has become of them.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::Context as _;
use lro_client::{IntoPoller as _, OperationsClient};
use tokio::task::JoinSet;
use tonic::transport::Channel;

use crate::millis;
use fleet::pb::fleet_client::FleetClient;
use fleet::pb::{RenderRequest, RenderResponse, ResizeRequest, ResizeResponse};

#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// A front end.
    #[arg(long, default_value = "http://127.0.0.1:50051")]
    server: String,
    /// How many operations to start, of Render and Resize by turns.
    #[arg(long, default_value_t = 10)]
    count: usize,
    /// How many frames each Render has.
    #[arg(long, default_value_t = 5)]
    frames: i32,
    /// How long a frame or a picture takes, in milliseconds.
    #[arg(long, value_parser = millis, default_value = "20")]
    time: Duration,
}

enum Ended {
    Rendered(RenderResponse),
    Resized(ResizeResponse),
}

pub(crate) async fn run(options: Options) -> anyhow::Result<()> {
    let channel = Channel::from_shared(options.server)?.connect().await;
    let channel = channel.context("no front end there")?;
    let mut fleet = FleetClient::new(channel.clone());
    let operations = OperationsClient::new(channel);
    let time = Some(prost_types::Duration::try_from(options.time)?);
    let mut waits = JoinSet::new();
    for number in 0..options.count {
        let operations = operations.clone();
        if number % 2 == 0 {
            let frames = options.frames;
            let frame_time = time;
            let request = RenderRequest { frames, frame_time };
            let started = fleet.render(request).await?.into_inner();
            waits.spawn(async move {
                let ended = started.into_poller(&operations).until_done().await;
                anyhow::Ok(Ended::Rendered(ended?))
            });
        } else {
            let request = ResizeRequest { time };
            let started = fleet.resize(request).await?.into_inner();
            waits.spawn(async move {
                let ended = started.into_poller(&operations).until_done().await;
                anyhow::Ok(Ended::Resized(ended?))
            });
        }
    }
    println!("started {} operations", options.count);
    let mut frames = 0;
    let (mut renders, mut resizes, mut resumed) = (0, 0, 0);
    let mut by_worker: BTreeMap<String, usize> = BTreeMap::new();
    while let Some(ended) = waits.join_next().await {
        let worker = match ended?? {
            Ended::Rendered(response) => {
                renders += 1;
                frames += response.frames;
                resumed += usize::from(response.attempts > 1);
                response.worker
            }
            Ended::Resized(response) => {
                resizes += 1;
                response.worker
            }
        };
        *by_worker.entry(worker).or_default() += 1;
    }
    println!("rendered {frames} frames in {renders} operations");
    println!("resized {resizes} pictures");
    if resumed > 0 {
        println!("resumed elsewhere after the loss of a worker: {resumed}");
    }
    for (worker, count) in by_worker {
        println!("{worker} ended {count}");
    }
    Ok(())
}
