//! The limit: lanes over tokio-postgres that write the rows of an operation's life in batches of
//! what waits, one UNNEST statement each, and do nothing else.

use std::sync::Arc;

use lro_core::pack;
use prost::Message as _;
use tokio::sync::{Mutex, mpsc, oneshot};
use tokio_postgres::types::ToSql;
use tokio_postgres::{Client, NoTls, Statement};
use uuid::Uuid;

use crate::service::{AsyncWork, request};

/// How many batches of each statement are under way at once, as in the store.
const AT_ONCE: usize = 2;

/// The most rows of one statement.
const ROWS_MAX: usize = 1_024;

const NOW: &str = "(extract(epoch FROM clock_timestamp()) * 1000000)::bigint";

/// Which statements a life consists of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Life {
    /// Inserted as claimed, finished: what the store writes where the process that starts an
    /// operation also runs it.
    Two,
    /// The same with that number of steps in between, each with the summary of its operation.
    Steps(u32),
    /// Inserted, claimed, finished.
    Three,
}

/// About what the response of a step takes, and the summary.
const STEP_VALUE: usize = 50;
const SUMMARY: usize = 12;

/// The operation, the number of its step, and the answer.
type Call = (Uuid, i32, oneshot::Sender<()>);

/// A submitter's end of the lanes.
#[derive(Clone)]
pub(crate) struct Raw {
    lanes: Arc<[mpsc::UnboundedSender<Call>]>,
    /// How often the lane between the first and the last one is used in a life.
    between: u32,
}

impl Raw {
    /// Lanes to the tables of that schema, which a store has made.
    pub(crate) async fn connect(url: &str, schema: &str, life: Life) -> anyhow::Result<Self> {
        let (state, holder, start) = match life {
            Life::Two | Life::Steps(_) => (1, "n.uid", NOW),
            Life::Three => (0, "NULL::uuid", "NULL::bigint"),
        };
        let lease = format!("{start} + 30000000");
        let insert = format!(
            "INSERT INTO {schema}.operation (uid, revision, attempt, fence, max_attempts, \
             retain_seconds, create_time, ready_time, update_time, start_time, lease_expire_time, \
             lease_worker, retain_nanos, state, on_crash, name, parent, method, request) \
             SELECT n.uid, 1, {state}, {state}, 3, 2592000, {NOW}, {NOW}, {NOW}, {start}, {lease}, \
             {holder}, 0, {state}, 0, 'operations/' || n.uid, '', '/benches.Exporter/Export', \
             n.payload FROM unnest($1::uuid[], $2::bytea[]) AS n (uid, payload)"
        );
        let claim = format!(
            "UPDATE {schema}.operation AS o SET revision = 2, attempt = 1, fence = 1, state = 1, \
             update_time = {NOW}, start_time = {NOW}, lease_expire_time = {NOW} + 30000000, \
             lease_worker = n.uid FROM unnest($1::uuid[], $2::bytea[]) AS n (uid, payload) \
             WHERE o.uid = n.uid"
        );
        let finish = format!(
            "UPDATE {schema}.operation AS o SET revision = 3, state = 3, update_time = {NOW}, \
             end_time = {NOW}, expire_time = {NOW} + 2592000000000, lease_expire_time = NULL, \
             lease_worker = NULL, result_kind = 0, result = n.payload \
             FROM unnest($1::uuid[], $2::bytea[]) AS n (uid, payload) WHERE o.uid = n.uid"
        );
        let request = pack(&request("now")).encode_to_vec();
        let response = pack(&exporter::pb::ExportResponse {
            tables_exported: 2,
            rows: 0,
        });
        let mut statements = vec![(insert, request)];
        let between = match life {
            Life::Two => 0,
            Life::Three => {
                statements.push((claim, Vec::new()));
                1
            }
            Life::Steps(count) => {
                statements.push((step(schema), vec![7; STEP_VALUE]));
                count
            }
        };
        statements.push((finish, response.encode_to_vec()));
        let mut lanes = Vec::new();
        for (sql, payload) in statements {
            let (queue, queued) = mpsc::unbounded_channel();
            let queued = Arc::new(Mutex::new(queued));
            for _ in 0..AT_ONCE {
                let client = connect(url).await?;
                let lane = serve(client, sql.clone(), payload.clone(), queued.clone());
                tokio::spawn(lane);
            }
            lanes.push(queue);
        }
        Ok(Self {
            lanes: lanes.into(),
            between,
        })
    }
}

