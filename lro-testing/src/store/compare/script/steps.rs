//! Steps of bodies, over few keys.

use std::time::Duration;

use lro_core::Timestamp;
use lro_core::store::{Command, StepKey, StepKind, StepOutcome, StepWake, StepWrite};

use super::Script;
use crate::store::build::failure;

/// Mostly of one kind each, so that few writes are refused.
const KEYS: [(&str, StepKind); 12] = [
    ("a", StepKind::Step),
    ("b", StepKind::Step),
    ("c", StepKind::Step),
    ("d/e", StepKind::Step),
    ("d/f", StepKind::Step),
    ("d/f#2", StepKind::Step),
    ("p", StepKind::Promise),
    ("q", StepKind::Promise),
    ("night", StepKind::Sleep),
    ("first", StepKind::First),
    ("v2", StepKind::Introduced),
    ("saga", StepKind::Saga),
];

impl Script {
    /// A command that concerns steps, and those that come with it.
    pub(super) fn with_steps(&mut self, fence: u64) -> (Command, Vec<StepWrite>) {
        let metadata = self.maybe_any();
        let command = match self.random.below(100) {
            0..65 => Command::Record { fence, metadata },
            65..72 => Command::Suspend {
                fence,
                waits: (0..self.random.below(3)).map(|_| self.key().0).collect(),
                ready_by: None,
                metadata,
            },
            72..76 => Command::Block {
                fence,
                message: "it does not fit".to_owned(),
                delay: Duration::from_secs(self.random.pick(&[0, 1, 40])),
                ready_by: None,
                metadata,
            },
            76..82 => Command::Renew {
                fence,
                lease_duration: self.lease_duration(),
                metadata,
            },
            82..86 => Command::Finish {
                fence,
                outcome: self.outcome(),
                metadata,
            },
            86..90 => Command::CheckpointAndForget {
                fence,
                epoch: self.random.pick(&[1, 1, 1, 2]),
                lease_duration: self.lease_duration(),
                checkpoint: self.any(),
                asked: Vec::new(),
                metadata,
            },
            90..97 => {
                let key = self.random.pick(&["p", "q", "z"]);
                let command = Command::Complete {
                    key: key_of(key),
                    outcome: self.step_outcome(),
                };
                return (command, Vec::new());
            }
            _ => {
                let keys = vec![self.key().0];
                return (Command::ForgetSteps { keys }, Vec::new());
            }
        };
        let writes = (0..self.random.below(4)).map(|_| self.write()).collect();
        (command, writes)
    }

    fn write(&mut self) -> StepWrite {
        let (key, kind) = self.key();
        let ago = self.random.pick(&[0, 1, 2_000_000, u64::MAX]);
        let wake = match self.random.below(6) {
            0 => {
                let after = self.random.pick(&[0, 3_000_000, u64::MAX]);
                Some(StepWake::After(Duration::from_micros(after)))
            }
            1 => {
                let at =
                    crate::ManualClock::START.as_micros() + self.random.below(9_000_000) as i64;
                Some(StepWake::At(Timestamp::from_micros(at)))
            }
            _ => None,
        };
        StepWrite {
            attempt: self.random.below(3) as u32,
            sequential: self.random.percent(50),
            begun_ago: Duration::from_micros(ago),
            wake,
            outcome: self.random.percent(60).then(|| self.step_outcome()),
            last_error: self.random.percent(20).then(|| failure(14)),
            ..StepWrite::begun(key, kind)
        }
    }

    fn key(&mut self) -> (StepKey, StepKind) {
        let (key, kind) = self.random.pick(&KEYS);
        let kind = match self.random.percent(3) {
            true => StepKind::Step,
            false => kind,
        };
        (key_of(key), kind)
    }

    fn step_outcome(&mut self) -> StepOutcome {
        match self.random.below(5) {
            0 => StepOutcome::Error(failure(self.random.pick(&[0, 5]))),
            1 => StepOutcome::Abandoned,
            _ => StepOutcome::Response(self.any()),
        }
    }
}

fn key_of(key: &str) -> StepKey {
    key.parse().unwrap()
}
