//! The updates of parents and children that belong to a change. They wait for no lock, so that no two
//! transactions deadlock: the next claim applies those of operations that others have locked.

use lro_core::Timestamp;
use lro_core::store::{
    Actor, Command, Refusal, StepKind, StepOutcome, StepRow, StepWrite, StoreEvent, Update,
};
use prost::Message as _;
use tokio_postgres::types::Type;
use uuid::Uuid;

use crate::error::Fault;
use crate::group::work::Work;
use crate::sql::database::{Query, Transaction};
use crate::sql::row::decode_head;
use crate::sql::statement;

/// Updates of operations that others have locked, as bytes that the database keeps.
#[derive(Debug, Default)]
pub(crate) struct Wakes(Vec<Vec<u8>>);

impl Wakes {
    /// The statement that keeps them.
    pub(crate) fn query(&self) -> Option<Query<'_>> {
        (!self.0.is_empty()).then(|| Query {
            sql: statement::PUT_WAKES,
            params: vec![(&self.0, Type::BYTEA_ARRAY)],
        })
    }

    /// All that would follow, for claims to find out which can.
    pub(crate) fn of(work: &mut Work) -> Self {
        let updates = std::mem::take(&mut work.follow_ups);
        Self(updates.iter().filter_map(encode).collect())
    }

    /// The event by which claims come soon.
    pub(crate) fn event(&self) -> Option<StoreEvent> {
        (!self.0.is_empty()).then_some(StoreEvent::Missed)
    }
}

/// Applies the updates of other operations that belong to what was applied. Gives those that have to wait.
pub(crate) async fn follow(
    transaction: &mut Transaction<'_>,
    work: &mut Work,
) -> Result<Wakes, Fault> {
    let mut wakes = Wakes::default();
    loop {
        let updates = std::mem::take(&mut work.follow_ups);
        if updates.is_empty() {
            return Ok(wakes);
        }
        lock(transaction, work, &updates).await?;
        let keys = work.unknown_step_keys(&updates);
        if !keys.is_empty() {
            let reads = [keys.query(statement::STEPS_BY_KEY)];
            for rows in transaction.run(&reads).await? {
                work.add_steps(&rows)?;
            }
        }
        for update in &updates {
            match work.update(update) {
                Err(Refusal::Locked) => wakes.0.extend(encode(update)),
                Err(Refusal::Corrupt(why)) => {
                    let name = &update.name;
                    tracing::error!(%name, %why, "a corrupt operation does not learn of its family");
                }
                // It may be removed by now.
                Ok(_) | Err(_) => {}
            }
        }
    }
}

/// Locks the operations of the updates that are free.
async fn lock(
    transaction: &mut Transaction<'_>,
    work: &mut Work,
    updates: &[Update],
) -> Result<(), Fault> {
    let uids = updates.iter().filter_map(|update| update.uid);
    let uids: Vec<Uuid> = uids.filter(|uid| !work.has(*uid)).collect();
    if uids.is_empty() {
        return Ok(());
    }
    let query = |sql| Query {
        sql,
        params: vec![(&uids, Type::UUID_ARRAY)],
    };
    let reads = [
        query(statement::LOCK_FAMILY),
        query(statement::NAMES_OF_FAMILY),
    ];
    let rows = transaction.run(&reads).await?;
    let [free, all] = &rows[..] else {
        return Err(Fault::row("a family has no answer"));
    };
    for row in free {
        match decode_head(row) {
            Ok(record) => work.add(record),
            Err(Fault::Row(message)) => {
                let corrupt = Refusal::Corrupt(message.into());
                work.left.push((row.try_get(0)?, row.try_get(1)?, corrupt));
            }
            Err(fault) => return Err(fault),
        }
    }
    for row in all {
        work.left
            .push((row.try_get(0)?, row.try_get(1)?, Refusal::Locked));
    }
    Ok(())
}

/// An update as it is kept.
#[derive(Clone, PartialEq, prost::Message)]
struct Stored {
    #[prost(string, tag = "1")]
    name: String,
    #[prost(bytes = "vec", tag = "2")]
    uid: Vec<u8>,
    /// Of the end of a child: the step, the child, and its end.
    #[prost(string, tag = "3")]
    key: String,
    #[prost(bytes = "vec", tag = "4")]
    child: Vec<u8>,
    #[prost(uint32, tag = "5")]
    kind: u32,
    #[prost(bytes = "vec", tag = "6")]
    value: Vec<u8>,
    /// Of a cancellation.
    #[prost(string, tag = "7")]
    principal: String,
    #[prost(string, tag = "8")]
    reason: String,
}

fn encode(update: &Update) -> Option<Vec<u8>> {
    let mut stored = Stored {
        name: update.name.as_str().to_owned(),
        uid: update.uid?.as_bytes().to_vec(),
        ..Stored::default()
    };
    match &update.command {
        Command::EndChild {
            key,
            child,
            outcome,
        } => {
            stored.key = key.as_str().to_owned();
            stored.child = child.as_bytes().to_vec();
            let (kind, value) = encode_outcome(outcome)?;
            stored.kind = kind.into();
            stored.value = value;
        }
        Command::Cancel(actor) => {
            stored.principal.clone_from(&actor.principal);
            stored.reason.clone_from(&actor.reason);
        }
        _ => return None,
    }
    Some(stored.encode_to_vec())
}

/// The update of stored bytes; `None` when they are none.
pub(crate) fn decode(bytes: &[u8]) -> Option<Update> {
    let stored = Stored::decode(bytes).ok()?;
    let command = match stored.key.is_empty() {
        true => Command::Cancel(Actor {
            principal: stored.principal,
            reason: stored.reason,
        }),
        false => Command::EndChild {
            key: stored.key.parse().ok()?,
            child: Uuid::from_slice(&stored.child).ok()?,
            outcome: StepRow::decode_value(stored.kind.try_into().ok()?, &stored.value)?.0?,
        },
    };
    let uid = Uuid::from_slice(&stored.uid).ok()?;
    Some(Update::by_uid(stored.name.parse().ok()?, uid, command))
}

/// The outcome as rows keep it.
fn encode_outcome(outcome: &StepOutcome) -> Option<(u8, Vec<u8>)> {
    let write = StepWrite::begun("child".parse().ok()?, StepKind::Child);
    let row = StepRow {
        key: write.key,
        seq: 1,
        kind: write.kind,
        attempt: 0,
        fence: 0,
        sequential: false,
        begin_time: Timestamp::EPOCH,
        end_time: Some(Timestamp::EPOCH),
        wake_time: None,
        outcome: Some(outcome.clone()),
        last_error: None,
        child: None,
    };
    row.encode_value()
}
