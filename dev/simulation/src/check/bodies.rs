//! Checks the runs of bodies: their number, their times, and that they never overlap.

use std::collections::BTreeMap;
use std::time::Duration;

use super::Case;
use crate::clock::BEGIN;
use crate::plan::NodePlan;
use crate::world::Body;

pub(super) fn check(case: &mut Case<'_>) {
    let mut by_name: BTreeMap<&str, Vec<&Body>> = BTreeMap::new();
    for body in &case.notes.bodies {
        by_name.entry(&body.name).or_default().push(body);
    }
    for (name, bodies) in by_name {
        attempts(case, name, &bodies);
        one_at_a_time(case, name, &bodies);
        pauses(case, name, &bodies);
        schedule(case, name, &bodies);
    }
}

/// At most the allowed number of runs, not counting released ones.
fn attempts(case: &mut Case<'_>, name: &str, bodies: &[&Body]) {
    let released = case.notes.released.get(name).copied().unwrap_or(0) as usize;
    let most = case.plan.policy.max_attempts;
    // Of a body with durable calls, only those since its last progress count.
    if !case.plan.has_steps && bodies.iter().any(|body| body.attempt > most) {
        let runs = bodies.len();
        let what = format!("{name} was run {runs} times, {released} released, of {most}");
        case.found("attempts", what);
    }
    let plan = case.plan;
    let quiet = plan.lost == 0 && plan.slow == 0 && plan.faults == 0;
    if !quiet || !plan.nodes.iter().all(NodePlan::is_punctual) {
        return;
    }
    // Nothing disturbs: it runs again only because it wants to.
    for pair in bodies.windows(2) {
        if pair[0].again_after.is_none() {
            let what = format!("{name} was run again after attempt {}", pair[0].attempt);
            case.found("attempts", what);
        }
    }
}

/// No body begins before the time that its start has named.
fn schedule(case: &mut Case<'_>, name: &str, bodies: &[&Body]) {
    let created = case.notes.created.get(name);
    let Some(not_before) = created.and_then(|created| created.not_before) else {
        return;
    };
    let at = not_before.since(BEGIN);
    if let Some(early) = bodies.iter().find(|body| body.begun < at) {
        let what = format!(
            "{name} was to run from {at:?} on, and ran at {:?}",
            early.begun
        );
        case.found("schedule", what);
    }
}

/// A body has ended before the next one begins: its worker lets go before the lease ends. Not so
/// on a node whose clock is slow; there only the fence helps.
fn one_at_a_time(case: &mut Case<'_>, name: &str, bodies: &[&Body]) {
    for pair in bodies.windows(2) {
        let [first, second] = pair else { continue };
        // An answer to a claim may come so late that a younger attempt has begun before it.
        let older = if second.fence < first.fence {
            second
        } else {
            first
        };
        if !case.plan.nodes[older.node].is_punctual() {
            continue;
        }
        if first.ended.is_none_or(|ended| ended > second.begun) {
            let what = format!(
                "{name}: attempt {} on node {} ran until {:?}, attempt {} on node {} from {:?}",
                first.attempt, first.node, first.ended, second.attempt, second.node, second.begun
            );
            case.found("one body at a time", what);
        }
    }
}

/// Another attempt begins after the pause that was asked for.
fn pauses(case: &mut Case<'_>, name: &str, bodies: &[&Body]) {
    let mut records = case.records.iter();
    let record = records.find(|record| record.name.as_str() == name);
    // A cancellation ends a pause, and so does a verdict.
    if record.is_some_and(|it| it.cancel_time.is_some() || it.is_condemned()) {
        return;
    }
    for pair in bodies.windows(2) {
        let [first, second] = pair else { continue };
        let (Some(pause), Some(ended)) = (first.again_after, first.ended) else {
            continue;
        };
        // The wish for the pause may have been lost on its way: then the lease has run out.
        let sure = case.plan.lost == 0 && case.plan.slow == 0;
        // And one that was drained was released, which needs no pause.
        let again = second.attempt == first.attempt + 1;
        let early = sure && again && second.begun + Duration::from_millis(1) < ended + pause;
        // Its lease began a little before the body.
        let by_lease = second.begun + Duration::from_millis(500) > first.begun + case.plan.lease;
        if early && !by_lease {
            let what = format!(
                "{name}: attempt {} began at {:?}, not {pause:?} after {ended:?}",
                second.attempt, second.begun
            );
            case.found("pauses", what);
        }
    }
}
