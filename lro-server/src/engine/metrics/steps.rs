//! The instruments of durable calls.

use std::time::Duration;

use lro_core::Timestamp;
use lro_core::store::{
    Change, Command, OperationRecord, Refusal, StepKind, StepOutcome, Update, Updated,
};
use opentelemetry::KeyValue;
use opentelemetry::metrics::{Counter, Histogram, Meter};

use super::recorder::LIFE_BOUNDS;

/// The bounds of numbers of rows.
const ROW_BOUNDS: [f64; 7] = [1.0, 10.0, 30.0, 100.0, 300.0, 1_000.0, 10_000.0];

pub(super) struct StepInstruments {
    steps: Counter<u64>,
    duration: Histogram<f64>,
    suspended: Counter<u64>,
    blocked: Counter<u64>,
    replay_rows: Histogram<u64>,
    wake_delay: Histogram<f64>,
}

impl StepInstruments {
    pub(super) fn new(meter: &Meter) -> Self {
        let counter = |name, unit: &'static str, what: &'static str| {
            let builder = meter.u64_counter(name);
            builder.with_unit(unit).with_description(what).build()
        };
        let seconds = |name, what: &'static str| {
            let builder = meter.f64_histogram(name).with_unit("s");
            let builder = builder.with_boundaries(LIFE_BOUNDS.to_vec());
            builder.with_description(what).build()
        };
        Self {
            steps: counter(
                "lro.steps",
                "{step}",
                "Durable calls that were recorded as ended, by kind and outcome.",
            ),
            duration: seconds(
                "lro.step.duration",
                "From when a run made the call of a step to its record.",
            ),
            suspended: counter(
                "lro.suspended",
                "{operation}",
                "Runs that ended because their bodies only waited.",
            ),
            blocked: counter(
                "lro.operations.blocked",
                "{attempt}",
                "Runs that ended because the code did not fit the recorded steps.",
            ),
            replay_rows: meter
                .u64_histogram("lro.replay.rows")
                .with_unit("{step}")
                .with_boundaries(ROW_BOUNDS.to_vec())
                .with_description("Recorded steps that a run began with, if any.")
                .build(),
            wake_delay: seconds(
                "lro.wake.delay",
                "From the end of a timer, or of one of several waits, to the next run.",
            ),
        }
    }

    /// The store has answered updates that end durable calls.
    pub(super) fn ended(&self, ends: &Ends, answers: &[Result<Updated, Refusal>]) {
        for end in &ends.0 {
            let answer = answers.get(end.update);
            let is_new = |updated: &Updated| updated.change != Change::Nothing;
            if !answer.is_some_and(|it| it.as_ref().is_ok_and(is_new)) {
                continue;
            }
            let attributes = [
                KeyValue::new("lro.step.kind", kind(end.kind)),
                KeyValue::new("lro.step.outcome", end.outcome),
            ];
            self.steps.add(1, &attributes);
            if let (StepKind::Step | StepKind::SagaStep | StepKind::Undo, Some(took)) =
                (end.kind, end.took)
            {
                self.duration.record(took.as_secs_f64(), &attributes[1..]);
            }
        }
    }

    /// A run has ended with this command.
    pub(super) fn written(&self, command: &Command, method: &[KeyValue]) {
        match command {
            Command::Suspend { .. } => self.suspended.add(1, method),
            Command::Block { .. } => self.blocked.add(1, method),
            _ => {}
        }
    }

    /// A run begins with what earlier ones have recorded.
    pub(super) fn resumed(
        &self,
        record: &OperationRecord,
        claimed: Timestamp,
        method: &[KeyValue],
    ) {
        let Some(steps) = &record.steps else {
            return;
        };
        if steps.rows > 0 {
            self.replay_rows.record(steps.rows.into(), method);
        }
        if !steps.waits.is_empty() {
            let delay = claimed.since(record.ready_time).as_secs_f64();
            self.wake_delay.record(delay, method);
        }
    }
}

/// The durable calls that updates end.
pub(super) struct Ends(Vec<End>);

struct End {
    /// The place of the update among those of the call.
    update: usize,
    kind: StepKind,
    outcome: &'static str,
    took: Option<Duration>,
}

impl Ends {
    pub(super) fn of(updates: &[Update]) -> Self {
        let mut ends = Vec::new();
        for (at, update) in updates.iter().enumerate() {
            if let Command::Complete { outcome, .. } = &update.command {
                ends.push(End {
                    update: at,
                    kind: StepKind::Promise,
                    outcome: word(outcome),
                    took: None,
                });
            }
            for step in &update.steps {
                if let Some(outcome) = &step.outcome {
                    ends.push(End {
                        update: at,
                        kind: step.kind,
                        outcome: word(outcome),
                        took: Some(step.begun_ago),
                    });
                }
            }
        }
        Self(ends)
    }
}

fn word(outcome: &StepOutcome) -> &'static str {
    match outcome {
        StepOutcome::Response(_) => "response",
        StepOutcome::Error(_) => "error",
        _ => "abandoned",
    }
}

fn kind(kind: StepKind) -> &'static str {
    match kind {
        StepKind::Step => "step",
        StepKind::Sleep => "sleep",
        StepKind::Promise => "promise",
        StepKind::First => "first",
        StepKind::Introduced => "introduced",
        StepKind::Saga => "saga",
        StepKind::SagaStep => "saga_step",
        StepKind::Undo => "undo",
        StepKind::Child => "child",
        StepKind::SagaChild => "saga_child",
        _ => "other",
    }
}
