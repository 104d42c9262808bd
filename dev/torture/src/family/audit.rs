//! The audit of families: compares the database with the notes of the bodies.

use std::collections::BTreeMap;

use lro_core::pb::rpc::Status;
use prost::Message as _;
use prost_types::Any;
use tonic::Code;

use super::body::{CHILDREN, child_id};
use super::notes::{Life, Notes};
use super::plot::{ChildPlot, Plot};
use super::rows::{Found, OperationRow, StepRow};
use crate::journal::Seen;
use crate::pb::Raised;

/// The result of an audit.
#[derive(Debug, Default)]
pub struct Audit {
    /// The contradictions of a guarantee.
    pub faults: Vec<String>,
    /// Other counts.
    pub counts: BTreeMap<&'static str, u64>,
}

/// Audits families of which every operation must have ended. `acknowledged`: the names of parents whose start was
/// answered.
pub fn audit(ledger: &str, found: &Found, acknowledged: &[String]) -> Audit {
    let mut notes = Notes::read(ledger);
    let mut audit = Audit {
        faults: std::mem::take(&mut notes.faults),
        counts: BTreeMap::from([
            ("effects", notes.effects),
            ("effects that a kill repeated", notes.repeated),
            ("results passed again", notes.replayed),
            ("undos", notes.undos),
        ]),
    };
    let all = Families::new(found, &mut audit);
    for name in acknowledged {
        if !found.operations.iter().any(|it| it.name == *name) {
            audit.fault(name, "was acknowledged and is lost");
        }
    }
    let nothing = Life::default();
    for row in &found.operations {
        let life = notes.lives.get(&row.id).unwrap_or(&nothing);
        audit.operation(row, life, &all);
        audit.links(row, life, &all);
    }
    for step in &found.steps {
        audit.step(step, &all);
    }
    for (id, life) in &notes.lives {
        audit.count_life(id, life, &notes.lives);
    }
    audit
}

/// The operations of a database.
struct Families<'f> {
    by_id: BTreeMap<&'f str, &'f OperationRow>,
    by_uid: BTreeMap<&'f [u8], &'f OperationRow>,
    steps: BTreeMap<(&'f [u8], &'f str), &'f StepRow>,
}

impl<'f> Families<'f> {
    fn new(found: &'f Found, audit: &mut Audit) -> Self {
        let mut all = Self {
            by_id: BTreeMap::new(),
            by_uid: BTreeMap::new(),
            steps: BTreeMap::new(),
        };
        for row in &found.operations {
            all.by_uid.insert(&row.uid, row);
            if let Some(other) = all.by_id.insert(&row.id, row) {
                let twice = format!("was started as {} and {}", other.name, row.name);
                audit.fault(&row.id, &twice);
            }
        }
        for step in &found.steps {
            all.steps.insert((&step.uid, &step.key), step);
        }
        all
    }

    /// The sum that a child has made, if it has succeeded.
    fn made(&self, parent: &str, call: &str) -> Option<u64> {
        let child = self.by_id.get(&*child_id(parent, call))?;
        raised(child.result.as_ref()?)
    }
}

impl Audit {
    fn fault(&mut self, id: &str, what: &str) {
        self.faults.push(format!("{id} {what}"));
    }

    fn count(&mut self, what: &'static str) {
        *self.counts.entry(what).or_default() += 1;
    }

    fn operation(&mut self, row: &OperationRow, life: &Life, all: &Families<'_>) {
        self.count(match row.parent {
            None => "parents",
            Some(_) => "children",
        });
        match &row.result {
            None => self.fault(&row.id, "has not ended"),
            Some(result) => match raised(result) {
                Some(sum) => self.whole(row, sum, life, all),
                None => self.undone(row, life, all),
            },
        }
    }

    /// It has succeeded.
    fn whole(&mut self, row: &OperationRow, sum: u64, life: &Life, all: &Families<'_>) {
        self.count("operations that succeeded");
        let id = &*row.id;
        if !life.undone.is_empty() {
            self.fault(id, "has succeeded and was undone");
        }
        if matches!(&*row.plot, "fail" | "rebel" | "late" | "hold") {
            self.fault(id, "has succeeded, although it fails");
        }
        let mut expected = 0;
        for &call in calls(row) {
            let Some(passed) = life.calls.get(call).and_then(|call| call.passed) else {
                self.fault(id, &format!("has ended without {call}"));
                continue;
            };
            if is_child(call) && all.made(id, call) != Some(passed) {
                self.fault(id, &format!("has got another result of {call}"));
            }
            if is_child(call) || row.parent.is_some() {
                expected += passed;
            }
        }
        if expected != sum {
            self.fault(
                id,
                &format!("has the sum {sum} instead of that of its children, {expected}"),
            );
        }
    }

    /// It has failed, or was cancelled.
    fn undone(&mut self, row: &OperationRow, life: &Life, all: &Families<'_>) {
        self.count("operations that were undone");
        let id = &*row.id;
        self.error(row, all);
        for (name, call) in &life.calls {
            let undone = life.undone.iter().find(|(undone, _)| undone == name);
            let made = match is_child(name) {
                true => all.made(id, name),
                false => call.passed,
            };
            match (undone, made) {
                (None, _) if call.effects.is_empty() && made.is_none() => {}
                (None, _) => self.fault(id, &format!("has failed, and {name} is not undone")),
                (Some((_, given)), Some(made)) if *given != made => {
                    self.fault(id, &format!("{name} made {made}, and its undo got {given}"));
                }
                (Some((_, given)), None) => {
                    if *given != 0 && !call.effects.contains(given) {
                        self.fault(id, &format!("the undo of {name} got {given} from nowhere"));
                    }
                }
                (Some(_), Some(_)) => {}
            }
        }
        let places = life.undone.iter().map(|(call, _)| place(call));
        if !places.clone().is_sorted_by(|newer, older| newer >= older) {
            self.fault(id, &format!("is undone as {:?}", life.undone));
        }
    }

