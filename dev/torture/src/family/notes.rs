//! The notes of families, read in the order in which they were made.

use std::collections::{BTreeMap, BTreeSet};

/// The notes on all operations, by id.
#[derive(Debug, Default)]
pub(super) struct Notes {
    pub(super) lives: BTreeMap<String, Life>,
    pub(super) faults: Vec<String>,
    pub(super) effects: u64,
    /// Effects that were repeated, because a kill came before their record.
    pub(super) repeated: u64,
    /// Results that a later run has got again.
    pub(super) replayed: u64,
    pub(super) undos: u64,
}

/// The notes on one operation.
#[derive(Debug, Default)]
pub(super) struct Life {
    pub(super) calls: BTreeMap<String, Call>,
    /// The undone calls, in order, and what each undo was given. An undo that follows itself was interrupted.
    pub(super) undone: Vec<(String, u64)>,
    /// The processes that have run it.
    pub(super) processes: BTreeSet<String>,
    pub(super) runs: u64,
}

/// The notes on one call.
#[derive(Debug, Default)]
pub(super) struct Call {
    pub(super) effects: BTreeSet<u64>,
    pub(super) passed: Option<u64>,
    request_id: Option<String>,
    /// The name of the child.
    pub(super) started: Option<String>,
    /// The process that has started the child.
    pub(super) started_by: Option<String>,
}

impl Notes {
    pub(super) fn read(text: &str) -> Self {
        let mut notes = Self::default();
        for line in text.lines() {
            let words: Vec<_> = line.split(' ').collect();
            let [what, id, call, value, process] = *words else {
                notes.faults.push(format!("a line is torn: {line:?}"));
                continue;
            };
            let mut life = notes.lives.remove(id).unwrap_or_default();
            notes.line(&mut life, (what, id, call), value, process);
            notes.lives.insert(id.to_owned(), life);
        }
        notes
    }

    fn line(
        &mut self,
        life: &mut Life,
        (what, id, name): (&str, &str, &str),
        value: &str,
        process: &str,
    ) {
        let number: u64 = value.parse().unwrap_or_default();
        let mut fault = |what: String| self.faults.push(format!("{name} of {id} {what}"));
        let is_undone = !life.undone.is_empty();
        if what == "run" {
            life.processes.insert(process.to_owned());
            life.runs += 1;
            return;
        }
        if what == "undo" {
            self.undos += 1;
            let before = life.undone.iter().position(|(call, _)| call == name);
            match before {
                None => life.undone.push((name.to_owned(), number)),
                Some(at) if at + 1 == life.undone.len() => life.undone[at].1 = number,
                Some(_) => fault("is undone again after the undo of another".to_owned()),
            }
            return;
        }
        let call = life.calls.entry(name.to_owned()).or_default();
        match what {
            "effect" => {
                self.effects += 1;
                self.repeated += u64::from(!call.effects.is_empty());
                call.effects.insert(number);
                if call.passed.is_some() {
                    fault("has an effect after its result".to_owned());
                }
                if is_undone {
                    fault("has an effect after an undo".to_owned());
                }
            }
            "ask" => {
                self.effects += 1;
                self.repeated += u64::from(call.request_id.is_some());
                let first = call.request_id.get_or_insert_with(|| value.to_owned());
                if first != value {
                    fault(format!("has the request ids {first} and {value}"));
                }
                if call.started.is_some() || call.passed.is_some() {
                    fault("is started again after it was".to_owned());
                }
                if is_undone {
                    fault("is started after an undo".to_owned());
                }
            }
            "start" => {
                let first = call.started.get_or_insert_with(|| value.to_owned());
                if first != value {
                    fault(format!("has started {first} and {value}"));
                }
                call.started_by = Some(process.to_owned());
            }
            "pass" => {
                self.replayed += u64::from(call.passed.is_some());
                if call.passed.is_some_and(|passed| passed != number) {
                    fault("has two results".to_owned());
                }
                call.passed = Some(number);
                if !call.effects.contains(&number) && call.request_id.is_none() {
                    fault("has the result of no effect".to_owned());
                }
            }
            other => fault(format!("has the unknown note {other:?}")),
        }
    }
}
