//! Starts of children, against starts of operations without a parent.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use lro_core::store::{
    ChildOf, NewOperation, OperationRecord, OperationStore as _, StepKind, StepWrite, WorkerId,
};
use lro_core::{OperationName, pack};
use lro_postgres::PostgresStore;
use uuid::Uuid;

use super::{Bench, median, of, rates, samples};
use crate::service::{AsyncWork, request};
use crate::table::{per_second, percentiles, print};

/// How many starts are under way at once.
const STARTS: [usize; 3] = [1, 8, 64];

/// The children of one parent, of which an operation waits for 1,000 at most.
const OF_ONE: u32 = 500;

/// How many families there are where children have different parents.
const FAMILIES: u32 = 64;

const LEASE: Duration = Duration::from_secs(600);

pub(super) async fn run(bench: &Bench) -> anyhow::Result<()> {
    let mut rows = Vec::new();
    for starts in STARTS {
        let (mut alone, mut siblings, mut families) = (Vec::new(), Vec::new(), Vec::new());
        for _ in 0..bench.rounds {
            alone.push(bench.round(starts, plain(bench)).await?);
            siblings.push(bench.round(starts, children(bench, 1)).await?);
            families.push(bench.round(starts, children(bench, FAMILIES)).await?);
        }
        let transactions = |rounds: &[super::Round]| {
            let each = median(rounds.iter().map(|round| round.transactions));
            format!("{each:.2}")
        };
        rows.push(vec![
            starts.to_string(),
            per_second(rates(&alone)),
            per_second(rates(&siblings)),
            of(&siblings, &alone),
            per_second(rates(&families)),
            of(&families, &alone),
            transactions(&alone),
            transactions(&siblings),
            percentiles(samples(alone)),
            percentiles(samples(siblings)),
        ]);
    }
    let title = format!(
        "Starts a second: alone, children of one parent, children of {FAMILIES} parents (PostgreSQL, fsync)"
    );
    let head = [
        "at once",
        "alone",
        "of one parent",
        "of alone",
        "of several",
        "of alone",
        "transactions: alone",
        "of one parent",
        "p50 / p99: alone",
        "of one parent",
    ];
    print(&title, &head, &rows);
    Ok(())
}

fn plain(bench: &Bench) -> impl AsyncFnOnce(&str) -> anyhow::Result<Starts> {
    children(bench, 0)
}

fn children(bench: &Bench, families: u32) -> impl AsyncFnOnce(&str) -> anyhow::Result<Starts> {
    async move |schema: &str| {
        Ok(Starts {
            store: bench.store(schema).await?,
            families,
            number: Arc::default(),
            parents: Arc::default(),
        })
    }
}

/// Starts operations, as children if there are families.
#[derive(Clone)]
struct Starts {
    store: PostgresStore,
    families: u32,
    number: Arc<AtomicU32>,
    /// Those of each family, one after the other.
    parents: Arc<tokio::sync::Mutex<Vec<Vec<Arc<OperationRecord>>>>>,
}

impl Starts {
    /// The parent of a child, which is started when the one before has as many as it may.
    async fn parent(&self, family: u32, child: u32) -> anyhow::Result<Arc<OperationRecord>> {
        let mut parents = self.parents.lock().await;
        let (family, place) = (family as usize, (child / OF_ONE) as usize);
        parents.resize_with(self.families as usize, Vec::new);
        while parents[family].len() <= place {
            let mut parent = operation()?;
            parent.claimed_by = Some((WorkerId::from_uuid(Uuid::from_u128(1)), LEASE));
            let started = self.store.start(vec![parent]).await?.remove(0)?;
            parents[family].push(Arc::new(started.record));
        }
        Ok(parents[family][place].clone())
    }

    async fn child(&self) -> anyhow::Result<NewOperation> {
        let number = self.number.fetch_add(1, Ordering::Relaxed);
        let (family, child) = (number % self.families, number / self.families);
        let parent = self.parent(family, child).await?;
        let mut operation = operation()?;
        operation.child_of = Some(Box::new(ChildOf {
            operation: parent.name.clone(),
            uid: parent.uid,
            fence: parent.fence,
            step: StepWrite::begun(format!("child/{child}").parse()?, StepKind::Child),
            is_left: false,
        }));
        Ok(operation)
    }
}

impl AsyncWork for Starts {
    async fn once(&mut self) -> anyhow::Result<()> {
        let operation = match self.families {
            0 => operation()?,
            _ => self.child().await?,
        };
        self.store.start(vec![operation]).await?.remove(0)?;
        Ok(())
    }
}

fn operation() -> anyhow::Result<NewOperation> {
    let uid = Uuid::now_v7();
    let name: OperationName = format!("operations/{uid}").parse()?;
    let request = pack(&request("now"));
    Ok(NewOperation::new(
        uid,
        name,
        "/benches.Exporter/Export",
        request,
    ))
}