/// A connection that records one step at a time.
pub(crate) struct Bare {
    client: Client,
    statement: Statement,
}

impl Raw {
    pub(crate) async fn step(url: &str, schema: &str) -> anyhow::Result<Bare> {
        let client = connect(url).await?;
        let statement = client.prepare(&step(schema)).await?;
        Ok(Bare { client, statement })
    }
}

impl Bare {
    pub(crate) async fn record(&self, uid: Uuid, number: i32) -> anyhow::Result<()> {
        let value = [7_u8; STEP_VALUE];
        let (uids, values, numbers) = ([uid], [&value[..]], [number]);
        let params: [&(dyn ToSql + Sync); 3] = [&&uids[..], &&values[..], &&numbers[..]];
        let written = self.client.execute(&self.statement, &params).await?;
        anyhow::ensure!(written == 1, "{written} rows");
        Ok(())
    }
}

/// Records a step as the store does: the summary of its operation and its row.
fn step(schema: &str) -> String {
    format!(
        "WITH o AS (UPDATE {schema}.operation AS o SET revision = n.step + 2, update_time = {NOW}, \
         steps = decode(repeat('07', {SUMMARY}), 'hex') \
         FROM unnest($1::uuid[], $2::bytea[], $3::integer[]) AS n (uid, payload, step) \
         WHERE o.uid = n.uid RETURNING n.*) \
         INSERT INTO {schema}.operation_step (uid, epoch, key, seq, kind, attempt, fence, sequential, \
         begin_time, end_time, value_kind, value) \
         SELECT o.uid, 0, 'step/' || o.step, o.step + 1, 0, 1, 1, true, {NOW}, {NOW}, 0, o.payload FROM o"
    )
}

impl AsyncWork for Raw {
    async fn once(&mut self) -> anyhow::Result<()> {
        let uid = Uuid::now_v7();
        let last = self.lanes.len() - 1;
        let between = (0..self.between).map(|_| 1);
        for (number, lane) in (-1..).zip([0].into_iter().chain(between).chain([last])) {
            let (answer, answered) = oneshot::channel();
            self.lanes[lane].send((uid, number, answer))?;
            answered.await?;
        }
        Ok(())
    }
}

/// A connection that a task of its own drives.
pub(crate) async fn connect(url: &str) -> anyhow::Result<Client> {
    let (client, connection) = tokio_postgres::connect(url, NoTls).await?;
    tokio::spawn(connection);
    Ok(client)
}

async fn serve(
    client: Client,
    sql: String,
    payload: Vec<u8>,
    queued: Arc<Mutex<mpsc::UnboundedReceiver<Call>>>,
) -> anyhow::Result<()> {
    let statement = client.prepare(&sql).await?;
    let mut calls = Vec::new();
    while queued.lock().await.recv_many(&mut calls, ROWS_MAX).await > 0 {
        let uids: Vec<Uuid> = calls.iter().map(|(uid, ..)| *uid).collect();
        let numbers: Vec<i32> = calls.iter().map(|(_, number, _)| *number).collect();
        let payloads = vec![payload.as_slice(); uids.len()];
        let all: [&(dyn ToSql + Sync); 3] = [&uids, &payloads, &numbers];
        let params = &all[..statement.params().len()];
        let written = client.execute(&statement, params).await?;
        anyhow::ensure!(written == uids.len() as u64, "{written} rows");
        for (.., answer) in calls.drain(..) {
            answer.send(()).ok();
        }
    }
    Ok(())
}
