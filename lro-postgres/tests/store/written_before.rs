//! Schemas and nodes of the version before, at commit 77598d1.
//!
//! `schema.sql` is what `pg_dump --inserts --column-inserts` has made of a schema with an operation in
//! each state; `statements.sql` are the statements that its nodes prepare.

use lro_core::filter::{Filter, Schema as FilterSchema};
use lro_core::store::{
    ChildOf, Claim, Command, ListQuery, OperationResult, OperationState, OperationStore, Refusal,
    StepKind, StepOutcome, StepQuery, StepWrite, Update, WorkerId,
};
use lro_core::{ParentName, unpack};
use lro_postgres::PostgresStore;
use tokio_postgres::types::{ToSql, Type};
use tokio_postgres::{Client, Row};
use uuid::Uuid;

use crate::fixture::*;
use crate::support::Schema;

/// The statement of that name, as a node of the version before sends it.
fn statement(schema: &Schema, name: &str) -> String {
    let all = statements(schema);
    let found = all.into_iter().find(|(own, _)| own == name);
    found.unwrap_or_else(|| panic!("no statement {name}")).1
}

fn statements(schema: &Schema) -> Vec<(String, String)> {
    let table = |name: &str| format!("\"{}\".{name}", schema.name());
    include_str!("written_before/statements.sql")
        .split("-- ")
        .skip(1)
        .map(|part| {
            let (name, text) = part.split_once('\n').unwrap();
            let text = text.trim_end().trim_end_matches(';');
            let text = text.replace("{operation}", &table("operation"));
            (name.to_owned(), text.replace("{label}", &table("label")))
        })
        .collect()
}

async fn load(schema: &Schema, outsider: &Client) {
    let dump = include_str!("written_before/schema.sql");
    let dump = dump.replace("\"written_before\"", "written_before");
    let dump = dump.replace("written_before", &format!("\"{}\"", schema.name()));
    outsider.batch_execute(&dump).await.unwrap();
    let path = format!("SET search_path = \"{}\"", schema.name());
    outsider.batch_execute(&path).await.unwrap();
}

