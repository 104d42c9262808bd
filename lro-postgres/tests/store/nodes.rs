//! Several stores on one schema, as several processes have them.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use lro_core::pack;
use lro_core::store::{
    Claim, Command, NewOperation, OperationOutcome, OperationState, OperationStore, Refusal,
    RequestId, StartError, StepOutcome, Suspects, WorkerId,
};
use lro_postgres::PostgresStore;
use lro_testing::ManualClock;
use tokio::task::JoinSet;
use uuid::Uuid;

use crate::fixture::*;
use crate::support::Schema;

const NODES: usize = 4;

async fn nodes(schema: &Schema) -> Vec<PostgresStore> {
    let mut nodes = Vec::new();
    for _ in 0..NODES {
        let store = schema.store().notifications(false);
        nodes.push(store.open().await.unwrap());
    }
    nodes
}

/// Starts an operation of every kind that `make` gives on all nodes at once.
async fn race(
    nodes: &[PostgresStore],
    make: impl Fn(usize) -> NewOperation,
) -> Vec<Result<lro_core::store::Started, StartError>> {
    let mut tasks = JoinSet::new();
    for n in 0..NODES * 6 {
        let (store, operation) = (nodes[n % NODES].clone(), make(n));
        tasks.spawn(async move { store.start(vec![operation]).await.unwrap().remove(0) });
    }
    tasks.join_all().await
}

/// The claim statement has the effect of the command, both after a scan and after a notification.
#[tokio::test(flavor = "multi_thread")]
async fn a_claim_by_the_clock_of_the_database_is_stored_as_it_is_answered() {
    let Some(schema) = Schema::new() else { return };
    let store = schema.store().notifications(false).open().await.unwrap();
    for round in 1..=3 {
        let started = start(&store, &format!("operations/{round}")).await;
        let lease_duration = match round {
            3 => Duration::MAX,
            _ => LEASE,
        };
        for attempt in 1..=2 {
            let claim = Claim {
                worker: WorkerId::from_uuid(Uuid::from_u128(round)),
                methods: BTreeMap::from([(METHOD.to_owned(), 1)]),
                limit: 1,
                lease_duration,
                suspects: Suspects::default(),
                expires_leases: true,
            };
            let claimed = store.claim(claim).await.unwrap().operations.remove(0);
            assert_eq!((claimed.uid, claimed.attempt), (started.uid, 1));
            assert_eq!(
                (claimed.fence, claimed.start_time.is_some()),
                (attempt, true)
            );
            let found = get(&store, started.name.as_str()).await;
            assert_eq!(found.as_ref(), Some(&claimed));
            if attempt == 1 {
                let release = Command::Release {
                    fence: 1,
                    metadata: None,
                };
                update(&store, &claimed, release).await.unwrap();
            }
        }
    }
}

/// The trigger against nodes that know no steps left the row as it was, and the answer said otherwise.
#[tokio::test(flavor = "multi_thread")]
async fn a_claim_by_a_command_is_stored_for_an_operation_with_steps() {
    let Some(schema) = Schema::new() else { return };
    let store = schema.store().notifications(false).open().await.unwrap();
    let record = start(&store, "operations/1").await;
    let given = Command::Complete {
        key: "approved".parse().unwrap(),
        outcome: StepOutcome::Response(pack(&())),
    };
    update(&store, &record, given).await.unwrap();
    let claim = Command::Claim {
        worker: WorkerId::from_uuid(Uuid::from_u128(1)),
        lease_duration: LEASE,
    };
    let claimed = update(&store, &record, claim).await.unwrap();
    let found = get(&store, "operations/1").await.unwrap();
    assert_eq!(
        (found.state, found.revision),
        (claimed.state, claimed.revision)
    );
    assert_eq!((found.state, found.fence), (OperationState::Running, 1));
}

