//! The checkers: what must hold in every history.

pub mod linear;

mod bodies;
mod clients;
mod ends;

use lro_core::store::OperationRecord;

use crate::plan::Plan;
use crate::world::{Notes, Violation};

/// The input of a checker, and its findings.
struct Case<'a> {
    plan: &'a Plan,
    notes: &'a Notes,
    records: &'a [OperationRecord],
    violations: Vec<Violation>,
}

impl Case<'_> {
    fn found(&mut self, checker: &'static str, what: String) {
        self.violations.push(Violation { checker, what });
    }
}

/// Runs them all. Also answers for how many operations the search for an order was given up.
pub(crate) fn all(
    plan: &Plan,
    notes: &Notes,
    records: &[OperationRecord],
) -> (Vec<Violation>, usize) {
    let mut case = Case {
        plan,
        notes,
        records,
        violations: Vec::new(),
    };
    bodies::check(&mut case);
    clients::check(&mut case);
    ends::check(&mut case);
    let undecided = match plan.has_steps {
        true => 0,
        false => linearizable(&mut case),
    };
    (case.violations, undecided)
}

fn linearizable(case: &mut Case<'_>) -> usize {
    let mut undecided = 0;
    for (name, calls) in &case.notes.calls {
        match linear::check(calls, case.plan.policy) {
            linear::Finding::Linearizable => {}
            linear::Finding::Undecided => undecided += 1,
            linear::Finding::Violation(best) => {
                let what = format!(
                    "{name}: no order explains the answers; {best} of {} calls can be explained",
                    calls.len()
                );
                case.found("linearizability", what);
            }
        }
    }
    undecided
}
