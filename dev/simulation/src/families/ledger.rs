//! The calls of the bodies of families, and checkers that see them while they are made.

use std::collections::{BTreeMap, BTreeSet};

/// The calls of all bodies of families.
#[derive(Debug, Default)]
pub(crate) struct FamilyLedger {
    /// By operation.
    pub(super) operations: BTreeMap<String, Operation>,
    /// The operation and the step that each request id was made for.
    request_ids: BTreeMap<String, (String, String)>,
    /// The claims of runs that only undo.
    condemned: BTreeSet<(String, u64)>,
    pub(super) wrong: Vec<(&'static str, String)>,
}

/// The calls of the bodies of one operation.
#[derive(Debug, Default)]
pub(super) struct Operation {
    pub(super) sagas: BTreeMap<String, SagaNotes>,
    requests: BTreeMap<String, String>,
    /// The sums that children have given to the body.
    pub(super) answers: BTreeMap<String, u64>,
}

/// One saga.
#[derive(Debug, Default)]
pub(super) struct SagaNotes {
    pub(super) steps: BTreeMap<String, StepNotes>,
    /// Whether a run has got its response.
    pub(super) is_kept: bool,
}

/// One step with an undo.
#[derive(Debug, Default)]
pub(super) struct StepNotes {
    /// Whether the block has called it.
    is_called: bool,
    /// When its closure began: first and last.
    begun: Option<(u64, u64)>,
    /// When the block first had its response, in which run, and the response.
    passed: Option<(u64, u64, u64)>,
    pub(super) undos: Vec<Undo>,
}

/// One run of the closure that undoes a step.
#[derive(Debug)]
pub(super) struct Undo {
    pub(super) fence: u64,
    /// When it ended, and whether it has succeeded.
    pub(super) ended: Option<(u64, bool)>,
    is_recorded: bool,
}

/// A place in a body.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place<'a> {
    pub(super) operation: &'a str,
    pub(super) fence: u64,
    pub(super) saga: &'a str,
    pub(super) step: &'a str,
}

impl FamilyLedger {
    /// A run was claimed that only undoes.
    pub(crate) fn condemned(&mut self, operation: &str, fence: u64) {
        self.condemned.insert((operation.to_owned(), fence));
    }

    fn wrong(&mut self, checker: &'static str, what: String) {
        self.wrong.push((checker, what));
    }

    fn operation(&mut self, name: &str) -> &mut Operation {
        self.operations.entry(name.to_owned()).or_default()
    }

    pub(super) fn saga(&mut self, place: Place<'_>) -> &mut SagaNotes {
        let operation = self.operation(place.operation);
        operation.sagas.entry(place.saga.to_owned()).or_default()
    }

    fn step(&mut self, place: Place<'_>) -> &mut StepNotes {
        let saga = self.saga(place);
        saga.steps.entry(place.step.to_owned()).or_default()
    }

    /// The closure of any call begins, or the start of a child.
    pub(super) fn begins(&mut self, operation: &str, fence: u64, call: &str) {
        if self.condemned.contains(&(operation.to_owned(), fence)) {
            let what = format!("{operation} begins {call} in a run that only undoes");
            self.wrong("runs that undo begin nothing", what);
        }
    }

    /// A block calls a step.
    pub(super) fn calls(&mut self, place: Place<'_>) {
        self.step(place).is_called = true;
    }

    /// The closure of a step begins.
    pub(super) fn step_begins(&mut self, place: Place<'_>, now: u64) {
        self.begins(place.operation, place.fence, place.step);
        let step = self.step(place);
        let first = step.begun.map_or(now, |(first, _)| first);
        step.begun = Some((first, now));
    }

    /// The block has the response of a step.
    pub(super) fn step_passed(&mut self, place: Place<'_>, now: u64, value: u64) {
        let fence = place.fence;
        self.step(place).passed.get_or_insert((now, fence, value));
    }

