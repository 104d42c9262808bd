//! The bugs that can be planted.

macro_rules! bugs {
    ($($(#[doc = $doc:literal])+ $name:ident,)+) => {
        /// A bug of the store, of the way to it, or of a worker's settings, to show that it is found.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Bug {
            $($(#[doc = $doc])+ $name,)+
        }

        impl Bug {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$name,)+];

            /// A description of the bug.
            pub fn about(self) -> &'static str {
                match self { $(Self::$name => concat!($($doc,)+).trim_ascii_start(),)+ }
            }
        }
    };
}

bugs! {
    /// A write by a worker that lost the operation is accepted.
    NoFenceCheck,
    /// A write by the holder of a former operation of the same name is accepted.
    UidIgnored,
    /// The end of an operation is acknowledged and then lost, now and then.
    AcknowledgedNotApplied,
    /// A claim gives an operation that another worker holds.
    DoubleClaim,
    /// The event of an operation's end is lost.
    LostEvent,
    /// Events come five seconds late.
    LateEvent,
    /// Events come before the commit.
    EventBeforeCommit,
    /// The end of an operation is published with its record before the commit.
    EndBeforeCommit,
    /// Leases are ended by a clock that is ahead.
    ExpiryByWrongClock,
    /// The end of an operation that has ended replaces the first end.
    FinishOverwrites,
    /// A cancellation is acknowledged and forgotten.
    CancelForgotten,
    /// A request id is accepted but not kept.
    RequestIdNotIndexed,
    /// A request id is kept but its fingerprint is not compared.
    FingerprintIgnored,
    /// An exclusive key is accepted but not kept.
    ExclusiveKeyNotKept,
    /// A checkpoint is acknowledged and not kept.
    CheckpointDropped,
    /// Older metadata is written over newer.
    MetadataReordered,
    /// Deleting an operation cancels it.
    DeleteCancels,
    /// Purging removes operations that run.
    PurgeOfRunning,
    /// Operations are purged before their time.
    PurgeTooEarly,
    /// Giving an operation back counts as an attempt.
    ReleaseCounts,
    /// Giving an operation back is acknowledged and not done.
    ReleaseLost,
    /// A renewal is acknowledged after the operation was lost.
    RenewRevives,
    /// A renewal is acknowledged and does not extend the lease.
    RenewForgotten,
    /// A start is acknowledged and not kept, now and then.
    StartNotDurable,
    /// A list skips an operation between two pages.
    ListSkips,
    /// A list gives an operation on two pages.
    ListRepeats,
    /// A read gives an older state.
    StaleRead,
    /// The pause before another attempt is forgotten.
    RetryPauseForgotten,
    /// A scheduled start is run at once.
    ScheduleForgotten,
    /// Only the first half of a batch is done, all of it is acknowledged.
    HalfABatch,
    /// The limit of attempts is not kept.
    AttemptsUnlimited,
    /// Leases never end.
    LeaseNeverEnds,
    /// Workers trust their lease for longer than it lasts.
    WorkerTrustsTooLong,
    /// A loss that operations share uses up an attempt of each.
    SharedLossesCount,
    /// The loss of a worker that ran one operation uses up no attempt.
    LoneLossesFree,
    /// Workers run suspects like other operations.
    SuspectsNotIsolated,
    /// Workers start operations that were lost twice together, as if they were lost once.
    TrialsTogether,
    /// Claims do not say that suspects wait, so that no worker becomes idle for them.
    SuspectsUnannounced,
    /// A worker that has just started treats suspects like other operations.
    QuarantineForgotten,
    /// The runtime of the bodies renews the leases.
    RenewalsOnRuntime,
    /// A runtime that polls nothing keeps its leases for ever.
    StallIgnored,
    /// A runtime loses its leases long before it counts as stalled.
    StallTooEarly,
    /// Claims expire leases at once after an outage of the store.
    ExpiryAfterOutage,
    /// The release of an operation whose lease has expired is refused.
    LateReleaseRefused,
    /// A step is acknowledged and not kept, now and then.
    StepNotKept,
    /// A step of a worker that lost the operation is recorded.
    StepFenceIgnored,
    /// The steps that a run begins with lack the newest one, now and then.
    NewestStepUnread,
    /// Two steps have changed their responses when they are read.
    StepsSwapped,
    /// A suspended operation is woken after half of its sleep.
    SleepsHalved,
    /// The request id of a child is another one in each run of its parent.
    RequestIdsDiffer,
    /// The step of a parent has an empty response in place of that of its child.
    ChildResultNotCopied,
    /// A child is stored before its step, which is lost now and then.
    ChildWithoutStep,
    /// The start of a child that its step has already starts another one.
    SecondChild,
    /// The end of a child does not end the step of its parent.
    EndOfChildLost,
    /// Children are not cancelled with their parents.
    ChildrenOutliveParents,
    /// Children that their parents leave are cancelled with their parents.
    LeftChildrenCancelled,
    /// Cancelling a suspended operation ends it at once, whatever it owes.
    CancelForgetsDebts,
    /// Claims do not tell that an operation was cancelled, or has a verdict.
    VerdictForgotten,
    /// The row that opens a saga is acknowledged and not kept.
    SagaNotOpened,
    /// The decision to undo is acknowledged and not kept.
    UndoDecisionNotKept,
    /// The undo of a step is acknowledged and not kept.
    UndoNotKept,
    /// The order of the steps of sagas is reversed when they are read.
    UndoOldestFirst,
    /// Workers do not suspend bodies that wait.
    NeverSuspended,
}

/// The kind of a run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Scenario {
    /// Clients, faults of links and nodes, clocks.
    #[default]
    Faults,
    /// Bodies that kill their process.
    Deaths,
    /// Bodies that block the runtime of their worker.
    Stalls,
    /// Outages of the store that are longer than leases, without a death.
    Outages,
    /// Bodies of durable calls, under faults of links and nodes.
    Durable,
    /// Bodies with sagas and children, under faults, cancellations, timeouts and wrong clocks.
    Families,
}

impl Bug {
    /// The runs that have to find it.
    pub fn scenario(self) -> Scenario {
        match self {
            Self::SharedLossesCount
            | Self::LoneLossesFree
            | Self::SuspectsNotIsolated
            | Self::TrialsTogether
            | Self::SuspectsUnannounced
            | Self::QuarantineForgotten => Scenario::Deaths,
            Self::RenewalsOnRuntime | Self::StallIgnored | Self::StallTooEarly => Scenario::Stalls,
            Self::ExpiryAfterOutage | Self::LateReleaseRefused => Scenario::Outages,
            Self::StepNotKept
            | Self::StepFenceIgnored
            | Self::NewestStepUnread
            | Self::StepsSwapped
            | Self::SleepsHalved => Scenario::Durable,
            Self::RequestIdsDiffer
            | Self::ChildResultNotCopied
            | Self::ChildWithoutStep
            | Self::SecondChild
            | Self::EndOfChildLost
            | Self::ChildrenOutliveParents
            | Self::LeftChildrenCancelled
            | Self::CancelForgetsDebts
            | Self::VerdictForgotten
            | Self::SagaNotOpened
            | Self::UndoDecisionNotKept
            | Self::UndoNotKept
            | Self::UndoOldestFirst
            | Self::NeverSuspended => Scenario::Families,
            _ => Scenario::Faults,
        }
    }
}