    /// Whether that is the error of its plot.
    fn error(&mut self, row: &OperationRow, all: &Families<'_>) {
        let id = &*row.id;
        let Some(error) = row.result.as_ref().and_then(error) else {
            self.fault(id, "has a result that cannot be read");
            return;
        };
        let parent = row.parent.as_ref();
        let parent = parent.and_then(|it| all.by_uid.get(&it.uid.as_bytes()[..]));
        // A parent that fails cancels its children.
        let is_orphan = parent.is_some_and(|it| it.result.as_ref().and_then(raised).is_none());
        let code = Code::from_i32(error.code);
        let fits = match (&*row.plot, code) {
            ("fail" | "rebel", Code::FailedPrecondition) => true,
            ("cancel" | "late" | "hold", Code::Cancelled) => true,
            (_, Code::Cancelled) => is_orphan,
            _ => false,
        };
        if !fits {
            let what = format!("({}) has ended with {code:?}: {}", row.plot, error.message);
            self.fault(id, &what);
        }
        let incomplete = |any: &Any| any.value.windows(15).any(|it| it == b"UNDO_INCOMPLETE");
        if error.details.iter().any(incomplete) {
            self.fault(id, "is not undone completely");
        }
    }

    /// Whether parent and child agree about each other.
    fn links(&mut self, row: &OperationRow, life: &Life, all: &Families<'_>) {
        for (name, call) in life.calls.iter().filter(|(name, _)| is_child(name)) {
            let child = all.by_id.get(&*child_id(&row.id, name));
            if let Some(started) = &call.started
                && child.is_none_or(|child| child.name != *started)
            {
                let what = format!("has started {started} by {name}, which is not there");
                self.fault(&row.id, &what);
            }
        }
        let Some(parent) = &row.parent else {
            if row.id.contains('.') {
                self.fault(&row.id, "is a child without a parent");
            }
            return;
        };
        let uid = &parent.uid.as_bytes()[..];
        let Some(above) = all.by_uid.get(uid) else {
            return self.fault(&row.id, "has lost its parent");
        };
        if child_id(&above.id, parent.key.as_str()) != row.id {
            self.fault(&row.id, "is a child of another step");
        }
        let step = all.steps.get(&(uid, parent.key.as_str()));
        let child = step.and_then(|step| step.child.as_ref());
        if child.is_none_or(|child| child.uid.as_bytes()[..] != row.uid) {
            self.fault(&row.id, "is not the child of its parent's step");
        }
        if above.end_time.is_some() && row.end_time.is_none_or(|end| Some(end) > above.end_time) {
            self.fault(&row.id, "has ended after its parent");
        }
    }

    /// Whether the step of a child agrees with the child.
    fn step(&mut self, step: &StepRow, all: &Families<'_>) {
        let (Some(child), Some(parent)) = (&step.child, all.by_uid.get(&*step.uid)) else {
            return;
        };
        let key = &step.key;
        let Some(child) = all.by_uid.get(&child.uid.as_bytes()[..]) else {
            return self.fault(&parent.id, &format!("has lost the child of {key}"));
        };
        if step.end_time.is_some() && child.result.is_none() {
            self.fault(&parent.id, &format!("has the end of {key}, which runs"));
        }
        if step.value != child.result {
            let what = format!("{key} has not ended as its child: {:?}", step.value);
            self.fault(&parent.id, &what);
        }
    }

    fn count_life(&mut self, id: &str, life: &Life, lives: &BTreeMap<String, Life>) {
        let runs = life.runs.saturating_sub(1);
        *self.counts.entry("runs after the first").or_default() += runs;
        let above = id.rsplit_once('.');
        let start = above.and_then(|(parent, call)| lives.get(parent)?.calls.get(call));
        if let Some(starter) = start.and_then(|call| call.started_by.as_ref())
            && life.processes.iter().any(|process| process != starter)
        {
            self.count("children that ran in another process than the start");
        }
    }
}

/// The calls of a body that succeeds.
fn calls(row: &OperationRow) -> &'static [&'static str] {
    const PARENT: [&str; CHILDREN + 2] = ["first", "child/0", "child/1", "child/2", "last"];
    match (row.parent.is_some(), ChildPlot::of(&row.plot)) {
        (false, _) => &PARENT,
        (true, Some(ChildPlot::Deep)) => &["made", "child/0"],
        (true, _) => &["made"],
    }
}

/// The place of a call in its body. Children stand side by side.
fn place(call: &str) -> u32 {
    match call {
        "first" | "made" => 0,
        "last" => 2,
        _ => 1,
    }
}

fn is_child(call: &str) -> bool {
    call.starts_with("child/")
}

/// The sum in a response.
fn raised(result: &Seen) -> Option<u64> {
    let any = (result.0 == 0).then(|| Any::decode(&*result.1).ok())??;
    let raised: Raised = lro_core::unpack(&any).ok()?;
    Some(raised.sum)
}

fn error(result: &Seen) -> Option<Status> {
    (result.0 == 1).then(|| Status::decode(&*result.1).ok())?
}

/// Whether a plot is one that a client may cancel.
pub(super) fn may_be_cancelled(plot: Plot) -> bool {
    plot == Plot::Cancel
}
