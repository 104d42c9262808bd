//! The durable calls that a body makes through its context.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use lro_core::store::{StepKind, StepWake};
use lro_core::{Timestamp, pack};
use prost::{Message, Name};
use uuid::Uuid;

use super::call::Call;
use super::closure::Closure;
use super::rules::check_own;
use super::work::Work;
use super::{All, First, Step, StepGuard, StepName};
use crate::OperationContext;
use crate::handler::error::IntoHandlerError;

/// Durable calls: a later run of the body gets their results again without making them.
///
/// After a crash or a wait the body runs again from its first line. Between durable calls it decides
/// only by the request, by what they returned, and by [`time`](Self::time): not by clocks, random
/// numbers, databases, or the order of a `HashMap`. Effects on the world belong into a
/// [`step`](Self::step), and may happen twice if the process dies in the middle of it.
impl<M> OperationContext<M> {
    /// Runs a closure and records its result before the step's future returns.
    ///
    /// A later run of the body gets the recorded result, by the name of the step, and does not run the
    /// closure. The closure runs at least once before its result is recorded, and never after it. Its
    /// response is a message, or a value that protobuf has a wrapper for: `()`, `bool`, `u32`, `String`,
    /// `Vec<u8>` and others, at most [`Limits::max_response_len`](crate::Limits::max_response_len) bytes.
    ///
    /// ```
    /// use lro_server::OperationContext;
    /// use tonic::Status;
    ///
    /// async fn body(operation: OperationContext<()>) -> Result<u64, Status> {
    ///     let mut rows = 0;
    ///     for table in ["users", "orders"] {
    ///         let dump = async || -> Result<u64, Status> { Ok(table.len() as u64) };
    ///         rows += operation.step(format!("dump/{table}"), dump).await?;
    ///     }
    ///     Ok(rows)
    /// }
    /// # let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    /// # assert_eq!(runtime.block_on(body(OperationContext::detached())).unwrap(), 11);
    /// ```
    ///
    /// Steps may run side by side with `tokio::join!` and similar; at most 256 closures of an operation run
    /// at a time. Two calls with one name must follow one another: the second is `name#2`. See [`Step`]
    /// for options, errors and cancel safety.
    pub fn step<'a, T, E, F, Fut>(&'a self, name: impl Into<StepName>, run: F) -> Step<'a, T>
    where
        T: Message + Name + Default + 'static,
        E: IntoHandlerError,
        F: Fn() -> Fut + Send + Sync + 'a,
        Fut: Future<Output = Result<T, E>> + Send + 'a,
    {
        Step::new(
            self.call(&name.into(), StepKind::Step),
            Work::Closure(Closure::packing(run)),
        )
    }

    /// Runs a closure that blocks, on a thread that may, and records its result as [`step`](Self::step) does.
    ///
    /// The closure owns all that it needs. It asks its [`StepGuard`] from time to time whether it must stop:
    /// a thread cannot be dropped, and until it returns, the operation keeps its slot of the worker.
    ///
    /// ```
    /// use lro_server::OperationContext;
    /// use tonic::Status;
    ///
    /// async fn body(operation: OperationContext<()>) -> Result<u64, Status> {
    ///     let count = move |_guard: &_| -> Result<u64, Status> { Ok((1..=1_000).sum()) };
    ///     operation.step_blocking("count", count).await
    /// }
    /// # let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    /// # assert_eq!(runtime.block_on(body(OperationContext::detached())).unwrap(), 500_500);
    /// ```
    pub fn step_blocking<'a, T, E, F>(&'a self, name: impl Into<StepName>, run: F) -> Step<'a, T>
    where
        T: Message + Name + Default + 'static,
        E: IntoHandlerError,
        F: Fn(&StepGuard) -> Result<T, E> + Send + Sync + 'static,
    {
        let closure = Arc::new(move |guard: &StepGuard| match run(guard) {
            Ok(response) => Ok(pack(&response)),
            Err(error) => Err(error.into_handler_error()),
        });
        Step::new(
            self.call(&name.into(), StepKind::Step),
            Work::Closure(Closure::Blocking(closure)),
        )
    }

    /// Makes durable calls side by side, at most `limit` at a time, and returns their responses in the order
    /// of the calls. The first error ends it, and drops the other calls.
    ///
    /// ```
    /// use lro_server::OperationContext;
    /// use tonic::Status;
    ///
    /// async fn body(operation: OperationContext<()>) -> Result<Vec<u64>, Status> {
    ///     let render = |page: u64| {
    ///         let render = move || async move { Ok::<_, Status>(page * page) };
    ///         operation.step(format!("render/{page}"), render)
    ///     };
    ///     operation.all(8, (1..=20).map(render)).await
    /// }
    /// # let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    /// # assert_eq!(runtime.block_on(body(OperationContext::detached())).unwrap()[19], 400);
    /// ```
    ///
    /// A later run drops the same calls: an error that is recorded ends it again, before any call begins. A
    /// `limit` of 0 is 1. See [`All`] for errors and cancel safety.
    pub fn all<'a, T>(
        &'a self,
        limit: usize,
        steps: impl IntoIterator<Item = Step<'a, T>>,
    ) -> All<'a, T> {
        All::new(self.run.clone(), limit, steps.into_iter().collect())
    }

    /// Makes two durable calls side by side, and returns the result of the one that ends first. The other one
    /// is dropped, and its row is marked as abandoned.
    ///
    /// `tokio::select!` between durable calls may choose another one in a later run; this records its choice.
    ///
    /// ```
    /// use std::time::Duration;
    /// use lro_server::OperationContext;
    /// use lro_server::steps::Either;
    /// use tonic::Status;
    ///
    /// async fn body(operation: OperationContext<()>) -> Result<bool, Status> {
    ///     let approved = operation.promise::<bool>("approved");
    ///     let patience = operation.sleep("patience", Duration::from_secs(24 * 60 * 60));
    ///     match operation.first("answer", approved, patience).await? {
    ///         Either::Left(approved) => approved,
    ///         Either::Right(_) => Ok(false),
    ///     }
    /// }
    /// # let mut runtime = tokio::runtime::Builder::new_current_thread();
    /// # let runtime = runtime.enable_time().start_paused(true).build().unwrap();
    /// # assert!(!runtime.block_on(body(OperationContext::detached())).unwrap());
    /// ```
    ///
    /// If both have ended, the first one counts. See [`First`] for errors and cancel safety.
    pub fn first<'a, A, B>(
        &'a self,
        name: impl Into<StepName>,
        first: Step<'a, A>,
        second: Step<'a, B>,
    ) -> First<'a, A, B>
    where
        A: Message + Name + Default + 'static,
        B: Message + Name + Default + 'static,
    {
        First::new(self.call(&name.into(), StepKind::First), first, second)
    }

    /// Waits for a duration, across crashes and deployments.
    ///
    /// A sleep that is longer than the worker's [`suspend_after`](crate::WorkerBuilder::suspend_after)
    /// suspends the operation, if the body does nothing else: the body's future is dropped, and the
    /// operation holds no slot, no lease and no memory until then. The store's clock measures the
    /// duration, and the sleep never ends early. A shorter one waits in memory, and begins anew after a
    /// crash.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use lro_server::OperationContext;
    /// # async fn body(operation: OperationContext<()>) -> Result<(), tonic::Status> {
    /// operation.sleep("cool-down", Duration::from_secs(24 * 60 * 60)).await?;
    /// # Ok(()) }
    /// # tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap()
    /// #     .block_on(body(OperationContext::detached())).unwrap();
    /// ```
    pub fn sleep(&self, name: impl Into<StepName>, duration: Duration) -> Step<'_, ()> {
        self.wait_for(&name.into(), StepWake::After(duration))
    }

    /// Waits until a time of the store's clock, as [`sleep`](Self::sleep) does. Returns at once if it has
    /// passed.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use lro_server::OperationContext;
    /// # async fn body(operation: OperationContext<()>) -> Result<(), tonic::Status> {
    /// let tomorrow = operation.time().saturating_add(Duration::from_secs(24 * 60 * 60));
    /// operation.sleep_until("tomorrow", tomorrow).await?;
    /// # Ok(()) }
    /// # tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap()
    /// #     .block_on(body(OperationContext::detached())).unwrap();
    /// ```
    pub fn sleep_until(&self, name: impl Into<StepName>, time: Timestamp) -> Step<'_, ()> {
        self.wait_for(&name.into(), StepWake::At(time))
    }

    /// Waits for a value that comes from outside: of [`Operations::complete`](crate::Operations::complete) or
    /// [`fail`](crate::Operations::fail), for example an approval.
    ///
    /// The value may come before the body asks for it. While the body does nothing else, the operation is
    /// suspended until then; with [`timeout`](Step::timeout), at most for that time, which counts from the
    /// first call, by the store's clock. An end by the timeout is final: a value that comes later is refused.
    ///
    /// ```
    /// use std::time::Duration;
    /// use lro_server::OperationContext;
    /// use tonic::{Code, Status};
    ///
    /// async fn body(operation: OperationContext<()>) -> Result<bool, Status> {
    ///     let three_days = Duration::from_secs(3 * 24 * 60 * 60);
    ///     match operation.promise::<bool>("approved").timeout(three_days).await {
    ///         Err(late) if late.code() == Code::DeadlineExceeded => Ok(false),
    ///         answer => answer,
    ///     }
    /// }
    /// # let mut runtime = tokio::runtime::Builder::new_current_thread();
    /// # let runtime = runtime.enable_time().start_paused(true).build().unwrap();
    /// # assert!(!runtime.block_on(body(OperationContext::detached())).unwrap());
    /// ```
    ///
    /// Give promises names of their own: a caller completes the second call of a name as `name#2`, and one in a
    /// scope as `scope/name`.
    pub fn promise<T>(&self, name: impl Into<StepName>) -> Step<'_, T>
    where
        T: Message + Name + Default + 'static,
    {
        let mut call = self.call(&name.into(), StepKind::Promise);
        call.check(|key| check_own(&self.run.rules().promises, key.as_str(), &T::full_name()));
        Step::new(call, Work::Promise)
    }

    /// Whether this operation runs code that was added while others of its kind were running: `false` for
    /// an operation that has already passed this place without it. The answer is recorded.
    ///
    /// ```
    /// # use lro_server::OperationContext;
    /// # use tonic::Status;
    /// # async fn scan() -> Result<(), Status> { Ok(()) }
    /// # async fn body(operation: OperationContext<()>) -> Result<(), Status> {
    /// if operation.introduced("scan-2027").await? {
    ///     operation.step("scan", async || scan().await).await?;
    /// }
    /// # Ok(()) }
    /// # tokio::runtime::Builder::new_current_thread().build().unwrap()
    /// #     .block_on(body(OperationContext::detached())).unwrap();
    /// ```
    ///
    /// An operation has passed the place if an earlier run has recorded a call in sequence that this run
    /// has not reached.
    pub fn introduced(&self, name: impl Into<StepName>) -> Step<'_, bool> {
        let call = self.call(&name.into(), StepKind::Introduced);
        Step::new(call, Work::Introduced)
    }

    /// A context whose durable calls have names below a scope: `escalation/ask` for the step `ask` in the
    /// scope `escalation`. Scopes keep the names of functions that several branches call apart.
    ///
    /// ```
    /// # use lro_server::OperationContext;
    /// # use tonic::Status;
    /// async fn copy(operation: OperationContext<()>) -> Result<(), Status> {
    ///     operation.step("copy", async || -> Result<(), Status> { Ok(()) }).await
    /// }
    ///
    /// async fn body(operation: OperationContext<()>) -> Result<(), Status> {
    ///     tokio::try_join!(copy(operation.scope("left")), copy(operation.scope("right")))?;
    ///     Ok(())
    /// }
    /// # tokio::runtime::Builder::new_current_thread().build().unwrap()
    /// #     .block_on(body(OperationContext::detached())).unwrap();
    /// ```
    ///
    /// Its name obeys the rules of [`StepName`]; otherwise the calls in it fail.
    #[must_use]
    pub fn scope(&self, name: impl Into<StepName>) -> Self {
        let name = name.into();
        let scope = match &self.scope {
            Some(outer) => format!("{outer}/{name}"),
            None => name.to_string(),
        };
        self.with_scope(Some(scope.into()))
    }

    /// A time that is the same in every run: when the result was recorded of the latest step that the body
    /// has passed, or when the operation was started; a sleep adds its duration. Use it in the place of a
    /// clock.
    ///
    /// ```
    /// # use lro_server::OperationContext;
    /// let operation = OperationContext::<()>::detached();
    /// assert_eq!(operation.time(), operation.time());
    /// ```
    pub fn time(&self) -> Timestamp {
        self.run.time()
    }

    /// A UUID that is the same in every run of the operation, and another one for each operation, scope and
    /// name. Use it as the request id (AIP-155) of a call that a step repeats.
    ///
    /// ```
    /// # use lro_server::OperationContext;
    /// let operation = OperationContext::<()>::detached();
    /// assert_eq!(operation.uuid("disk"), operation.uuid("disk"));
    /// assert_ne!(operation.uuid("disk"), operation.uuid("network"));
    /// assert_eq!(operation.uuid("disk").get_version_num(), 4);
    /// ```
    pub fn uuid(&self, name: &str) -> Uuid {
        let scope = self.scope.as_deref().unwrap_or_default();
        self.run.derived_uuid(&[scope, name])
    }

    /// Whether the body passes calls that earlier runs have recorded: until it has reached them all. Use it
    /// to log what happens only once.
    ///
    /// ```
    /// # use lro_server::OperationContext;
    /// # let operation = OperationContext::<()>::detached();
    /// if !operation.is_replaying() {
    ///     println!("transcoding begins");
    /// }
    /// ```
    pub fn is_replaying(&self) -> bool {
        let journal = self.run.journal_if_used();
        journal.is_some_and(super::Journal::is_replaying)
    }

    fn wait_for(&self, name: &StepName, wake: StepWake) -> Step<'_, ()> {
        Step::new(self.call(name, StepKind::Sleep), Work::Sleep(wake))
    }

    pub(super) fn call(&self, name: &StepName, kind: StepKind) -> Call {
        let scope = self.scope.as_deref().unwrap_or_default();
        Call::new(&self.run, scope, name, kind)
    }
}
