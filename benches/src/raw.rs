//! The limit: a group-commit loop over rusqlite that writes the bytes of an operation's life in as
//! many commits as the engine does, and does nothing else.

use std::path::Path;
use std::time::{Duration, Instant};

use rusqlite::Connection;
use tokio::sync::{mpsc, oneshot};
use uuid::Uuid;

/// About what a record of the benchmark's operations takes, request and scalars.
const INSERTED: usize = 300;
/// About what its end adds.
const UPDATED: usize = 60;

enum Write {
    Insert(Uuid),
    Update(Uuid),
}

/// Runs `count` lives, an insert and an update each, by so many submitters.
pub(crate) async fn lives(
    path: &Path,
    submitters: usize,
    count: usize,
) -> anyhow::Result<Duration> {
    let connection = Connection::open(path)?;
    connection.pragma_update(None, "journal_mode", "WAL")?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.execute_batch(
        "CREATE TABLE raw (uid BLOB NOT NULL PRIMARY KEY, state INTEGER NOT NULL, payload BLOB, \
         result BLOB) STRICT, WITHOUT ROWID",
    )?;
    let (queue, queued) = mpsc::unbounded_channel();
    let writer = std::thread::spawn(move || write(connection, queued));
    let begun = Instant::now();
    let tasks: Vec<_> = (0..submitters)
        .map(|submitter| {
            let queue = queue.clone();
            let share = count / submitters + usize::from(submitter < count % submitters);
            tokio::spawn(async move {
                for _ in 0..share {
                    let uid = Uuid::now_v7();
                    for write in [Write::Insert(uid), Write::Update(uid)] {
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

fn write(
    mut connection: Connection,
    mut queued: mpsc::UnboundedReceiver<(Write, oneshot::Sender<()>)>,
) -> rusqlite::Result<()> {
    let mut answers = Vec::new();
    while let Some(first) = queued.blocking_recv() {
        let transaction = connection.transaction()?;
        let mut next = Some(first);
        while let Some((write, answer)) = next {
            match write {
                Write::Insert(uid) => transaction
                    .prepare_cached("INSERT INTO raw VALUES (?1, 0, ?2, NULL)")?
                    .execute((uid.as_bytes(), [7_u8; INSERTED]))?,
                Write::Update(uid) => transaction
                    .prepare_cached("UPDATE raw SET state = 1, result = ?2 WHERE uid = ?1")?
                    .execute((uid.as_bytes(), [7_u8; UPDATED]))?,
            };
            answers.push(answer);
            next = if answers.len() < 512 {
                queued.try_recv().ok()
            } else {
                None
            };
        }
        transaction.commit()?;
        for answer in answers.drain(..) {
            answer.send(()).ok();
        }
    }
    Ok(())
}
