//! The limits: group-commit loops over rusqlite that write an operation's life, an insert and an
//! update, in as many commits as the engine does, and do nothing else.

use std::path::Path;
use std::time::{Duration, Instant};

use lro_sqlite::SqliteStore;
use rusqlite::Connection;
use rusqlite::types::Value;
use tokio::sync::{mpsc, oneshot};
use uuid::Uuid;

use crate::service::Server;

/// About what a record of the benchmark's operations takes, request and scalars.
const INSERTED: usize = 300;
/// About what its end adds.
const UPDATED: usize = 60;

/// The columns that the end of an operation writes.
const ENDED: &str = "state, revision, lease_worker, lease_expire_time, update_time, cancel_time, \
     end_time, expire_time, metadata, checkpoint, result_kind, result";

/// The statements of a loop.
#[derive(Clone, Copy)]
pub(crate) enum Raw {
    /// As many bytes into a table that has no other index than its key.
    Bare,
    /// The rows of the store, into its own schema, with all its indexes.
    Same,
}

enum Write {
    Insert(Uuid),
    /// A step of this number, and the summary of its operation.
    Step(Uuid, u32),
    Update(Uuid),
}

/// The row of a step, as a body of the part `steps` has it recorded.
const STEP: &str = "INSERT INTO step (uid, epoch, key, seq, kind, attempt, fence, sequential, \
     begin_time, end_time, wake_time, value_kind, value) \
     VALUES (?1, 0, ?2, ?3, 0, 1, 1, 1, 1700000000000000, 1700000000000000, NULL, 0, ?4)";

/// The columns of an operation that a recorded step changes.
const STEPPED: &str =
    "UPDATE operation SET steps = ?2, revision = ?3, update_time = ?4 WHERE uid = ?1";

/// About what the response of a step takes, and the summary.
const STEP_VALUE: usize = 50;
const SUMMARY: usize = 12;

/// How a write of each kind is done.
struct Loop {
    connection: Connection,
    insert: String,
    update: String,
    /// The values bound besides the uid; the second is the name, if there is one.
    inserted: Vec<Value>,
    updated: Vec<Value>,
    has_name: bool,
}

/// Runs `count` lives, an insert and an update each, by several submitters.
pub(crate) async fn lives(
    raw: Raw,
    path: &Path,
    submitters: usize,
    count: usize,
) -> anyhow::Result<Duration> {
    lives_of_steps(raw, path, submitters, count, 0).await
}

/// The same with steps in between, for the store's own schema.
pub(crate) async fn lives_of_steps(
    raw: Raw,
    path: &Path,
    submitters: usize,
    count: usize,
    steps: u32,
) -> anyhow::Result<Duration> {
    let writes = match raw {
        Raw::Bare => Loop::bare(path)?,
        Raw::Same => Loop::same(path).await?,
    };
    let (queue, queued) = mpsc::unbounded_channel();
    let writer = std::thread::spawn(move || writes.run(queued));
    let begun = Instant::now();
    let tasks: Vec<_> = (0..submitters)
        .map(|submitter| {
            let queue = queue.clone();
            let share = count / submitters + usize::from(submitter < count % submitters);
            tokio::spawn(async move {
                for _ in 0..share {
                    let uid = Uuid::now_v7();
                    let between = (0..steps).map(|step| Write::Step(uid, step));
                    let writes = [Write::Insert(uid)].into_iter().chain(between);
                    for write in writes.chain([Write::Update(uid)]) {
                        let (answer, answered) = oneshot::channel();
                        queue.send((write, answer)).ok();
                        answered.await.ok();
                    }
                }
            })
        })
        .collect();
    for task in tasks {
        task.await?;
    }
    let took = begun.elapsed();
    drop(queue);
    writer
        .join()
        .map_err(|_| anyhow::anyhow!("the writer panicked"))??;
    Ok(took)
}

impl Loop {
    fn bare(path: &Path) -> rusqlite::Result<Self> {
        let connection = open(path)?;
        connection.execute_batch(
            "CREATE TABLE raw (uid BLOB NOT NULL PRIMARY KEY, state INTEGER NOT NULL, \
             payload BLOB, result BLOB) STRICT, WITHOUT ROWID",
        )?;
        Ok(Self {
            connection,
            insert: "INSERT INTO raw VALUES (?1, 0, ?2, NULL)".to_owned(),
            update: "UPDATE raw SET state = 1, result = ?2 WHERE uid = ?1".to_owned(),
            inserted: vec![Value::Blob(vec![7; INSERTED])],
            updated: vec![Value::Blob(vec![7; UPDATED])],
            has_name: false,
        })
    }

