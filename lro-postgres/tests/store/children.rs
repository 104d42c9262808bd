//! Children whose ends, and parents whose cancellations, meet locks: neither waits for the other.

use lro_core::ParentPattern;
use lro_core::filter::{self, Filter};
use lro_core::store::{
    ChildOf, Command, ListQuery, NewOperation, OperationRecord, OperationState, OperationStore,
    StepKind, StepOutcome, StepQuery, StepRow, StepWrite, Update, WorkerId,
};
use lro_postgres::PostgresStore;
use test_programs::postgres::Cluster;
use tokio::task::JoinSet;
use tokio_postgres::Client;
use uuid::Uuid;

use crate::fixture::*;
use crate::support::Schema;

const WAKES: &str = "SELECT count(*) FROM operation_wake";

fn claimed(name: &str) -> NewOperation {
    let mut operation = new(name);
    operation.claimed_by = Some((WorkerId::from_uuid(Uuid::from_u128(1)), LEASE));
    operation
}

fn child_of(parent: &OperationRecord, step: &str, name: &str) -> NewOperation {
    let mut child = claimed(name);
    child.method = "/s.Service/Child".to_owned();
    child.child_of = Some(Box::new(ChildOf {
        operation: parent.name.clone(),
        uid: parent.uid,
        fence: parent.fence,
        step: StepWrite::begun(step.parse().unwrap(), StepKind::Child),
        is_left: false,
    }));
    child
}

async fn started(store: &PostgresStore, operation: NewOperation) -> OperationRecord {
    let mut started = store.start(vec![operation]).await.unwrap();
    started.remove(0).unwrap().record
}

/// A parent that is suspended until its child has ended, which runs.
async fn family(store: &PostgresStore) -> (OperationRecord, OperationRecord) {
    let parent = started(store, claimed("operations/parent")).await;
    let child = started(store, child_of(&parent, "disk", "operations/child")).await;
    let suspend = Command::Suspend {
        fence: 1,
        waits: vec!["disk".parse().unwrap()],
        ready_by: None,
        metadata: None,
    };
    update(store, &parent, suspend).await.unwrap();
    (parent, child)
}

async fn rows(store: &PostgresStore, parent: &OperationRecord) -> Vec<StepRow> {
    store.steps(StepQuery::all(parent.uid, 0)).await.unwrap()
}

async fn count(client: &Client, sql: &str) -> i64 {
    client.query_one(sql, &[]).await.unwrap().get(0)
}

async fn lock(client: &Client, name: &str) {
    let lock = format!("BEGIN; SELECT FROM operation WHERE name = '{name}' FOR UPDATE");
    client.batch_execute(&lock).await.unwrap();
}

/// steps:W6
#[tokio::test(flavor = "multi_thread")]
async fn the_end_of_a_child_waits_for_no_lock_of_its_parent() {
    let Some(schema) = Schema::new() else { return };
    let store = schema.store().notifications(false).open().await.unwrap();
    let (parent, child) = family(&store).await;
    let (operator, outsider) = (schema.outsider().await, schema.outsider().await);
    lock(&operator, "operations/parent").await;
    update(&store, &child, succeed(1)).await.unwrap();
    assert!(
        get(&store, "operations/child")
            .await
            .unwrap()
            .state
            .is_done()
    );
    assert_eq!(count(&outsider, WAKES).await, 1);
    // A claim passes it, and keeps the end.
    assert_eq!(claim(&store, 1, 9).await.operations, []);
    assert_eq!(count(&outsider, WAKES).await, 1);
    assert!(!rows(&store, &parent).await[0].is_finished());
    operator.batch_execute("COMMIT").await.unwrap();
    let found = claim(&store, 1, 9).await.operations;
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].uid, parent.uid);
    assert!(rows(&store, &parent).await[0].is_finished());
    assert_eq!(count(&outsider, WAKES).await, 0);
}