    /// An undo begins. Returns its number.
    pub(super) fn undo_begins(&mut self, place: Place<'_>, got: Option<u64>) -> usize {
        let Place {
            operation,
            fence,
            step,
            ..
        } = place;
        let saga = self.saga(place);
        // Those that this run has undone are recorded, or it would not continue.
        saga.undone_by(fence, Some(step));
        let own = saga.steps.entry(step.to_owned()).or_default();
        let mut wrong = Vec::new();
        let of = |what: &str| format!("{operation}: the undo of {step} {what}");
        if !own.is_called {
            wrong.push(("undo what was reached", of("was not reached")));
        }
        let is_repeated = |undo: &Undo| undo.is_recorded && undo.fence < fence;
        if own.undos.iter().any(is_repeated) {
            wrong.push(("recorded undos are not repeated", of("is recorded")));
        }
        match (own.passed, got) {
            (Some((_, passed, _)), None) if passed <= fence => {
                wrong.push(("undos get the response", of("gets no response")));
            }
            (Some((.., value)), Some(got)) if value != got => {
                wrong.push(("undos get the response", of("gets another response")));
            }
            _ => {}
        }
        let passed = own.passed.map(|(at, ..)| at);
        own.undos.push(Undo {
            fence,
            ended: None,
            is_recorded: false,
        });
        let number = own.undos.len() - 1;
        for (name, other) in saga.steps.iter().filter(|(name, _)| *name != step) {
            let newer = passed.zip(other.begun);
            let is_newer = newer.is_some_and(|(passed, (begun, _))| passed < begun);
            if is_newer && !other.is_undone() {
                let what = of(&format!("begins before that of {name}, which is newer"));
                wrong.push(("undo the newest first", what));
            }
            let is_under_way = |undo: &Undo| undo.fence == fence && undo.ended.is_none();
            if other.undos.iter().any(is_under_way) {
                let what = of(&format!("begins beside that of {name}"));
                wrong.push(("undo one at a time", what));
            }
        }
        self.wrong.extend(wrong);
        number
    }

    /// An undo has ended.
    pub(super) fn undo_ends(&mut self, place: Place<'_>, number: usize, end: (u64, bool)) {
        if let Some(undo) = self.step(place).undos.get_mut(number) {
            undo.ended = Some(end);
        }
    }

    /// The saga has returned to the body.
    pub(super) fn saga_returns(&mut self, place: Place<'_>, is_ok: bool) {
        let fence = place.fence;
        let saga = self.saga(place);
        saga.is_kept |= is_ok;
        if !is_ok {
            saga.undone_by(fence, None);
            return;
        }
        let mut undos = saga.steps.values().flat_map(|step| &step.undos);
        if undos.any(|undo| undo.fence <= fence) {
            let what = format!(
                "{}: saga {} was undone, and succeeds",
                place.operation, place.saga
            );
            self.wrong("undone sagas do not succeed", what);
        }
    }

    /// The store is asked to start a child with this request id.
    pub(crate) fn child_starts(&mut self, operation: &str, step: &str, request_id: &str) {
        let own = (operation.to_owned(), step.to_owned());
        let requests = &mut self.operation(operation).requests;
        let known = requests.entry(step.to_owned());
        if known.or_insert(request_id.to_owned()) != request_id {
            let what = format!("{operation} starts {step} with another one");
            self.wrong("one request id for each child", what);
        }
        let first = self.request_ids.entry(request_id.to_owned());
        let first = first.or_insert(own.clone()).clone();
        if first != own {
            let what = format!("{own:?} has that of {first:?}");
            self.wrong("one request id for each child", what);
        }
    }

    /// A child has given this sum to the body.
    pub(super) fn child_passed(&mut self, place: Place<'_>, sum: u64) {
        let answers = &mut self.operation(place.operation).answers;
        let first = *answers.entry(place.step.to_owned()).or_insert(sum);
        if first != sum {
            let what = format!(
                "{} got {sum} of {}, and {first} before",
                place.operation, place.step
            );
            self.wrong("every run gets the same", what);
        }
    }
}

impl SagaNotes {
    /// The undos of this run that have succeeded are recorded, but for that of a step.
    fn undone_by(&mut self, fence: u64, but: Option<&str>) {
        let others = self.steps.iter_mut();
        let others = others.filter(|(name, _)| Some(name.as_str()) != but);
        for undo in others.flat_map(|(_, step)| &mut step.undos) {
            undo.is_recorded |= undo.fence == fence && undo.is_done();
        }
    }
}

impl StepNotes {
    /// Whether an undo has succeeded.
    fn is_undone(&self) -> bool {
        self.undos.iter().any(Undo::is_done)
    }

    /// Whether its closure has begun, and no undo has succeeded: after the last time that it began, unless runs
    /// that have lost the operation may continue.
    pub(super) fn is_left(&self, may_continue: bool) -> bool {
        let Some((_, last)) = self.begun else {
            return false;
        };
        let undone = self.undos.iter().filter(|undo| undo.is_done());
        let mut ends = undone.filter_map(|undo| undo.ended);
        !ends.any(|(ended, _)| may_continue || ended > last)
    }
}

impl Undo {
    fn is_done(&self) -> bool {
        self.ended.is_some_and(|(_, is_ok)| is_ok)
    }
}