    /// Learns from the store itself what the rows of a life are.
    async fn same(path: &Path) -> anyhow::Result<Self> {
        let server = Server::start(SqliteStore::open(path).await?, 1).await?;
        let name = server.begin("wait").await?;
        let columns = "SELECT group_concat(name, ', ') FROM pragma_table_info('operation') \
             WHERE name NOT IN ('uid', 'name')";
        let connection = open(path)?;
        let columns: String = connection.query_row(columns, (), |row| row.get(0))?;
        let inserted = values(&connection, &columns)?;
        // A body that does not wait yet would miss the notification.
        while !server.operations.get(&name).await?.done {
            server.release();
            tokio::task::yield_now().await;
        }
        let updated = values(&connection, ENDED)?;
        let places = |from: usize, columns: &str| {
            let places = (from..).take(columns.split(", ").count());
            places.map(|at| format!("?{at}")).collect::<Vec<_>>()
        };
        let assigned = ENDED.split(", ").zip(places(2, ENDED));
        let assigned: Vec<_> = assigned
            .map(|(column, at)| format!("{column} = {at}"))
            .collect();
        Ok(Self {
            insert: format!(
                "INSERT INTO operation (uid, name, {columns}) VALUES (?1, ?2, {})",
                places(3, &columns).join(", ")
            ),
            update: format!(
                "UPDATE operation SET {} WHERE uid = ?1",
                assigned.join(", ")
            ),
            connection,
            inserted,
            updated,
            has_name: true,
        })
    }
}

impl Loop {
    fn run(mut self, mut queued: mpsc::UnboundedReceiver<Queued>) -> rusqlite::Result<()> {
        let mut answers = Vec::new();
        while let Some(first) = queued.blocking_recv() {
            let transaction = self.connection.transaction()?;
            let mut next = Some(first);
            while let Some((write, answer)) = next {
                let (sql, uid, values) = match &write {
                    Write::Insert(uid) => (&self.insert, uid, &self.inserted),
                    Write::Update(uid) => (&self.update, uid, &self.updated),
                    Write::Step(uid, step) => {
                        record(&transaction, *uid, *step)?;
                        answers.push(answer);
                        next = more(&answers, &mut queued);
                        continue;
                    }
                };
                let mut statement = transaction.prepare_cached(sql)?;
                let mut at = 1;
                statement.raw_bind_parameter(at, uid.as_bytes())?;
                if self.has_name && matches!(write, Write::Insert(_)) {
                    at += 1;
                    statement.raw_bind_parameter(at, format!("operations/{uid}"))?;
                }
                for value in values {
                    at += 1;
                    statement.raw_bind_parameter(at, value)?;
                }
                statement.raw_execute()?;
                answers.push(answer);
                next = more(&answers, &mut queued);
            }
            transaction.commit()?;
            for answer in answers.drain(..) {
                answer.send(()).ok();
            }
        }
        Ok(())
    }
}

type Queued = (Write, oneshot::Sender<()>);

/// The next write of a transaction of at most 512.
fn more(
    answers: &[oneshot::Sender<()>],
    queued: &mut mpsc::UnboundedReceiver<Queued>,
) -> Option<Queued> {
    match answers.len() < 512 {
        true => queued.try_recv().ok(),
        false => None,
    }
}

/// Writes what a recorded step takes.
fn record(connection: &Connection, uid: Uuid, step: u32) -> rusqlite::Result<()> {
    let mut insert = connection.prepare_cached(STEP)?;
    let value = [7_u8; STEP_VALUE];
    insert.execute((uid.as_bytes(), format!("step/{step}"), step + 1, &value))?;
    let mut update = connection.prepare_cached(STEPPED)?;
    let summary = [7_u8; SUMMARY];
    update.execute((
        uid.as_bytes(),
        &summary,
        step + 2,
        1_700_000_000_000_000_i64,
    ))?;
    Ok(())
}

fn open(path: &Path) -> rusqlite::Result<Connection> {
    let connection = Connection::open(path)?;
    connection.pragma_update(None, "journal_mode", "WAL")?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    Ok(connection)
}

/// The values of those columns of the only operation.
fn values(connection: &Connection, columns: &str) -> rusqlite::Result<Vec<Value>> {
    let mut statement = connection.prepare(&format!("SELECT {columns} FROM operation"))?;
    let count = statement.column_count();
    statement.query_row((), |row| (0..count).map(|at| row.get(at)).collect())
}