/// A schema of the version before is upgraded and served, whatever state its operations are in.
#[tokio::test(flavor = "multi_thread")]
async fn a_schema_of_the_version_before_is_served() {
    let Some(schema) = Schema::new() else { return };
    let outsider = schema.outsider().await;
    load(&schema, &outsider).await;
    let store = schema.store().notifications(false).open().await.unwrap();
    let state = async |name: &str| get(&store, name).await.unwrap().state;
    use OperationState::*;
    for (name, expected) in [
        ("operations/pending", Pending),
        ("projects/p/operations/running", Running),
        ("operations/cancelling", Cancelling),
        ("operations/checkpointed", Running),
        ("operations/succeeded", Succeeded),
        ("operations/failed", Failed),
    ] {
        assert_eq!(state(name).await, expected, "{name}");
    }
    assert_eq!(
        get(&store, "operations/deleted").await,
        None,
        "it is hidden"
    );
    let succeeded = get(&store, "operations/succeeded").await.unwrap();
    let Some(OperationResult::Response(response)) = succeeded.result else {
        panic!("{succeeded:?}");
    };
    assert_eq!(unpack::<String>(&response).unwrap(), "response");
    let mut gold = ListQuery::new(ParentName::default(), 9);
    gold.filter = Filter::parse("labels.tier = gold", &FilterSchema::default()).unwrap();
    assert_eq!(store.list(gold).await.unwrap().records.len(), 3);
    // The workers that ran them have stopped.
    let mut claimed = Vec::new();
    for _ in 0..2 {
        let claim = Claim {
            worker: WorkerId::from_uuid(Uuid::from_u128(2)),
            methods: [(METHOD.to_owned(), 9)].into(),
            limit: 9,
            lease_duration: LEASE,
            suspects: lro_core::store::Suspects::default(),
            expires_leases: true,
        };
        claimed.extend(store.claim(claim).await.unwrap().operations);
    }
    let mut names: Vec<_> = claimed.iter().map(|record| record.name.as_str()).collect();
    names.sort_unstable();
    assert!(names.contains(&"operations/pending"), "{names:?}");
    assert!(
        names.contains(&"projects/p/operations/running"),
        "{names:?}"
    );
    let checkpointed = claimed
        .iter()
        .find(|record| record.name.as_str() == "operations/checkpointed")
        .unwrap();
    let checkpoint = checkpointed.checkpoint.as_ref().unwrap();
    assert_eq!(unpack::<String>(checkpoint).unwrap(), "half");
    for record in &claimed {
        update(&store, record, succeed(record.fence)).await.unwrap();
    }
    // A fence of the version before is still one.
    let late = succeed(1);
    assert_eq!(update(&store, &claimed[0], late).await, Err(Refusal::Stale));
    assert_eq!(state("operations/pending").await, Succeeded);
    // That version did not keep who ran what is done.
    for (name, expected) in [
        ("operations/succeeded", &[("SUCCEEDED", false)][..]),
        ("operations/pending", &[("SUCCEEDED", true)]),
        (
            "projects/p/operations/running",
            &[("WORKER_LOST", true), ("SUCCEEDED", true)],
        ),
    ] {
        let attempts = get(&store, name).await.unwrap().attempts().into_iter();
        let attempts = attempts.map(|it| (it.outcome.as_str(), it.worker.is_some()));
        assert_eq!(attempts.collect::<Vec<_>>(), expected, "{name}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_of_the_version_before_neither_runs_nor_leaves_steps() {
    let Some(schema) = Schema::new() else { return };
    let store = schema.store().notifications(false).open().await.unwrap();
    let old = OldNode {
        schema: &schema,
        client: schema.outsider().await,
    };
    let record = start(&store, "operations/1").await;
    let claimed = claim(&store, 1, 1).await.operations.remove(0);
    let step = StepWrite {
        outcome: Some(StepOutcome::Abandoned),
        ..StepWrite::begun("a".parse().unwrap(), StepKind::Step)
    };
    let release = Command::Release {
        fence: claimed.fence,
        metadata: None,
    };
    let release = Update::by_uid(record.name.clone(), record.uid, release);
    let released = store.update(vec![release.with_steps(vec![step])]).await;
    released.unwrap().remove(0).unwrap();
    assert!(
        old.claim_rows().await.is_empty(),
        "it would forget the step"
    );
    assert_eq!(claim(&store, 1, 1).await.operations[0].fence, 2);
    let all = || StepQuery::all(record.uid, 0);
    assert_eq!(store.steps(all()).await.unwrap().len(), 1);
    old.query("REMOVE", &[(&vec![record.uid], Type::UUID_ARRAY)])
        .await;
    assert_eq!(store.steps(all()).await.unwrap(), []);
}

/// It would end the child without the step of its parent.
#[tokio::test(flavor = "multi_thread")]
async fn a_node_of_the_version_before_runs_no_children() {
    let Some(schema) = Schema::new() else { return };
    let store = schema.store().notifications(false).open().await.unwrap();
    let old = OldNode {
        schema: &schema,
        client: schema.outsider().await,
    };
    start(&store, "operations/parent").await;
    let parent = claim(&store, 1, 1).await.operations.remove(0);
    let mut child = new("operations/child");
    child.child_of = Some(Box::new(ChildOf {
        operation: parent.name.clone(),
        uid: parent.uid,
        fence: parent.fence,
        step: StepWrite::begun("a".parse().unwrap(), StepKind::Child),
        is_left: false,
    }));
    store.start(vec![child]).await.unwrap().remove(0).unwrap();
    assert!(old.claim_rows().await.is_empty());
    let claimed = claim(&store, 1, 1).await.operations;
    assert_eq!(claimed[0].name.as_str(), "operations/child");
}

/// A node of the version before, as far as its statements go.
struct OldNode<'s> {
    schema: &'s Schema,
    client: Client,
}

impl OldNode<'_> {
    async fn query(&self, name: &str, params: &[(&(dyn ToSql + Sync), Type)]) -> Vec<Row> {
        let sql = statement(self.schema, name);
        let rows = self.client.query_typed(&sql, params).await;
        rows.unwrap_or_else(|error| panic!("{name}: {error:?}"))
    }

    /// As its starts that wait for a worker.
    async fn start(&self, name: &str) -> Uuid {
        let (uid, zeros, ones) = (vec![Uuid::now_v7()], vec![0_i64], vec![1_i64]);
        let (none, no_uuid) = (vec![None::<i64>], vec![None::<Uuid>]);
        let (nanos, smalls, no_small) = (vec![0_i32], vec![0_i16], vec![None::<i16>]);
        let retain = vec![3_600_i64];
        let (names, parents, methods) = (vec![name], vec![""], vec![METHOD]);
        let (no_text, no_bytes) = (vec![None::<&str>], vec![None::<&[u8]>]);
        let requests = vec![prost_bytes()];
        let (int, text, bytes) = (Type::INT8_ARRAY, Type::TEXT_ARRAY, Type::BYTEA_ARRAY);
        self.query(
            "INSERT_NOW",
            &[
                (&uid, Type::UUID_ARRAY),
                (&ones, int.clone()),
                (&zeros, int.clone()),
                (&zeros, int.clone()),
                (&ones, int.clone()),
                (&retain, int.clone()),
                (&zeros, int.clone()),
                (&zeros, int.clone()),
                (&zeros, int.clone()),
                (&none, int.clone()),
                (&none, int.clone()),
                (&none, int.clone()),
                (&none, int),
                (&no_uuid, Type::UUID_ARRAY),
                (&nanos, Type::INT4_ARRAY),
                (&smalls, Type::INT2_ARRAY),
                (&smalls, Type::INT2_ARRAY),
                (&no_small, Type::INT2_ARRAY),
                (&names, text.clone()),
                (&parents, text.clone()),
                (&methods, text.clone()),
                (&no_text, text.clone()),
                (&no_text, text),
                (&no_bytes, bytes.clone()),
                (&no_bytes, bytes.clone()),
                (&no_bytes, bytes.clone()),
                (&no_bytes, bytes.clone()),
                (&no_bytes, bytes.clone()),
                (&no_bytes, bytes.clone()),
                (&no_bytes, bytes.clone()),
                (&requests, bytes),
            ],
        )
        .await;
        uid[0]
    }

    /// Claims one. Its uid, and its revision before.
    async fn claim(&self) -> (Uuid, i64) {
        let rows = self.claim_rows().await;
        (rows[0].get(0), rows[0].get("revision"))
    }

    async fn claim_rows(&self) -> Vec<Row> {
        let methods = vec![METHOD];
        let (most, since) = (vec![1_i64], vec![i64::MIN]);
        let (limit, lease) = (1_i64, 30_000_000_i64);
        self.query(
            "CLAIM",
            &[
                (&methods, Type::TEXT_ARRAY),
                (&most, Type::INT8_ARRAY),
                (&since, Type::INT8_ARRAY),
                (&None::<i64>, Type::INT8),
                (&limit, Type::INT8),
                (&Uuid::from_u128(9), Type::UUID),
                (&lease, Type::INT8),
                (&None::<i64>, Type::INT8),
            ],
        )
        .await
    }

    /// Ends what it has claimed once. Whether that was written.
    async fn end(&self, (uid, revision): (Uuid, i64)) -> bool {
        let (uids, revisions, fences) = (vec![uid], vec![revision + 1], vec![1_i64]);
        let (zeros, succeeded, kinds) = (vec![0_i64], vec![3_i16], vec![0_i16]);
        let (none, result) = (vec![None::<&[u8]>], vec![prost_bytes()]);
        let rows = self
            .query(
                "END",
                &[
                    (&uids, Type::UUID_ARRAY),
                    (&revisions, Type::INT8_ARRAY),
                    (&fences, Type::INT8_ARRAY),
                    (&zeros, Type::INT8_ARRAY),
                    (&vec![i64::MAX / 4], Type::INT8_ARRAY),
                    (&succeeded, Type::INT2_ARRAY),
                    (&kinds, Type::INT2_ARRAY),
                    (&none, Type::BYTEA_ARRAY),
                    (&result, Type::BYTEA_ARRAY),
                    (&None::<i64>, Type::INT8),
                ],
            )
            .await;
        rows.len() == 1
    }
}

