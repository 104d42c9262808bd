//! One run of a body on what earlier code has recorded.

use std::collections::BTreeSet;
use std::future::Future;
use std::marker::PhantomData;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use lro_core::pack;
use lro_core::store::{Claim, Command, OperationStore as _, Suspects, Update, WorkerId};
use prost::{Message, Name};
use tonic::Status;
use uuid::Uuid;

use super::history::History;
use super::outcome::{Outcome, status};
use super::probe::{Closures, Probe};
use super::process::{Body, LEASE, METHOD, Place, on_own_thread};
use crate::OperationContext;
use crate::handler::error::IntoHandlerError;
use crate::handler::registration::BodyFuture;

/// When nothing happens for so long, by a clock that moves only when nothing else does, nothing will.
const IDLE: Duration = Duration::from_millis(2);

/// Runs a body once on a history, with time standing still: a test that running operations continue when the code
/// changes.
///
/// No closure of a step runs: a step that is not recorded is noted as [begun](Replay::begun), and the body gets no
/// further than that.
///
/// ```
/// use lro_server::testing::{self, History};
/// use lro_server::OperationContext;
/// use tonic::Status;
///
/// async fn publish(operation: OperationContext<()>) -> Result<bool, Status> {
///     operation.step("ocr", async || -> Result<String, Status> { Ok("text".into()) }).await?;
///     if operation.introduced("scan-2027").await? {
///         operation.step("scan", async || -> Result<(), Status> { Ok(()) }).await?;
///     }
///     operation.step("ask", async || -> Result<(), Status> { Ok(()) }).await?;
///     operation.promise("approved").await
/// }
///
/// // An operation that the code before `scan` has begun.
/// let history = History::of("operations/1").step("ocr", &"text".to_owned()).step("ask", &());
/// let run = testing::replay(history, publish);
/// assert_eq!(run.blocked(), None);
/// assert!(run.is_waiting_for("approved"));
/// ```
///
/// # Panics
///
/// If the history is none that a store could have, such as one with two rows of one key.
pub fn replay<M, R, E, Fut>(
    history: History,
    body: impl FnOnce(OperationContext<M>) -> Fut + Send + 'static,
) -> Replay<R>
where
    Fut: Future<Output = Result<R, E>> + Send + 'static,
    R: Message + Name + Default + 'static,
    E: IntoHandlerError,
{
    let body = Mutex::new(Some(body));
    let body: Body = Arc::new(move |run| -> BodyFuture {
        let body = body.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some(body) = body else {
            // The run that counts has ended.
            return Box::pin(std::future::pending());
        };
        let ended = body(OperationContext::new(run));
        Box::pin(async move {
            match ended.await {
                Ok(response) => Ok(pack(&response)),
                Err(error) => Err(error.into_handler_error()),
            }
        })
    });
    on_own_thread(move || run(history, body))
}

fn run<R>(history: History, body: Body) -> Replay<R> {
    let place = Place::new(history.name.clone(), body, history.begin);
    let probe = Probe::new(Closures::Hold, None);
    let keys = history.keys();
    let mut unreached: BTreeSet<_> = keys.into_iter().map(ToString::to_string).collect();
    let outcome = place.process(&probe, Duration::ZERO, async |link| {
        let fence = record(&place, history).await;
        link.tell_ready(METHOD, place.record().await.ready_time);
        loop {
            let changed = tokio::time::timeout(IDLE, probe.changed.notified()).await;
            let record = place.record().await;
            let is_over = record.fence > fence && !record.state.is_running();
            if is_over || changed.is_err() {
                return Outcome::of(&record);
            }
        }
    });
    for reached in probe.calls_reached() {
        unreached.remove(&reached);
    }
    Replay {
        begun: probe.calls_begun(),
        waiting: probe.calls_held(),
        unreached: unreached.into_iter().collect(),
        blocked: probe.blocked(),
        retried: probe.retried().map(|error| status(&error)),
        outcome,
        response: PhantomData,
    }
}

/// Stores the operation and what is recorded of it, as a former run would have. Returns that run's fence.
async fn record(place: &Place, history: History) -> u64 {
    place.start(u32::MAX).await;
    let claim = Claim {
        worker: WorkerId::from_uuid(Uuid::nil()),
        methods: [(METHOD.to_owned(), 1)].into(),
        limit: 1,
        lease_duration: LEASE,
        suspects: Suspects::default(),
        expires_leases: false,
    };
    let claimed = place.store.claim(claim).await;
    let fence = claimed
        .ok()
        .and_then(|it| Some(it.operations.first()?.fence));
    let fence = fence.unwrap_or_else(|| panic!("the store in memory gives no operation"));
    if let Some(checkpoint) = history.checkpoint {
        let (lease_duration, metadata) = (LEASE, None);
        let checkpoint = Command::Checkpoint {
            fence,
            lease_duration,
            checkpoint,
            metadata,
        };
        place.command(checkpoint).await;
    }
    for entry in history.entries {
        place.clock.skip_to(entry.at);
        let (command, steps) = entry.into_command(fence);
        let update = Update::by_uid(place.name.clone(), place.uid, command).with_steps(steps);
        let answers = place.store.update(vec![update]).await;
        if let Ok([Err(refusal)]) = answers.as_deref() {
            panic!("the history cannot be: {refusal}");
        }
    }
    place.clock.skip_to(history.now);
    place
        .command(Command::Release {
            fence,
            metadata: None,
        })
        .await;
    fence
}

/// The calls and the end of a body in a [`replay`].
///
/// ```
/// use lro_server::testing::{self, History};
/// use lro_server::OperationContext;
/// use tonic::Status;
///
/// async fn body(operation: OperationContext<()>) -> Result<u32, Status> {
///     operation.step("count", async || -> Result<u32, Status> { Ok(7) }).await
/// }
///
/// let run = testing::replay(History::of("operations/1"), body);
/// assert_eq!(run.begun(), ["count"]);
/// let run = testing::replay(History::of("operations/1").step("count", &6_u32), body);
/// assert_eq!(run.outcome().unwrap().unwrap(), 6);
/// ```
#[derive(Debug)]
pub struct Replay<R> {
    begun: Vec<String>,
    waiting: BTreeSet<String>,
    unreached: Vec<String>,
    blocked: Option<String>,
    retried: Option<Status>,
    outcome: Option<Outcome>,
    response: PhantomData<fn() -> R>,
}

impl<R: Message + Name + Default + 'static> Replay<R> {
    /// The keys of the calls that the body has made and that are not recorded, in their order: steps, sleeps and
    /// promises.
    pub fn begun(&self) -> &[String] {
        &self.begun
    }

    /// Whether the body waits for the end of this call: a step, a sleep or a promise.
    pub fn is_waiting_for(&self, key: &str) -> bool {
        self.waiting.contains(key)
    }

    /// The keys of recorded calls that the body has not made.
    pub fn unreached(&self) -> &[String] {
        &self.unreached
    }

    /// Why the operation would be blocked: the code does not fit the history.
    pub fn blocked(&self) -> Option<&str> {
        self.blocked.as_deref()
    }

    /// The error with which the body has asked for another attempt.
    pub fn retried(&self) -> Option<&Status> {
        self.retried.as_ref()
    }

    /// The end of the operation; `None` if the body has not reached it.
    ///
    /// # Errors
    ///
    /// That of the operation, as callers see it.
    pub fn outcome(&self) -> Option<Result<R, Status>> {
        self.outcome.as_ref().map(Outcome::to_result)
    }
}
