//! The commits of a run's rows.

use std::collections::HashMap;
use std::sync::Arc;

use lro_core::store::{Change, Command, Refusal, StepKey, StepWrite, Updated};
use lro_core::{Reason, Timestamp};
use tonic::{Code, Status};

use super::fault::run_ended;
use super::outgoing::{Answer, Unwritten};
use super::read::read_rows;
use crate::handler::run::{Run, StopReason, told_to_stop};
use crate::handler::write::{CarriedMetadata, write_while_held};
use crate::rpc::error::store_failed;

/// Writes rows in one commit, and tells the calls that wait for them. Rows that the store refuses
/// together are written one by one, so that only those at fault fail.
pub(super) async fn write_rows(run: Arc<Run>, rows: Vec<Unwritten>) {
    let (writes, answers): (Vec<_>, Vec<_>) =
        rows.into_iter().map(|row| (row.write, row.answer)).unzip();
    let keys: Vec<_> = writes.iter().map(|write| write.key.clone()).collect();
    match commit(&run, writes.clone()).await {
        Ok(Err(Refusal::StepLimit(_) | Refusal::StepFinished(_))) if writes.len() > 1 => {
            for ((write, key), answer) in writes.into_iter().zip(keys).zip(answers) {
                let committed = commit(&run, vec![write]).await;
                tell(&run, &committed, [(key, answer)]);
            }
        }
        committed => tell(&run, &committed, keys.into_iter().zip(answers)),
    }
}

type Committed = Result<Result<EndTimes, Refusal>, Status>;

/// When rows ended, by the store's clock.
enum EndTimes {
    /// With the commit.
    All(Timestamp),
    /// With an earlier commit, whose answer was lost.
    Each(HashMap<StepKey, Timestamp>),
}

impl EndTimes {
    fn of(&self, key: &StepKey) -> Timestamp {
        match self {
            Self::All(time) => *time,
            // A row that has not ended has no time that matters.
            Self::Each(times) => times.get(key).copied().unwrap_or(Timestamp::EPOCH),
        }
    }
}

async fn commit(run: &Run, writes: Vec<StepWrite>) -> Committed {
    let carried = CarriedMetadata::take(run);
    let command = Command::Record {
        fence: run.fence,
        metadata: carried.metadata(),
    };
    let update = run.update(command).with_steps(writes);
    let answer = write_while_held(run, update, "cannot record steps").await?;
    let updated = match answer.updated {
        Ok(updated) => updated,
        Err(refusal) => return Ok(Err(refusal)),
    };
    carried.written();
    run.acquit();
    if let Some(reason) = told_to_stop(updated.state) {
        run.stop(reason);
    }
    end_times(run, &updated).await.map(Ok)
}

async fn end_times(run: &Run, updated: &Updated) -> Result<EndTimes, Status> {
    if updated.change != Change::Nothing {
        return Ok(EndTimes::All(updated.update_time));
    }
    let rows = read_rows(run).await.map_err(|error| store_failed(&error))?;
    let ended = rows
        .into_iter()
        .filter_map(|row| Some((row.key, row.end_time?)));
    Ok(EndTimes::Each(ended.collect()))
}

fn tell(
    run: &Run,
    committed: &Committed,
    answers: impl IntoIterator<Item = (StepKey, Option<Answer>)>,
) {
    let lost = matches!(committed, Ok(Err(refusal)) if refused(refusal).is_none());
    if lost {
        run.stop(StopReason::LeaseLost);
    }
    for (key, waiting) in answers {
        let answer = match committed {
            Ok(Ok(times)) => Ok(times.of(&key)),
            Ok(Err(refusal)) => Err(refused(refusal).unwrap_or_else(run_ended)),
            Err(status) => Err(status.clone()),
        };
        match waiting {
            // A call that was dropped does not wait any more.
            Some(waiting) => drop(waiting.send(answer)),
            None => {
                if let Err(error) = answer {
                    tracing::warn!(name = %run.name, %key, ?error, "a durable call is not recorded");
                    if error.code() != Code::AlreadyExists {
                        run.journal().row_refused(error);
                    }
                }
            }
        }
    }
}

/// The error of rows that the store refuses; `None` if the run has lost the operation.
pub(crate) fn refused(refusal: &Refusal) -> Option<Status> {
    let (reason, advice) = match refusal {
        Refusal::StepLimit(_) => (
            Reason::LimitExceeded,
            "; record fewer or smaller results, such as the names of files",
        ),
        Refusal::Unimplemented(_) => (
            Reason::Unimplemented,
            "; use a store that keeps steps, or checkpoints",
        ),
        Refusal::StepFinished(_) => (Reason::PromiseCompleted, ""),
        Refusal::StepKindDiffers(_) | Refusal::StepUnknown(_) => (Reason::Internal, ""),
        _ => return None,
    };
    Some(reason.status(format!("{refusal}{advice}"), []))
}