/// Before the marks of the last look: it is found by the next look at everything, and the worker comes
/// back for that.
#[tokio::test(flavor = "multi_thread")]
async fn an_announced_operation_that_was_not_found_is_searched_again_soon() {
    let Some(schema) = Schema::new() else { return };
    let store = schema.store().notifications(false).open().await.unwrap();
    let outsider = schema.outsider().await;
    // After a scan, and after a notification.
    for name in ["operations/1", "operations/2"] {
        if name == "operations/2" {
            start(&store, "operations/found").await;
            assert_eq!(claim(&store, 1, 1).await.operations.len(), 1);
        } else {
            assert_eq!(claim(&store, 1, 1).await.next_in, None);
        }
        start(&store, name).await;
        let delay = "UPDATE operation SET ready_time = ready_time - 60000000 WHERE name = $1";
        assert_eq!(outsider.execute(delay, &[&name]).await.unwrap(), 1);
        let mut claimed = claim(&store, 1, 1).await;
        if claimed.operations.is_empty() {
            let next_in = claimed.next_in.unwrap();
            assert!(next_in <= Duration::from_secs(1), "{next_in:?}");
            tokio::time::sleep(next_in).await;
            claimed = claim(&store, 1, 1).await;
        }
        assert_eq!(claimed.operations.len(), 1, "{name}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn one_request_id_on_many_nodes_makes_one_operation() {
    let Some(schema) = Schema::new() else { return };
    let nodes = nodes(&schema).await;
    let answers = race(&nodes, |n| {
        let mut operation = new(&format!("operations/{n}"));
        operation.request_id = Some(RequestId {
            id: "r".to_owned(),
            fingerprint: [7; 32],
        });
        operation
    })
    .await;
    let started: Vec<_> = answers.into_iter().map(Result::unwrap).collect();
    assert_eq!(started.iter().filter(|it| !it.existing).count(), 1);
    let uids: HashSet<_> = started.iter().map(|it| it.record.uid).collect();
    assert_eq!(uids.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_exclusive_key_on_many_nodes_is_held_once() {
    let Some(schema) = Schema::new() else { return };
    let nodes = nodes(&schema).await;
    let answers = race(&nodes, |n| {
        let mut operation = new(&format!("operations/{n}"));
        operation.exclusive_key = Some("k".to_owned());
        operation
    })
    .await;
    let won: Vec<_> = answers.iter().flatten().collect();
    assert_eq!(won.len(), 1);
    let held = Err(StartError::ExclusiveKeyHeld(won[0].record.name.clone()));
    let lost = answers.iter().filter(|answer| **answer == held);
    assert_eq!(lost.count(), NODES * 6 - 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_name_on_many_nodes_is_taken_once() {
    let Some(schema) = Schema::new() else { return };
    let nodes = nodes(&schema).await;
    let answers = race(&nodes, |_| new("operations/1")).await;
    let taken = Err(StartError::AlreadyExists("operations/1".parse().unwrap()));
    let lost = answers.iter().filter(|answer| **answer == taken);
    assert_eq!(lost.count(), NODES * 6 - 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn claims_of_many_nodes_do_not_overlap() {
    let Some(schema) = Schema::new() else { return };
    let nodes = nodes(&schema).await;
    let batch = (0..300).map(|n| new(&format!("operations/{n}"))).collect();
    nodes[0].start(batch).await.unwrap();
    let mut tasks = JoinSet::new();
    for (n, store) in nodes.iter().cloned().enumerate() {
        tasks.spawn(async move {
            let mut got = Vec::new();
            loop {
                let claimed = claim(&store, n as u128, 7).await;
                for record in &claimed.operations {
                    assert_eq!((record.fence, record.attempt), (1, 1));
                    update(&store, record, succeed(1)).await.unwrap();
                    got.push(record.uid);
                }
                if claimed.operations.is_empty() && claimed.next_in != Some(Duration::ZERO) {
                    return got;
                }
            }
        });
    }
    let all = tasks.join_all().await.concat();
    assert_eq!(all.len(), 300);
    assert_eq!(all.iter().collect::<HashSet<_>>().len(), 300);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_holder_that_another_node_has_replaced_is_refused() {
    let Some(schema) = Schema::new() else { return };
    let clock = Arc::new(ManualClock::new());
    let open = || {
        schema
            .store()
            .notifications(false)
            .clock(clock.clone())
            .open()
    };
    let (first, second) = (open().await.unwrap(), open().await.unwrap());
    start(&first, "operations/1").await;
    let held = claim(&first, 1, 1).await.operations.remove(0);
    clock.advance(LEASE + Duration::from_micros(1));
    let taken = claim(&second, 2, 1).await.operations.remove(0);
    assert_eq!((taken.uid, taken.fence), (held.uid, 2));
    for late in [
        succeed(1),
        Command::Release {
            fence: 1,
            metadata: None,
        },
    ] {
        assert_eq!(update(&first, &held, late).await, Err(Refusal::Stale));
    }
    update(&second, &taken, succeed(2)).await.unwrap();
    let ended = get(&first, "operations/1").await.unwrap();
    assert_eq!(ended.state, OperationState::Succeeded);
}

/// Claims begin to look where the last ones have found something, and look at everything now and
/// then.
#[tokio::test(flavor = "multi_thread")]
async fn an_operation_that_became_ready_long_ago_is_found_too() {
    let Some(schema) = Schema::new() else { return };
    let store = schema.store().notifications(false).open().await.unwrap();
    for n in 0..3 {
        start(&store, &format!("operations/{n}")).await;
        assert_eq!(claim(&store, 1, 1).await.operations.len(), 1);
    }
    start(&store, "operations/late").await;
    let outsider = schema.outsider().await;
    let set_back = "UPDATE operation SET ready_time = ready_time - 3600000000 WHERE state = 0";
    assert_eq!(outsider.execute(set_back, &[]).await.unwrap(), 1);
    let found = tokio::time::timeout(lro_testing::EventLog::PATIENCE, async {
        loop {
            let claimed = claim(&store, 1, 1).await.operations;
            if let Some(record) = claimed.first() {
                return record.name.to_string();
            }
        }
    });
    assert_eq!(found.await.unwrap(), "operations/late");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_start_by_the_clock_of_the_database_is_stored_as_it_was_answered() {
    let Some(schema) = Schema::new() else { return };
    let store = schema.store().open().await.unwrap();
    let first = start(&store, "operations/first").await;
    let mut claimed = new("operations/claimed");
    claimed.claimed_by = Some((WorkerId::from_uuid(Uuid::from_u128(1)), LEASE));
    let mut later = new("operations/later");
    later.ready_time = Some(first.create_time.saturating_add(LEASE));
    let mut known = new("operations/known");
    known.outcome = Some(OperationOutcome::Response(pack(&())));
    let alone = vec![claimed, new("operations/pending")];
    let mixed = vec![later, known, new("operations/other")];
    let mut records = vec![first];
    for group in [alone, mixed] {
        for started in store.start(group).await.unwrap() {
            records.push(started.unwrap().record);
        }
    }
    let mut before = records[0].create_time;
    for record in records {
        let now = record.create_time;
        assert!(now >= before && now.since(before) < LEASE, "{record:?}");
        before = now;
        let lease = record.lease.as_ref().map(|lease| lease.expire_time);
        let is_running = record.state == OperationState::Running;
        assert_eq!(lease, is_running.then(|| now.saturating_add(LEASE)));
        assert_eq!(get(&store, record.name.as_str()).await, Some(record));
    }
}

/// report:S1
#[tokio::test(flavor = "multi_thread")]
async fn the_backlog_counts_ready_operations_by_method() {
    let Some(schema) = Schema::new() else { return };
    let store = schema.store().notifications(false).open().await.unwrap();
    for n in 0..3 {
        start(&store, &format!("operations/{n}")).await;
    }
    let now = lro_core::Timestamp::MAX;
    let found = store.backlog(now, 100).await.unwrap();
    assert_eq!(found.len(), 1, "{found:?}");
    assert_eq!((&*found[0].method, found[0].count), (METHOD, 3));
}
