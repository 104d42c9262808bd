//! The cost of a large table: starts and pages with a million finished operations.

use std::sync::Arc;
use std::time::{Duration, Instant};

use lro_core::{ListOptions, ParentPattern};
use lro_sqlite::SqliteStore;

use crate::Setting;
use crate::service::Server;
use crate::table::{percentiles, print};

const SAMPLES: usize = 500;

pub(crate) async fn run(setting: &Setting) -> anyhow::Result<()> {
    let folder = setting.folder()?;
    let store = SqliteStore::open(folder.path().join("operations.db")).await?;
    let server = Arc::new(Server::start(store, 1_024).await?);
    let mut rows = Vec::new();
    let mut there = 0;
    for size in [0, 10_000, setting.scale(1_000_000)] {
        let tasks: Vec<_> = (0..256)
            .map(|_| {
                let server = server.clone();
                let share = size.saturating_sub(there) / 256;
                tokio::spawn(async move {
                    for _ in 0..share {
                        server.life().await?;
                    }
                    anyhow::Ok(())
                })
            })
            .collect();
        for task in tasks {
            task.await??;
        }
        there = size;
        let lives = sample(async || server.life().await).await?;
        let first = sample(async || page(&server, "").await.map(drop)).await?;
        let mut token = String::new();
        let next = sample(async || {
            token = page(&server, &token).await?;
            Ok(())
        })
        .await?;
        rows.push(vec![
            size.to_string(),
            percentiles(lives),
            percentiles(first),
            percentiles(next),
        ]);
    }
    print(
        "With finished operations in the database (SQLite): p50 / p99",
        &[
            "finished",
            "start to done, alone",
            "first page of 50",
            "following page",
        ],
        &rows,
    );
    Ok(())
}

async fn page(server: &Server, token: &str) -> anyhow::Result<String> {
    let options = ListOptions::new().page_size(50).page_token(token);
    let page = server.operations.list(ParentPattern::default(), &options);
    Ok(page.await?.next_page_token)
}

async fn sample(
    mut work: impl AsyncFnMut() -> anyhow::Result<()>,
) -> anyhow::Result<Vec<Duration>> {
    let mut samples = Vec::with_capacity(SAMPLES);
    for _ in 0..SAMPLES {
        let begun = Instant::now();
        work().await?;
        samples.push(begun.elapsed());
    }
    Ok(samples)
}
