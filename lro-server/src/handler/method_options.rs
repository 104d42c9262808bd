//! The options of a method: how its operations are run.

use std::time::Duration;

use lro_core::store::{ExecutionPolicy, OnCrash};
use prost::Name;

use crate::steps::{DeclaredPromise, StepOrder};

/// The treatment of a running operation that a caller deletes.
///
/// ```
/// use lro_server::registration::MethodOptions;
/// use lro_server::OnDelete;
///
/// let options = MethodOptions::new().on_delete(OnDelete::Cancel);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum OnDelete {
    /// The body continues, as AIP-151 says: a deletion is no cancellation. It releases its slot. A
    /// worker runs as many such bodies as its `concurrency`; beyond that, it cancels the one that
    /// was deleted first. Callers can still cancel the operation by its name.
    #[default]
    Continue,
    /// The worker also cancels the operation.
    Cancel,
}

/// How the operations of one method are run: the arguments of `#[long_running]` on the method.
///
/// ```
/// use std::time::Duration;
/// use lro_server::registration::MethodOptions;
///
/// let options = MethodOptions::new().timeout(Duration::from_secs(600)).max_attempts(3);
/// # assert_ne!(options, MethodOptions::new());
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MethodOptions {
    pub(crate) timeout: Option<Duration>,
    pub(crate) cancel_grace: Duration,
    pub(crate) concurrency: Option<usize>,
    pub(crate) standard_fields: bool,
    pub(crate) on_delete: OnDelete,
    pub(crate) policy: ExecutionPolicy,
    pub(crate) lifetime: Option<Duration>,
    pub(crate) promises: Vec<DeclaredPromise>,
    pub(crate) step_order: StepOrder,
}

impl MethodOptions {
    /// The defaults: no timeout, no grace period, no concurrency limit of its own, standard fields
    /// filled in, and [`ExecutionPolicy::default`].
    pub fn new() -> Self {
        Self {
            timeout: None,
            cancel_grace: Duration::ZERO,
            concurrency: None,
            standard_fields: true,
            on_delete: OnDelete::Continue,
            policy: ExecutionPolicy::default(),
            lifetime: None,
            promises: Vec::new(),
            step_order: StepOrder::Strict,
        }
    }

    /// The maximum duration of one run of the body. After that, the worker drops its future, and
    /// the operation fails with DEADLINE_EXCEEDED.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }

    /// The longest time from the start of an operation to its end, with all runs, pauses and waits. After
    /// it the operation fails with DEADLINE_EXCEEDED: at once if its body runs, or when its wait ends, which is
    /// then at the latest. Needs a store that keeps steps.
    #[must_use]
    pub fn lifetime(mut self, lifetime: Duration) -> Self {
        self.lifetime = Some(lifetime);
        self
    }

    /// Declares a [promise](crate::OperationContext::promise) of the body, and the type of its value.
    /// [`Operations::complete`](crate::Operations::complete) refuses other names and types, in processes
    /// that host the method. Without a declaration it takes all. Needs a store that keeps steps.
    #[must_use]
    pub fn promise<T: Name>(mut self, name: &'static str) -> Self {
        self.promises.push(DeclaredPromise {
            name,
            type_name: T::full_name(),
        });
        self
    }

    /// Whether a run of the body may make a new durable call before it has reached all recorded ones.
    /// Default: [`StepOrder::Strict`].
    #[must_use]
    pub fn step_order(mut self, step_order: StepOrder) -> Self {
        self.step_order = step_order;
        self
    }

    /// Which of the options needs a store that keeps steps.
    pub(crate) fn needs_steps(&self) -> Option<&'static str> {
        match self {
            Self { promises, .. } if !promises.is_empty() => Some("promise"),
            Self {
                lifetime: Some(_), ..
            } => Some("lifetime"),
            Self {
                step_order: StepOrder::ByName,
                ..
            } => Some("steps"),
            _ => None,
        }
    }

    /// The maximum number of runs of the body, including crashes and retries; at least 1.
    #[must_use]
    pub fn max_attempts(mut self, max_attempts: u32) -> Self {
        self.policy.max_attempts = max_attempts.max(1);
        self
    }

    /// The treatment of an operation whose worker is lost.
    #[must_use]
    pub fn on_crash(mut self, on_crash: OnCrash) -> Self {
        self.policy.on_crash = on_crash;
        self
    }

    /// The treatment of a running operation that is deleted. Default: [`OnDelete::Continue`].
    #[must_use]
    pub fn on_delete(mut self, on_delete: OnDelete) -> Self {
        self.on_delete = on_delete;
        self
    }

    /// How long a cancelled body may continue, to clean up, before its future is dropped.
    #[must_use]
    pub fn cancel_grace(mut self, cancel_grace: Duration) -> Self {
        self.cancel_grace = cancel_grace;
        self
    }

    /// How long an operation is kept after its end.
    #[must_use]
    pub fn retain(mut self, retain: Duration) -> Self {
        self.policy.retain = retain;
        self
    }

    /// The maximum number of bodies of this method that one worker runs at a time.
    #[must_use]
    pub fn concurrency(mut self, concurrency: usize) -> Self {
        self.concurrency = Some(concurrency.max(1));
        self
    }

    /// Whether the engine handles the standard fields: `request_id` and `validate_only` in the
    /// request; times, verb, target, API version and the cancellation flag in the metadata.
    #[must_use]
    pub fn standard_fields(mut self, standard_fields: bool) -> Self {
        self.standard_fields = standard_fields;
        self
    }
}

impl Default for MethodOptions {
    fn default() -> Self {
        Self::new()
    }
}