/// An encoded Any.
fn prost_bytes() -> Vec<u8> {
    let packed = lro_core::pack(&());
    let mut bytes = vec![0x0a, u8::try_from(packed.type_url.len()).unwrap()];
    bytes.extend(packed.type_url.as_bytes());
    bytes
}

/// It keeps working beside a new one: each starts, claims and ends what the other has started.
#[tokio::test(flavor = "multi_thread")]
async fn a_node_of_the_version_before_works_beside_a_new_one() {
    let Some(schema) = Schema::new() else { return };
    let client = schema.outsider().await;
    load(&schema, &client).await;
    client.batch_execute("DELETE FROM operation").await.unwrap();
    let old = OldNode {
        schema: &schema,
        client,
    };
    let store: PostgresStore = schema.store().notifications(false).open().await.unwrap();
    for (name, text) in statements(&schema) {
        let prepared = old.client.prepare(&text).await;
        assert!(prepared.is_ok(), "{name}: {:?}", prepared.err());
    }
    let started = old.start("operations/old").await;
    let record = claim(&store, 2, 1).await.operations.remove(0);
    assert_eq!(record.uid, started);
    update(&store, &record, succeed(1)).await.unwrap();

    let record = start(&store, "operations/new").await;
    let claimed = old.claim().await;
    assert_eq!(claimed.0, record.uid);
    assert!(old.end(claimed).await);
    let found = get(&store, "operations/new").await.unwrap();
    assert_eq!(found.state, OperationState::Succeeded);

    // Each sees the cancellation of the other.
    old.start("operations/cancelled").await;
    let claimed = old.claim().await;
    let cancel = lro_core::store::Command::cancel();
    let cancel = lro_core::store::Update::by_name("operations/cancelled".parse().unwrap(), cancel);
    store.update(vec![cancel]).await.unwrap().remove(0).unwrap();
    assert!(
        !old.end(claimed).await,
        "it reads the row first, as it should"
    );
}
