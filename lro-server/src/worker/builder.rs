use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use lro_core::store::WorkerId;
use tokio::runtime::Handle;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use uuid::Uuid;

use super::error::WorkerBuildError;
use super::executor::{Executor, Place};
use super::outage::LostRuns;
use super::probe::Probe;
use super::quarantine::Quarantine;
use super::runs::Runs;
use super::slots::Slots;
use super::{Settings, Shared, Worker, claim, lease_thread, retention, watches};
use crate::engine::LocalWorker;
use crate::handler::registration::{Host, HostedMethod, Registration};
use crate::operations::Operations;
use crate::remote::Remote;

/// The settings of a [`Worker`], and the services that it hosts.
///
/// ```
/// use std::sync::Arc;
/// use std::time::Duration;
/// use lro_server::registration::Host;
/// use lro_server::{Operations, Worker};
///
/// async fn start<S>(
///     operations: &Operations,
///     service: Arc<impl Host<S>>,
/// ) -> Result<Worker, lro_server::WorkerBuildError> {
///     Worker::builder(operations)
///         .host(service)
///         .concurrency(16)
///         .lease_duration(Duration::from_secs(30))
///         .start()
///         .await
/// }
/// ```
#[derive(Debug)]
#[must_use = "a worker runs nothing before it is started"]
pub struct WorkerBuilder {
    operations: Operations,
    methods: Vec<HostedMethod>,
    only: Option<Vec<String>>,
    remotes: Vec<Remote>,
    concurrency: usize,
    settings: Settings,
}

impl WorkerBuilder {
    /// The default of [`concurrency`](Self::concurrency).
    pub const DEFAULT_CONCURRENCY: usize = 100;
    /// The default of [`lease_duration`](Self::lease_duration).
    pub const DEFAULT_LEASE_DURATION: Duration = Duration::from_secs(30);
    /// The longest [`lease_duration`](Self::lease_duration).
    pub const MAX_LEASE_DURATION: Duration = Duration::from_secs(24 * 60 * 60);
    /// The default of [`metadata_interval`](Self::metadata_interval).
    pub const DEFAULT_METADATA_INTERVAL: Duration = Duration::from_millis(200);
    /// The default of [`drain_timeout`](Self::drain_timeout).
    pub const DEFAULT_DRAIN_TIMEOUT: Duration = Duration::from_secs(20);
    /// The default of [`suspend_after`](Self::suspend_after).
    pub const DEFAULT_SUSPEND_AFTER: Duration = Duration::from_secs(1);
    /// The default of [`child_cancel_max`](Self::child_cancel_max).
    pub const DEFAULT_CHILD_CANCEL_MAX: Duration = Duration::from_secs(10 * 60);
    /// The default of [`max_runtime_stall`](Self::max_runtime_stall).
    pub const DEFAULT_MAX_RUNTIME_STALL: Duration = Duration::from_secs(10 * 60);

    pub(super) fn new(operations: &Operations) -> Self {
        Self {
            operations: operations.clone(),
            methods: Vec::new(),
            only: None,
            remotes: Vec::new(),
            concurrency: Self::DEFAULT_CONCURRENCY,
            settings: Settings {
                lease_duration: Self::DEFAULT_LEASE_DURATION,
                metadata_interval: Self::DEFAULT_METADATA_INTERVAL,
                drain_timeout: Self::DEFAULT_DRAIN_TIMEOUT,
                max_runtime_stall: Self::DEFAULT_MAX_RUNTIME_STALL,
                suspend_after: Self::DEFAULT_SUSPEND_AFTER,
                child_cancel_max: Self::DEFAULT_CHILD_CANCEL_MAX,
                max_deleted_runs: 0,
                renew_on: None,
                run_on: None,
                limits: operations.engine().limits().of_bodies(),
            },
        }
    }

