use lro_core::pb::rpc::Status;
use lro_core::store::{Child, ParentStep};
use prost::Message as _;
use uuid::Uuid;

use super::{Found, OperationRow, StepRow, audit};
use crate::journal::Seen;
use crate::pb::Raised;

/// A family that one run has finished.
fn family(plot: &str) -> (String, Found) {
    let (mut lines, mut found) = (String::new(), Found::default());
    let mut rows = Rows {
        found: &mut found,
        fails: plot == "fail",
    };
    lines += "effect f0 first 5 1\npass f0 first 5 1\n";
    rows.operation("f0", plot, None, 100 + 100 + 170);
    for (number, sum) in [(0, 100), (1, 100), (2, 170)] {
        let (call, plot) = (format!("child/{number}"), ["grow", "deep"][number / 2]);
        lines +=
            &format!("ask f0 {call} r{number} 1\nstart f0 {call} operations/f0.child-{number} 1\n");
        lines += &format!("effect f0.{call} made 100 2\npass f0.{call} made 100 2\n");
        rows.operation(&format!("f0.{call}"), plot, Some(("f0", &call)), sum);
    }
    lines +=
        "ask f0.child/2 child/0 r 2\nstart f0.child/2 child/0 operations/f0.child-2.child-0 2\n";
    lines += "effect f0.child/2.child/0 made 70 1\npass f0.child/2.child/0 made 70 1\n";
    lines += "pass f0.child/2 child/0 70 2\n";
    let grandchild = "f0.child/2.child/0";
    rows.operation(grandchild, "grow", Some(("f0.child/2", "child/0")), 70);
    lines += "pass f0 child/0 100 1\npass f0 child/1 100 1\npass f0 child/2 170 1\n";
    lines += "effect f0 last 6 1\npass f0 last 6 1\n";
    if rows.fails {
        lines += "undo f0 last 6 1\nundo f0 child/1 100 1\nundo f0 child/2 170 1\n";
        lines += "undo f0 child/0 100 1\nundo f0 first 5 1\n";
    }
    (lines, found)
}

struct Rows<'f> {
    found: &'f mut Found,
    fails: bool,
}

impl Rows<'_> {
    fn operation(&mut self, id: &str, plot: &str, parent: Option<(&str, &str)>, sum: u64) {
        let uid = |id: &str| Uuid::from_u128(id.bytes().fold(1, |n, it| n * 31 + u128::from(it)));
        let name = name_of(id);
        let result = match (parent, self.fails) {
            (None, true) => error(9),
            _ => (0, lro_core::pack(&Raised { sum }).encode_to_vec()),
        };
        let parent = parent.map(|(operation, key)| ParentStep {
            operation: name_of(operation).parse().unwrap(),
            uid: uid(operation),
            key: key.parse().unwrap(),
        });
        if let Some(parent) = &parent {
            self.found.steps.push(StepRow {
                uid: parent.uid.as_bytes().to_vec(),
                key: parent.key.as_str().to_owned(),
                end_time: Some(8),
                value: Some(result.clone()),
                child: Some(Child {
                    name: name.parse().unwrap(),
                    uid: uid(id),
                    is_left: false,
                    is_cancelled: false,
                }),
            });
        }
        self.found.operations.push(OperationRow {
            uid: uid(id).as_bytes().to_vec(),
            name,
            id: id.to_owned(),
            plot: plot.to_owned(),
            end_time: Some(if parent.is_some() { 8 } else { 9 }),
            result: Some(result),
            parent,
        });
    }
}

/// An id without the slashes that no name has.
fn name_of(id: &str) -> String {
    format!("operations/{}", id.replace('/', "-"))
}

fn error(code: i32) -> Seen {
    let status = Status {
        code,
        ..Status::default()
    };
    (1, status.encode_to_vec())
}

/// Whether the audit finds that, after a change of the notes or of the rows.
#[track_caller]
fn found(plot: &str, change: impl FnOnce(&mut String, &mut Found), what: &str) {
    let (mut lines, mut found) = family(plot);
    change(&mut lines, &mut found);
    let faults = audit(&lines, &found, &["operations/f0".to_owned()]).faults;
    let is_found = faults.iter().any(|fault| fault.contains(what));
    assert!(is_found, "{what}: {faults:#?}");
}

/// The same after a change of the notes.
#[track_caller]
fn noted(plot: &str, from: &str, to: &str, what: &str) {
    let change = |lines: &mut String, _: &mut Found| {
        assert!(lines.contains(from), "{from:?} is not there");
        *lines = lines.replacen(from, to, 1);
    };
    found(plot, change, what);
}

