//! Runs of a body that are killed at every place where that makes a difference.

use std::any::Any;
use std::collections::HashSet;
use std::fmt;
use std::future::Future;
use std::marker::PhantomData;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use lro_core::pack;
use lro_core::store::{OperationOutcome, StepOutcome};
use prost::{Message, Name};
use tonic::Status;

use super::children::EndChild;
use super::failure::{Failure, Report};
use super::outcome::Outcome;
use super::process::on_own_thread;
use super::whole_life::{Life, WholeLife};
use crate::OperationContext;
use crate::handler::error::{IntoHandlerError, to_plain_rpc_status};
use crate::handler::registration::BodyFuture;
use crate::handler::run::Run;

/// Runs the whole life of a body again and again, and kills its process each time at another place: before and
/// after each write to the store, and at each await inside the closures of steps.
///
/// Each run has a new world, which `world` makes: the service with everything that its closures change, such as fakes
/// of a mail server or a bucket. It outlives the processes of its run. Sleeps take no time.
///
/// ```
/// use std::sync::atomic::{AtomicU32, Ordering};
/// use lro_server::{OperationContext, testing};
/// use tonic::Status;
///
/// #[derive(Default)]
/// struct Shop {
///     orders: AtomicU32,
///     mails: AtomicU32,
/// }
///
/// impl Shop {
///     async fn sell(&self, operation: OperationContext<()>) -> Result<bool, Status> {
///         let order = async || {
///             self.orders.store(1, Ordering::SeqCst); // may happen twice, so it sets, and adds nothing
///             Ok::<(), Status>(())
///         };
///         operation.step("order", order).await?;
///         let is_paid = operation.promise::<bool>("paid").await?;
///         operation.step("mail", async || -> Result<(), Status> {
///             self.mails.store(1, Ordering::SeqCst);
///             Ok(())
///         }).await?;
///         Ok(is_paid)
///     }
/// }
///
/// # fn main() {
/// let report = testing::crash_everywhere(Shop::default, |shop, operation| async move {
///     shop.sell(operation).await
/// })
/// .complete("paid", &true)
/// .check(|shop| assert_eq!(shop.mails.load(Ordering::SeqCst), 1))
/// .run();
/// assert!(report.crash_points > 10);
/// # }
/// ```
///
/// [`run`](CrashEverywhere::run) panics with the seed and the place if
///
/// * an operation ends in another way than without a crash, or its end breaks the [check](CrashEverywhere::check);
///   a step that runs [at most once](crate::steps::Step::at_most_once) may end it with `STEP_INTERRUPTED`;
/// * the replayed body does not fit what is recorded: it decides by a clock, a counter, or another thing that is not
///   the same in every run;
/// * two durable calls of one name run side by side, or one is made inside the closure of a step;
/// * the body waits for something else beside a durable wait, such as a channel or a task, which a suspension cuts off;
/// * the operation waits for a promise that the test does not [complete](CrashEverywhere::complete), or hangs.
///
/// The body runs in a runtime with one thread, whose time is paused; a test needs no runtime of its own. Everything is
/// drawn from the seed. `tokio::select!` without `biased` draws from elsewhere.
pub fn crash_everywhere<'a, W, M, R, E, Fut>(
    world: impl Fn() -> W + Send + 'a,
    body: impl Fn(Arc<W>, OperationContext<M>) -> Fut + Send + Sync + 'static,
) -> CrashEverywhere<'a, W, R>
where
    W: Send + Sync + 'static,
    Fut: Future<Output = Result<R, E>> + Send + 'static,
    R: Message + Name + Default + fmt::Debug + 'static,
    E: IntoHandlerError,
{
    let body = move |world: Arc<W>, run: Arc<Run>| -> BodyFuture {
        let ended = body(world, OperationContext::new(run));
        Box::pin(async move {
            match ended.await {
                Ok(response) => Ok(pack(&response)),
                Err(error) => Err(error.into_handler_error()),
            }
        })
    };
    CrashEverywhere {
        world: Box::new(world),
        body: Arc::new(body),
        completions: Vec::new(),
        children: Vec::new(),
        cancelled_at: None,
        check: Box::new(|_| ()),
        seeds: (0..CrashEverywhere::<W, R>::DEFAULT_SEEDS).collect(),
        response: PhantomData,
    }
}