/// steps:C11
#[tokio::test(flavor = "multi_thread")]
async fn a_parent_waits_for_no_lock_of_a_child_that_it_drops() {
    let Some(schema) = Schema::new() else { return };
    let store = schema.store().notifications(false).open().await.unwrap();
    let parent = started(&store, claimed("operations/parent")).await;
    let child = started(&store, child_of(&parent, "disk", "operations/child")).await;
    let (operator, outsider) = (schema.outsider().await, schema.outsider().await);
    lock(&operator, "operations/child").await;
    let dropped = StepWrite {
        outcome: Some(StepOutcome::Abandoned),
        ..StepWrite::begun("disk".parse().unwrap(), StepKind::Child)
    };
    let end = Update::by_uid(parent.name.clone(), parent.uid, succeed(1));
    let ended = store.update(vec![end.with_steps(vec![dropped])]).await;
    assert!(ended.unwrap().remove(0).unwrap().state.is_done());
    let state = async || get(&store, child.name.as_str()).await.unwrap();
    assert_eq!(state().await.state, OperationState::Running);
    operator.batch_execute("COMMIT").await.unwrap();
    claim(&store, 1, 9).await;
    assert_eq!(state().await.state, OperationState::Cancelling);
    assert!(state().await.history.cancelled_by.is_some());
    assert_eq!(count(&outsider, WAKES).await, 0);
}

/// The end is logged, and the step of the parent stays as it is.
#[tokio::test(flavor = "multi_thread")]
async fn a_corrupt_parent_does_not_hinder_its_child() {
    let Some(schema) = Schema::new() else { return };
    let store = schema.store().notifications(false).open().await.unwrap();
    let (parent, child) = family(&store).await;
    let outsider = schema.outsider().await;
    let damage = "UPDATE operation SET labels = '\\xff' WHERE name = 'operations/parent'";
    outsider.execute(damage, &[]).await.unwrap();
    update(&store, &child, succeed(1)).await.unwrap();
    assert!(
        get(&store, "operations/child")
            .await
            .unwrap()
            .state
            .is_done()
    );
    assert_eq!(count(&outsider, WAKES).await, 0);
    assert!(!rows(&store, &parent).await[0].is_finished());
}

/// A row that cannot be applied does not stop the others.
#[tokio::test(flavor = "multi_thread")]
async fn a_corrupt_wake_blocks_no_other() {
    let Some(schema) = Schema::new() else { return };
    let store = schema.store().notifications(false).open().await.unwrap();
    let (parent, child) = family(&store).await;
    let (operator, outsider) = (schema.outsider().await, schema.outsider().await);
    let wake = "INSERT INTO operation_wake (told) VALUES ('\\xff')";
    outsider.execute(wake, &[]).await.unwrap();
    lock(&operator, "operations/parent").await;
    update(&store, &child, succeed(1)).await.unwrap();
    operator.batch_execute("COMMIT").await.unwrap();
    assert_eq!(claim(&store, 1, 9).await.operations[0].uid, parent.uid);
    assert_eq!(count(&outsider, WAKES).await, 0);
}

/// Operations of other parents, however many and how new they are, are not looked at.
#[tokio::test(flavor = "multi_thread")]
async fn a_list_of_children_looks_at_no_other_operations() {
    let Some(schema) = Schema::new() else { return };
    let store = schema.store().notifications(false).open().await.unwrap();
    let parent = started(&store, claimed("operations/parent")).await;
    let child = started(
        &store,
        child_of(&parent, "disk", "children/operations/child"),
    )
    .await;
    let others = (0..50).map(|n| new(&format!("children/operations/other-{n}")));
    let started = store.start(others.collect()).await.unwrap();
    assert!(started.iter().all(Result::is_ok));
    let text = "parent_operation = \"operations/parent\"";
    for pattern in ["children", "-"] {
        for text in [text.to_owned(), format!("{text} AND done = false")] {
            let parent: ParentPattern = pattern.parse().unwrap();
            let mut query = ListQuery::new(parent, 1);
            query.filter = Filter::parse(&text, &filter::Schema::default()).unwrap();
            query.max_examined = 2;
            let page = store.list(query).await.unwrap();
            let found: Vec<_> = page.records.iter().map(|it| &it.name).collect();
            assert_eq!(found, [&child.name], "{pattern}: {text}");
        }
    }
}