    /// Hosts a service: a type whose trait impl carries `#[long_running]`.
    ///
    /// A type with two such impls names the one that is meant:
    /// `.host::<pb::exporter_server::ExporterServer<Exporter>, _>(exporter)`.
    #[expect(
        clippy::needless_pass_by_value,
        reason = "the worker keeps clones of it, one for each method"
    )]
    pub fn host<S, H: Host<S>>(mut self, host: Arc<H>) -> Self {
        let methods = Registration::<H>::of::<S>().into_iter();
        self.methods
            .extend(methods.map(|method| method.hosted_by(host.clone())));
        self
    }

    /// Watches the children that bodies start on another server, of this worker and of others of the same store.
    ///
    /// See [`Remote`] for an example. Give it to at least one worker of those that share a store: the children of bodies
    /// on other servers end only where a worker knows these.
    pub fn remote(mut self, remote: &Remote) -> Self {
        self.remotes.push(remote.clone());
        self
    }

    /// Hosts one method.
    pub(crate) fn method(mut self, method: HostedMethod) -> Self {
        self.methods.push(method);
        self
    }

    /// Runs only these of the hosts' methods, named by their paths
    /// ([`LongRunningMethod::PATH`](lro_core::LongRunningMethod::PATH)); other workers of the same
    /// store run the others. Default: all methods.
    ///
    /// ```no_run
    /// # use std::sync::Arc;
    /// # use lro_server::registration::Host;
    /// # use lro_server::{Operations, Worker};
    /// # async fn example<S, H: Host<S>>(operations: Operations, exporter: Arc<H>) -> Result<(), lro_server::WorkerBuildError> {
    /// let worker = Worker::builder(&operations).host(exporter);
    /// let worker = worker.only_methods(["/exporter.v1.Exporter/Export"]).start().await?;
    /// # worker.drain().await;
    /// # Ok(()) }
    /// ```
    pub fn only_methods(mut self, methods: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.only = Some(methods.into_iter().map(Into::into).collect());
        self
    }

    /// The maximum number of bodies that run at a time, at least 1. A method's own `concurrency`
    /// limits it further.
    pub fn concurrency(mut self, concurrency: usize) -> Self {
        self.concurrency = concurrency.max(1);
        self
    }

    /// How long this worker holds an operation without renewing its lease: at least 1 second and at
    /// most 1 day. The worker renews three times in this period; after a crash, other workers wait
    /// this long.
    pub fn lease_duration(mut self, lease_duration: Duration) -> Self {
        self.settings.lease_duration =
            lease_duration.clamp(Duration::from_secs(1), Self::MAX_LEASE_DURATION);
        self
    }

    /// How long the worker collects new metadata before it writes the newest. With `Duration::MAX`
    /// it writes metadata only with renewals of the lease.
    pub fn metadata_interval(mut self, metadata_interval: Duration) -> Self {
        self.settings.metadata_interval = metadata_interval;
        self
    }

    /// How long [`Worker::drain`] lets bodies continue; with `Duration::MAX`, until they finish.
    pub fn drain_timeout(mut self, drain_timeout: Duration) -> Self {
        self.settings.drain_timeout = drain_timeout;
        self
    }

    /// How long an operation waits in memory before it is suspended, if its body only waits. Default: 1 s.
    ///
    /// A wait that lasts longer suspends the operation at once; see
    /// [`OperationContext::sleep`](crate::OperationContext::sleep).
    pub fn suspend_after(mut self, suspend_after: Duration) -> Self {
        self.settings.suspend_after = suspend_after;
        self
    }

    /// How long an operation that is cancelled or fails waits for each of its
    /// [children](crate::OperationContext::child) to stop. Default: 10 min.
    ///
    /// The time begins when the operation cancels the child. A child that has not ended then is given up: it continues
    /// to stop by itself, and the error of its parent names it under `UNDO_INCOMPLETE`. With `Duration::ZERO` a parent
    /// waits for no child that it has cancelled.
    ///
    /// A child with children waits for them in the same way before it ends. So give the workers of each level of a
    /// family more than those of the level below need to stop, with all their undos: for parents of children that have
    /// children at the default, for example 25 min.
    ///
    /// ```
    /// use std::time::Duration;
    /// use lro_server::{Operations, WorkerBuilder};
    ///
    /// fn of_parents(builder: WorkerBuilder) -> WorkerBuilder {
    ///     builder.child_cancel_max(Duration::from_secs(25 * 60))
    /// }
    /// ```
    pub fn child_cancel_max(mut self, child_cancel_max: Duration) -> Self {
        self.settings.child_cancel_max = child_cancel_max;
        self
    }

    /// How long the runtime of the bodies may poll no task before the worker stops renewing its
    /// leases, so that a deadlock does not hold operations for ever. Default: 10 minutes.
    ///
    /// Until then a blocked runtime costs no operation its lease. When it counts as stalled, the
    /// worker logs an error, counts it (`lro.runtime.stalls`), and the health of the module `serve`
    /// is NOT_SERVING until the runtime polls again. `Duration::MAX` renews for ever.
    pub fn max_runtime_stall(mut self, max_runtime_stall: Duration) -> Self {
        self.settings.max_runtime_stall = max_runtime_stall;
        self
    }

    /// Runs bodies, claims and renewals on executors of a simulation.
    #[doc(hidden)]
    pub fn simulated(mut self, run_on: Arc<dyn Executor>, renew_on: Arc<dyn Executor>) -> Self {
        self.settings.run_on = Some(run_on);
        self.settings.renew_on = Some(renew_on);
        self
    }

    /// The worker of the watches, if there are any.
    fn watches(&mut self) -> Result<Option<Self>, WorkerBuildError> {
        let remotes = std::mem::take(&mut self.remotes);
        if let Some(invalid) = remotes.iter().find(|remote| !remote.has_valid_name()) {
            return Err(WorkerBuildError::invalid_remote(invalid.name()));
        }
        if remotes.is_empty() {
            return Ok(None);
        }
        let mut watches = watches::worker_of(&self.operations, remotes);
        watches.settings.run_on = self.settings.run_on.clone();
        watches.settings.renew_on = self.settings.renew_on.clone();
        Ok(Some(watches))
    }

    /// Starts the worker: its bodies and claims run on the current tokio runtime.
    ///
    /// A thread of its own, `lro-leases`, renews the leases, so that bodies that block every thread
    /// of the runtime cost no operation its lease. Only where tokio's clock is paused, as in tests
    /// with `start_paused`, does the runtime itself renew them.
    ///
    /// # Errors
    ///
    /// If no method is hosted, a method is hosted twice, the name of a [remote](Self::remote) is not valid or used twice, [`only_methods`](Self::only_methods) names a method that
    /// no host has, a method declares `promise`, `lifetime` or `steps` and the store keeps no steps, or the
    /// thread cannot be created.
    pub async fn start(mut self) -> Result<Worker, WorkerBuildError> {
        if let Some(only) = &self.only {
            let stranger = only
                .iter()
                .find(|path| !self.methods.iter().any(|it| it.path == **path));
            if let Some(path) = stranger {
                return Err(WorkerBuildError::not_hosted(path));
            }
            self.methods
                .retain(|it| only.iter().any(|path| it.path == *path));
        }
        if self.methods.is_empty() {
            return Err(WorkerBuildError::nothing_hosted());
        }
        let watches = self.watches()?;
        let limits = self
            .methods
            .iter()
            .map(|method| (method.path, method.options.concurrency));
        let slots = Slots::new(self.concurrency, limits);
        let store = self.operations.engine().store();
        if !store.keeps_steps() {
            let mut methods = self.methods.iter();
            let needs = methods.find_map(|it| Some((it.path, it.options.needs_steps()?)));
            if let Some((path, option)) = needs {
                return Err(WorkerBuildError::no_steps(
                    path,
                    option,
                    format!("{store:?}"),
                ));
            }
        }
        let mut methods = HashMap::new();
        for method in self.methods {
            let path = method.path;
            self.operations.learn_options(path, &method.options);
            if methods.insert(path, method).is_some() {
                return Err(WorkerBuildError::hosted_twice(path));
            }
        }
        let watches = match watches {
            Some(watches) => Some(Box::new(Box::pin(watches.start()).await?)),
            None => None,
        };
        self.settings.max_deleted_runs = self.concurrency;
        let slots_total = self.concurrency;
        let place = match self.settings.run_on.clone() {
            Some(executor) => Place::Simulated(executor),
            None => Place::Runtime(Handle::current()),
        };
        let shared = Arc::new(Shared {
            id: WorkerId::from_uuid(Uuid::new_v4()),
            engine: self.operations.engine().clone(),
            methods,
            slots,
            runs: Arc::new(Runs::default()),
            quarantine: Quarantine::default(),
            settings: self.settings,
            claim_now: Notify::new(),
            renew_now: Notify::new(),
            metadata_set: Arc::new(Notify::new()),
            draining: CancellationToken::new(),
            stopping: CancellationToken::new(),
            tasks: TaskTracker::new(),
            place,
            probe: Probe::new(),
            renewals_ended: CancellationToken::new(),
            lost_runs: LostRuns::default(),
        });
        let renewals = lease_thread::start(&shared).await;
        renewals.map_err(WorkerBuildError::no_thread)?;
        let worker: Arc<dyn LocalWorker> = shared.clone();
        let workers = self.operations.engine().workers();
        workers.register(Arc::downgrade(&worker));
        self.operations.engine().watch_backlog();
        let mut hosted: Vec<_> = shared.methods.keys().collect();
        hosted.sort_unstable();
        tracing::info!(methods = ?hosted, slots = slots_total, "worker started");
        shared.place.spawn(claim::keep_claiming(shared.clone()));
        shared.place.spawn(retention::keep_purging(shared.clone()));
        Ok(Worker { shared, watches })
    }
}
