//! A page of 50 by each restriction that has an index: out of ten thousand operations, and out of a
//! million.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use lro_core::filter::{Filter, Schema};
use lro_core::store::{ListQuery, NewOperation, OperationOutcome, OperationStore, WorkerId};
use lro_core::{ParentName, Timestamp, pack};
use lro_sqlite::{Durability, SqliteStore};

use crate::Setting;
use crate::clock::SetClock;
use crate::table::{print, ratio};

pub(crate) mod postgres;

const SMALL: usize = 10_000;
const LARGE: usize = 1_000_000;
const SAMPLES: usize = 200;
/// The number of operations of each rare kind in either store, spread from the oldest to the
/// newest.
const RARE: usize = 100;
const BATCH: usize = 2_000;
const FIRST: i64 = 1_700_000_000_000_000;
const STEP: i64 = 1_000;

/// Which filter, and whether a page of it is full.
const CASES: &[(&str, &str, bool)] = &[
    ("none", "", true),
    ("done, common", "done = true", true),
    ("done, rare", "done = false", true),
    ("state, common", "state = SUCCEEDED", true),
    ("state, rare", "state = FAILED", true),
    ("method, common", "method = \"/bench.Service/Common\"", true),
    ("method, rare", "method = \"/bench.Service/Rare\"", true),
    (
        "method and state, rare",
        "method = \"*Rare\" AND state = SUCCEEDED",
        true,
    ),
    ("label, common", "labels.kind = common", true),
    ("label, rare", "labels.kind = rare", true),
    (
        "label and state, both common",
        "labels.kind = common AND done = true",
        true,
    ),
    (
        "label rare, state common",
        "labels.kind = rare AND done = true",
        true,
    ),
    (
        "create_time, newest twentieth",
        "create_time > \"NEW\"",
        true,
    ),
    (
        "create_time, oldest twentieth",
        "create_time < \"OLD\"",
        true,
    ),
    (
        "create_time old, state rare",
        "create_time < \"MIDDLE\" AND state = FAILED",
        true,
    ),
    (
        "no index, nothing matches (2,000 are looked at)",
        "attempt = 7",
        false,
    ),
];

pub(crate) async fn run(setting: &Setting) -> anyhow::Result<()> {
    let folder = setting.folder()?;
    let large = setting.scale(LARGE);
    let begun = Instant::now();
    let stores = [
        (SMALL, fill(&folder.path().join("small.db"), SMALL).await?),
        (large, fill(&folder.path().join("large.db"), large).await?),
    ];
    println!("{large} operations were written in {:.0?}", begun.elapsed());
    measure("SQLite", stores).await
}

/// Both stores hold operations as [`fill`] makes them.
async fn measure(
    what: &str,
    stores: [(usize, impl OperationStore + 'static); 2],
) -> anyhow::Result<()> {
    let mut rows = Vec::new();
    for (what, text, full) in CASES {
        let mut samples = [Vec::new(), Vec::new()];
        // Taken by turns: the machine may change meanwhile.
        for n in 0..SAMPLES + 20 {
            for ((size, store), samples) in stores.iter().zip(&mut samples) {
                let query = query(text, *size)?;
                let begun = Instant::now();
                let page = store.list(query).await?;
                let took = begun.elapsed();
                let found = page.records.len();
                anyhow::ensure!(
                    found == if *full { 50 } else { 0 },
                    "{what}: {found} on a page"
                );
                if n >= 20 {
                    samples.push(took);
                }
            }
        }
        let [small, large] = samples.map(median);
        rows.push(vec![
            (*what).to_owned(),
            format!("{:.2} ms", small * 1e3),
            format!("{:.2} ms", large * 1e3),
            ratio(large, small),
        ]);
    }
    let large = format!("of {}", stores[1].0);
    print(
        &format!("A page of 50 by a filter ({what}): p50"),
        &["restriction", "of 10000", &large, "ratio"],
        &rows,
    );
    Ok(())
}

fn query(text: &str, size: usize) -> anyhow::Result<ListQuery> {
    let time = |part: usize| {
        let micros = FIRST + (size * part / 20) as i64 * STEP;
        let nanos = (micros % 1_000_000 * 1_000) as i32;
        prost_time(micros / 1_000_000, nanos)
    };
    let text = text.replace("OLD", &time(1)).replace("NEW", &time(19));
    let text = text.replace("MIDDLE", &time(11));
    let mut query = ListQuery::new(ParentName::default(), 50);
    query.filter = Filter::parse(&text, &Schema::default())?;
    query.max_examined = 2_000;
    Ok(query)
}

fn prost_time(seconds: i64, nanos: i32) -> String {
    prost_types::Timestamp { seconds, nanos }.to_string()
}

fn median(mut samples: Vec<Duration>) -> f64 {
    samples.sort_unstable();
    samples[samples.len() / 2].as_secs_f64()
}

/// A store with `size` operations. Nearly all have succeeded, by the common method, and half of them
/// have the common label.
async fn fill(path: &Path, size: usize) -> anyhow::Result<SqliteStore> {
    let clock = Arc::new(SetClock::at(Timestamp::from_micros(FIRST)));
    let builder = SqliteStore::builder(path).durability(Durability::Normal);
    let store = builder.clock(clock.clone()).open().await?;
    let worker = WorkerId::from_uuid(uuid::Uuid::from_u128(1));
    let mut batch = Vec::with_capacity(BATCH);
    for n in 0..size {
        let uid = uuid::Uuid::from_u128((n as u128) << 80 | 0x7000_8000_0000_0000_0000);
        let name = format!("operations/{n:08}").parse()?;
        let rare = n % (size / RARE);
        let method = if rare == 1 { "Rare" } else { "Common" };
        let request = pack(&exporter::pb::ExportRequest {
            tables: vec!["x".repeat(100)],
        });
        let mut new = NewOperation::new(uid, name, format!("/bench.Service/{method}"), request);
        match rare {
            2 => new.claimed_by = Some((worker, Duration::from_secs(3_600))),
            3 => {
                let error = lro_core::Reason::Unimplemented.operation_error("no", []);
                new.outcome = Some(OperationOutcome::Error(error));
            }
            _ => new.outcome = Some(OperationOutcome::Response(pack(&()))),
        }
        let kind = match rare {
            4 => Some("rare"),
            _ if n % 2 == 0 => Some("common"),
            _ => None,
        };
        let label = |kind: &str| ("kind".to_owned(), kind.to_owned());
        new.labels = kind.map(label).into_iter().collect::<BTreeMap<_, _>>();
        batch.push(new);
        // One time for a few, as when many start at once.
        if batch.len() == BATCH.min(20) || n + 1 == size {
            for started in store.start(std::mem::take(&mut batch)).await? {
                started?;
            }
            clock.set(Timestamp::from_micros(FIRST + (n as i64 + 1) * STEP));
        }
    }
    Ok(store)
}