/// The settings of [`crash_everywhere`].
///
/// ```
/// use lro_server::{OperationContext, testing};
/// use tonic::Status;
///
/// async fn body(operation: OperationContext<()>) -> Result<bool, Status> {
///     operation.promise::<bool>("approved").await
/// }
///
/// # fn main() {
/// let kit = testing::crash_everywhere(|| (), |_, operation| body(operation));
/// let report = kit.complete("approved", &true).seeds(2).run();
/// assert!(report.runs > report.crash_points);
/// # }
/// ```
#[must_use = "nothing runs before `run`"]
pub struct CrashEverywhere<'a, W, R> {
    world: Box<dyn Fn() -> W + Send + 'a>,
    body: Arc<dyn Fn(Arc<W>, Arc<Run>) -> BodyFuture + Send + Sync>,
    completions: Vec<(String, StepOutcome)>,
    children: Vec<(String, Child<W>)>,
    cancelled_at: Option<String>,
    check: Box<dyn Fn(&W) + Send + 'a>,
    seeds: Vec<u64>,
    response: PhantomData<fn() -> R>,
}

/// Ends a child in a world.
type Child<W> = Arc<dyn Fn(&W) -> OperationOutcome + Send + Sync>;

impl<'a, W, R> CrashEverywhere<'a, W, R>
where
    W: Send + Sync + 'static,
    R: Message + Name + Default + fmt::Debug + 'static,
{
    /// The default of [`seeds`](Self::seeds).
    pub const DEFAULT_SEEDS: u64 = 8;

    /// Gives a promise its value: when the operation waits for it, and with odd seeds before the body asks.
    pub fn complete<T: Message + Name + 'static>(mut self, promise: &str, value: &T) -> Self {
        let outcome = StepOutcome::Response(pack(value));
        self.completions.push((promise.to_owned(), outcome));
        self
    }

    /// Ends a promise with an error, at the times of [`complete`](Self::complete).
    pub fn fail(mut self, promise: &str, error: &Status) -> Self {
        let outcome = StepOutcome::Error(to_plain_rpc_status(error));
        self.completions.push((promise.to_owned(), outcome));
        self
    }

    /// Ends the child of a step in the place of the service that the body would call: the kit starts it, and calls
    /// `end` when the operation waits for it. The closure of the step is not called.
    ///
    /// ```
    /// use lro_core::Operation;
    /// use lro_server::{OperationContext, Operations, testing};
    /// use tonic::{Response, Status};
    ///
    /// async fn body(operations: &Operations, operation: OperationContext<()>) -> Result<String, Status> {
    ///     let start = async |_request_id| -> Result<Response<Operation<String, ()>>, Status> {
    ///         Err(Status::unimplemented("an rpc of this server"))
    ///     };
    ///     operation.child("disk", operations, start).await
    /// }
    ///
    /// # fn main() {
    /// let operations = || Operations::new(lro_core::store::MemoryStore::new());
    /// let kit = testing::crash_everywhere(operations, |operations, operation| async move {
    ///     body(&operations, operation).await
    /// });
    /// kit.child("disk", |_| Ok("disk-1".to_owned())).run();
    /// # }
    /// ```
    pub fn child<T: Message + Name + 'static>(
        mut self,
        step: &str,
        end: impl Fn(&W) -> Result<T, Status> + Send + Sync + 'static,
    ) -> Self {
        let end = move |world: &W| match end(world) {
            Ok(response) => OperationOutcome::Response(pack(&response)),
            Err(error) => OperationOutcome::Error(to_plain_rpc_status(&error)),
        };
        self.children.push((step.to_owned(), Arc::new(end)));
        self
    }

    /// Cancels the operation when it waits for this step, instead of ending that.
    pub fn cancel_at(mut self, step: &str) -> Self {
        self.cancelled_at = Some(step.to_owned());
        self
    }

    /// The number of seeds, from 0 on. Default: 8. A seed decides the order in which parallel steps begin, and so
    /// get ready. Seeds that lead to the same places share the runs that are killed there.
    pub fn seeds(mut self, seeds: u64) -> Self {
        self.seeds = (0..seeds.max(1)).collect();
        self
    }

    /// Runs this seed only: the one of a failure.
    pub fn seed(mut self, seed: u64) -> Self {
        self.seeds = vec![seed];
        self
    }

    /// Checks the world after each run, by panicking: for example, whether each effect has happened once.
    pub fn check(mut self, check: impl Fn(&W) + Send + 'a) -> Self {
        self.check = Box::new(check);
        self
    }

    /// Runs everything.
    ///
    /// # Panics
    ///
    /// With a [`Failure`] as the message, if there is one.
    #[track_caller]
    pub fn run(self) -> Report {
        match self.try_run() {
            Ok(report) => report,
            Err(failure) => panic!("{failure}"),
        }
    }

    /// Runs everything, and stops at the first failure.
    ///
    /// # Errors
    ///
    /// The failure.
    ///
    /// # Panics
    ///
    /// If the world cannot be made, or there are no memory and threads for a runtime.
    pub fn try_run(self) -> Result<Report, Failure> {
        on_own_thread(move || self.explore())
    }

    fn explore(&self) -> Result<Report, Failure> {
        let mut report = Report::default();
        let mut known = HashSet::new();
        for seed in &self.seeds {
            let whole = self.live(*seed, None, None)?;
            report.runs += 1;
            if !known.insert(whole.points.clone()) {
                continue;
            }
            for point in 0..whole.points.len() {
                self.live(*seed, Some(point), whole.outcome.as_ref())?;
                report.runs += 1;
                report.crash_points += 1;
            }
        }
        Ok(report)
    }

    /// One run, which dies at a place or lives.
    fn live(
        &self,
        seed: u64,
        dies_at: Option<usize>,
        expected: Option<&Outcome>,
    ) -> Result<Life, Failure> {
        let world = Arc::new((self.world)());
        let (body, in_body) = (self.body.clone(), world.clone());
        let children = self.children.iter().map(|(step, end)| {
            let (world, end) = (world.clone(), end.clone());
            let end: Box<EndChild> = Box::new(move || end(&world));
            (step.clone(), end)
        });
        let life = WholeLife {
            body: Arc::new(move |run| body(in_body.clone(), run)),
            completions: &self.completions,
            children: children.collect(),
            cancelled_at: self.cancelled_at.as_deref(),
            seed,
            dies_at,
        };
        let life = life.live();
        let found = life.problem.clone();
        let found = found.or_else(|| difference::<R>(expected, life.outcome.as_ref()));
        let found = found.or_else(|| {
            let checked = catch_unwind(AssertUnwindSafe(|| (self.check)(&world)));
            let panic = checked.err()?;
            Some(format!("the check fails: {}", message_of(&*panic)))
        });
        match found {
            Some(problem) => Err(Failure {
                seed,
                place: dies_at.and_then(|at| life.points.get(at).cloned()),
                problem,
            }),
            None => Ok(life),
        }
    }
}

fn difference<R>(expected: Option<&Outcome>, found: Option<&Outcome>) -> Option<String>
where
    R: Message + Name + Default + fmt::Debug + 'static,
{
    let (expected, found) = (expected?, found?);
    (expected != found && !found.is_interruption()).then(|| {
        format!(
            "the operation ends in another way\n  without a crash: {}\n  with the crash:  {}",
            expected.shown::<R>(),
            found.shown::<R>(),
        )
    })
}

fn message_of(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    let text = text.or_else(|| panic.downcast_ref::<&str>().copied());
    text.unwrap_or("a panic without a message")
}

impl<W, R> fmt::Debug for CrashEverywhere<'_, W, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CrashEverywhere")
            .field("seeds", &self.seeds)
            .finish_non_exhaustive()
    }
}
