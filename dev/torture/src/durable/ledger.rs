//! The audit of the effects.

use std::collections::{BTreeMap, BTreeSet};

use super::body::{IN_SEQUENCE, SIDE_BY_SIDE, SLEEP};

/// The result of an audit.
#[derive(Debug, Default)]
pub(super) struct Audit {
    pub(super) faults: Vec<String>,
    /// The number of effects, and of those that were repeated.
    pub(super) effects: u64,
    pub(super) repeated: u64,
    /// The number of results that a later run got again.
    pub(super) replayed: u64,
}

/// The lines of one call of one operation.
#[derive(Default)]
struct Call {
    effects: BTreeSet<u64>,
    passed: Option<u64>,
    begun: Option<u64>,
    ended: bool,
}

/// Compares the lines with the guarantees of steps: every run gets the same result, no effect
/// follows it, and no sleep ends early. The operations of these ids have ended.
pub(super) fn audit(text: &str, ids: &[String]) -> Audit {
    let mut audit = Audit::default();
    let mut calls: BTreeMap<(&str, &str), Call> = BTreeMap::new();
    for line in text.lines() {
        let mut words = line.split(' ');
        let (Some(what), Some(id), Some(name), Some(value)) =
            (words.next(), words.next(), words.next(), words.next())
        else {
            audit.faults.push(format!("a line is torn: {line:?}"));
            continue;
        };
        let value = value.parse().unwrap_or_default();
        let call = calls.entry((id, name)).or_default();
        audit.line(call, what, &format!("{name} of {id}"), value);
    }
    for id in ids {
        let in_sequence = (0..IN_SEQUENCE).map(|number| format!("step/{number}"));
        let side_by_side = (0..SIDE_BY_SIDE).map(|number| format!("side/{number}"));
        for name in in_sequence.chain(side_by_side) {
            let call = calls.get(&(&**id, &*name));
            if call.is_none_or(|call| call.passed.is_none()) {
                audit.faults.push(format!("{id} ended without {name}"));
            }
        }
        if calls.get(&(&**id, "sleep")).is_none_or(|call| !call.ended) {
            audit.faults.push(format!("{id} ended without its sleep"));
        }
    }
    audit
}

impl Audit {
    fn line(&mut self, call: &mut Call, what: &str, name: &str, value: u64) {
        match what {
            "effect" => {
                self.effects += 1;
                self.repeated += u64::from(!call.effects.is_empty());
                if call.passed.is_some() {
                    self.faults
                        .push(format!("{name} has an effect after its result"));
                }
                call.effects.insert(value);
            }
            "pass" => {
                self.replayed += u64::from(call.passed.is_some());
                if !call.effects.contains(&value) {
                    self.faults
                        .push(format!("{name} has the result of no effect"));
                }
                if call.passed.is_some_and(|passed| passed != value) {
                    self.faults.push(format!("{name} has two results"));
                }
                call.passed = Some(value);
            }
            "begin" => {
                call.begun.get_or_insert(value);
            }
            "end" => {
                let least = u64::try_from(SLEEP.as_micros()).unwrap_or(u64::MAX);
                if call.begun.is_none_or(|begun| value < begun + least) {
                    self.faults.push(format!("{name} ended early"));
                }
                call.ended = true;
            }
            other => self.faults.push(format!("{name}: {other:?} is unknown")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The lines of an operation that one run has finished.
    fn whole() -> String {
        let mut lines = String::new();
        let steps = (0..IN_SEQUENCE).map(|it| format!("step/{it}"));
        for name in steps.chain((0..SIDE_BY_SIDE).map(|it| format!("side/{it}"))) {
            lines += &format!("effect d1 {name} 7\npass d1 {name} 7\n");
        }
        lines + "begin d1 sleep 1000000\nend d1 sleep 2200000\n"
    }

    fn faults(text: &str) -> Vec<String> {
        audit(text, &["d1".to_owned()]).faults
    }

    #[test]
    fn a_whole_ledger_has_no_fault() {
        assert!(faults(&whole()).is_empty());
        let again = format!("effect d1 step/0 3\n{}pass d1 step/0 7\n", whole());
        let audit = audit(&again, &["d1".to_owned()]);
        assert!(audit.faults.is_empty(), "{audit:?}");
        assert_eq!((audit.repeated, audit.replayed), (1, 1));
    }

    #[test]
    fn every_kind_of_fault_is_found() {
        let found = |text: String, what: &str| {
            let faults = faults(&text);
            assert!(
                faults.iter().any(|it| it.contains(what)),
                "{what}: {faults:?}"
            );
        };
        found(whole() + "effect d1 step/0 8\n", "after its result");
        found(
            whole() + "effect d1 step/0 8\npass d1 step/0 8\n",
            "two results",
        );
        found(whole() + "pass d1 step/0 9\n", "no effect");
        found(whole().replace("2200000", "2100000"), "ended early");
        found(whole().replace("pass d1 side/1 7\n", ""), "without side/1");
        found(
            whole().replace("end d1 sleep 2200000\n", ""),
            "without its sleep",
        );
        found(whole() + "effect d1", "torn");
    }
}