/// A transaction of an outsider holds the parent: other operations are started meanwhile.
#[tokio::test(flavor = "multi_thread")]
async fn a_locked_parent_delays_no_operations_but_its_children() {
    let Some(schema) = Schema::new() else { return };
    let store = schema.store().notifications(false).open().await.unwrap();
    let parent = started(&store, claimed("operations/parent")).await;
    let operator = schema.outsider().await;
    lock(&operator, "operations/parent").await;
    let starting = (0..4).map(|n| {
        let child = child_of(
            &parent,
            &format!("disk/{n}"),
            &format!("operations/child-{n}"),
        );
        let store = store.clone();
        tokio::spawn(async move { store.start(vec![child]).await })
    });
    let starting: Vec<_> = starting.collect();
    let waits = "SELECT count(*) FROM pg_locks l JOIN pg_stat_activity a USING (pid) \
         WHERE NOT l.granted AND a.datname = current_database() AND a.query LIKE '%FOR UPDATE%' \
         AND a.query LIKE '%' || current_schema() || '%'";
    let outsider = schema.outsider().await;
    until("the children wait for the lock", async || {
        count(&outsider, waits).await > 0
    })
    .await;
    for n in 0..4 {
        started(&store, new(&format!("operations/{n}"))).await;
    }
    assert!(starting.iter().all(|start| !start.is_finished()));
    operator.batch_execute("COMMIT").await.unwrap();
    for start in starting {
        let answers = start.await.unwrap().unwrap();
        assert!(answers[0].is_ok(), "{answers:?}");
    }
    assert_eq!(rows(&store, &parent).await.len(), 4);
}

/// Starts of children, their ends, and cancellations of both, by four nodes and in different orders.
#[tokio::test(flavor = "multi_thread")]
async fn families_that_change_at_once_do_not_deadlock() {
    const FAMILIES: usize = 120;
    let Some(cluster) = private_cluster().await else {
        return;
    };
    let mut nodes = Vec::new();
    for _ in 0..4 {
        let store = PostgresStore::builder(cluster.url()).pool_size(4);
        nodes.push(store.notifications(false).open().await.unwrap());
    }
    let (mut parents, mut children) = (Vec::new(), Vec::new());
    for n in 0..FAMILIES {
        let parent = started(&nodes[0], claimed(&format!("operations/{n}"))).await;
        let child = child_of(&parent, "a", &format!("children/operations/{n}"));
        children.push(started(&nodes[0], child).await);
        parents.push(parent);
    }
    let by_uid = |record: &OperationRecord, command| {
        Update::by_uid(record.name.clone(), record.uid, command)
    };
    let ends: Vec<_> = children.iter().map(|it| by_uid(it, succeed(1))).collect();
    // Of each family the parent first, where its end locks the child first.
    let cancels = parents.iter().zip(&children);
    let cancels = cancels.flat_map(|(parent, child)| [parent, child]);
    let cancels: Vec<_> = cancels.map(|it| by_uid(it, Command::cancel())).collect();
    let drops = parents.iter().map(|it| {
        let dropped = StepWrite {
            outcome: Some(StepOutcome::Abandoned),
            ..StepWrite::begun("b".parse().unwrap(), StepKind::Child)
        };
        let record = Command::Record {
            fence: 1,
            metadata: None,
        };
        by_uid(it, record).with_steps(vec![dropped])
    });
    let drops: Vec<_> = drops.collect();
    let more = parents
        .iter()
        .enumerate()
        .map(|(n, parent)| child_of(parent, "b", &format!("more/operations/{n}")));
    let more: Vec<_> = more.collect();
    let mut tasks = JoinSet::new();
    for (store, updates) in nodes.iter().cloned().zip([ends, cancels, drops]) {
        tasks.spawn(async move {
            for chunk in updates.chunks(8) {
                store.update(chunk.to_vec()).await.unwrap();
            }
        });
    }
    let store = nodes[3].clone();
    tasks.spawn(async move {
        for chunk in more.chunks(8) {
            store.start(chunk.to_vec()).await.unwrap();
        }
    });
    tasks.join_all().await;
    let outsider = Outsider(&cluster);
    until("no operation waits for a wake", async || {
        claim(&nodes[0], 9, 0).await;
        outsider.count("SELECT count(*) FROM lro.operation_wake") == 0
    })
    .await;
    for (n, parent) in parents.iter().enumerate() {
        for row in rows(&nodes[0], parent).await {
            let Some(child) = &row.child else { continue };
            let child = get(&nodes[0], child.name.as_str()).await.unwrap();
            let waits = !row.is_finished();
            assert!(!(waits && child.state.is_done()), "{n}: {row:?}");
            let lives = child.state == OperationState::Running;
            assert!(waits || !lives, "{n}: {row:?}, {child:?}");
        }
    }
    let deadlocks = "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()";
    assert_eq!(outsider.count(deadlocks), 0);
}

struct Outsider<'c>(&'c Cluster);

impl Outsider<'_> {
    fn count(&self, sql: &str) -> u64 {
        let count = tokio::task::block_in_place(|| self.0.sql(sql).unwrap());
        count.parse().unwrap()
    }
}