#[test]
fn whole_families_have_no_fault() {
    for plot in ["whole", "fail"] {
        let (lines, found) = family(plot);
        let audit = audit(&lines, &found, &["operations/f0".to_owned()]);
        assert!(audit.faults.is_empty(), "{plot}: {audit:#?}");
        assert_eq!(audit.counts["children"], 4);
    }
}

#[test]
fn every_kind_of_fault_in_the_notes_is_found() {
    let again = |line: &str| format!("{line}{line}");
    let last = "pass f0 last 6 1\n";
    noted(
        "whole",
        last,
        &again("effect f0 last 7 1\n"),
        "without last",
    );
    noted(
        "whole",
        last,
        &format!("{last}effect f0 last 7 1\n"),
        "effect after its result",
    );
    noted("whole", last, "pass f0 last 7 1\n", "result of no effect");
    noted(
        "whole",
        last,
        &format!("{last}pass f0 last 7 1\n"),
        "two results",
    );
    noted("whole", last, "pass f0 last", "torn");
    noted("whole", last, "strange f0 last 1 1\n", "unknown note");
    noted(
        "whole",
        last,
        &format!("{last}undo f0 last 6 1\n"),
        "was undone",
    );
    let start = "start f0 child/1 operations/f0.child-1 1\n";
    noted(
        "whole",
        start,
        &format!("{start}ask f0 child/1 r1 1\n"),
        "started again",
    );
    noted(
        "whole",
        start,
        &format!("{start}start f0 child/1 operations/x 1\n"),
        "has started",
    );
    noted(
        "whole",
        start,
        "start f0 child/1 operations/x 1\n",
        "is not there",
    );
    noted("whole", start, "ask f0 child/1 r9 1\n", "request ids");
    noted(
        "whole",
        "pass f0 child/1 100 1\n",
        "pass f0 child/1 99 1\n",
        "another result of child/1",
    );
    noted("fail", "undo f0 first 5 1\n", "", "first is not undone");
    noted(
        "fail",
        "undo f0 child/1 100 1\n",
        "",
        "child/1 is not undone",
    );
    noted(
        "fail",
        "undo f0 child/1 100 1\n",
        "undo f0 child/1 0 1\n",
        "its undo got 0",
    );
    noted(
        "fail",
        "undo f0 last 6 1\nundo f0 child/1 100 1\n",
        "undo f0 child/1 100 1\nundo f0 last 6 1\n",
        "is undone as",
    );
    noted(
        "fail",
        "undo f0 first 5 1\n",
        "undo f0 first 5 1\nundo f0 last 6 1\n",
        "undone again",
    );
    noted(
        "fail",
        "undo f0 first 5 1\n",
        "undo f0 first 5 1\neffect f0 more 6 1\nask f0 child/3 r 1\n",
        "after an undo",
    );
}

#[test]
fn every_kind_of_fault_in_the_rows_is_found() {
    let rows = |change: fn(&mut Found), what| found("whole", |_, found| change(found), what);
    rows(|it| drop(it.operations.remove(0)), "is lost");
    rows(|it| drop(it.operations.remove(0)), "has lost its parent");
    rows(
        |it| {
            let mut twice = it.operations[1].clone();
            twice.uid[0] ^= 1;
            it.operations.push(twice);
        },
        "was started as",
    );
    rows(|it| it.operations[4].result = None, "has not ended");
    rows(
        |it| it.operations[4].result = Some(error(9)),
        "has ended with",
    );
    rows(
        |it| it.operations[0].result = it.operations[1].result.clone(),
        "has the sum",
    );
    rows(
        |it| it.operations[0].plot = "fail".to_owned(),
        "although it fails",
    );
    rows(
        |it| it.operations[4].end_time = Some(10),
        "ended after its parent",
    );
    rows(
        |it| it.operations[1].parent = None,
        "a child without a parent",
    );
    rows(
        |it| it.operations[1].parent = it.operations[2].parent.clone(),
        "a child of another step",
    );
    rows(|it| it.steps[0].child = None, "is not the child");
    rows(
        |it| it.steps[0].value = it.steps[3].value.clone(),
        "has not ended as its child",
    );
    rows(|it| drop(it.operations.pop()), "has lost the child of");
    let incomplete = |_: &mut String, found: &mut Found| {
        let mut status = Status::decode(&*error(9).1).unwrap();
        let steps = [("steps", "first")];
        let detail = lro_core::Reason::UndoIncomplete.detail(steps);
        status.details.push(detail);
        found.operations[0].result = Some((1, status.encode_to_vec()));
    };
    found("fail", incomplete, "not undone completely");
}
