//! Checks the answers that clients receive.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::Case;
use crate::families::CANCEL_BOUND;
use crate::model::Verdict;
use crate::world::{Answer, Ask, ClientCall, Moment};

pub(super) fn check(case: &mut Case<'_>) {
    done_is_final(case);
    waits(case);
    nothing_is_lost(case);
    walks(case);
    request_ids(case);
    exclusive_keys(case);
    cancellations(case);
}

/// guarantee:P2: one result, which stays.
fn done_is_final(case: &mut Case<'_>) {
    let mut first: BTreeMap<&str, (Verdict, Moment)> = BTreeMap::new();
    let mut wrong = Vec::new();
    for call in &case.notes.client_calls {
        let (Answer::Operation(name, verdict), Some(returned)) = (&call.answer, call.returned)
        else {
            continue;
        };
        match (first.get(&**name), verdict) {
            (None, Some(verdict)) => {
                first.insert(name, (*verdict, returned));
            }
            (Some((seen, _)), Some(verdict)) if seen != verdict => {
                wrong.push(format!(
                    "{name} ended with {seen:?}, later with {verdict:?}"
                ));
            }
            (Some((_, at)), None) if call.invoked >= *at => {
                wrong.push(format!("{name} was done and is not any more"));
            }
            _ => {}
        }
    }
    for what in wrong {
        case.found("done is final", what);
    }
}

/// guarantee:P5: a waiter is answered within a second, or a second after the gap.
fn waits(case: &mut Case<'_>) {
    let mut late = Vec::new();
    for call in &case.notes.client_calls {
        let (Ask::Wait(name), Some(returned)) = (&call.ask, call.returned) else {
            continue;
        };
        let (Answer::Operation(..), Some(ended)) = (&call.answer, case.notes.ended.get(name))
        else {
            continue;
        };
        let gap = case.plan.nodes[call.node].event_gap.unwrap_or_default();
        let from = call.invoked.max(*ended).max(call.trouble);
        if call.trouble != Duration::MAX && returned > from + gap + Duration::from_secs(1) {
            late.push(format!(
                "{name} ended at {ended:?}; the waiter on node {} from {:?} was answered at {returned:?}",
                call.node, call.invoked
            ));
        }
    }
    for what in late {
        case.found("waiters", what);
    }
}

/// The earliest time at which an operation may be absent: a client deletes it, or it expires.
fn gone_from(case: &Case<'_>, name: &str) -> Moment {
    let deletes = case
        .notes
        .client_calls
        .iter()
        .filter(|call| match &call.ask {
            Ask::Delete(it) => it == name,
            _ => false,
        });
    let ended = case.notes.ended.get(name);
    let expires = ended.map(|ended| *ended + case.plan.retain);
    let deleted = deletes.map(|call| call.invoked).min();
    [expires, deleted]
        .into_iter()
        .flatten()
        .min()
        .unwrap_or(Duration::MAX)
}

/// The starts that were acknowledged: the operation's name, the call.
fn acknowledged<'a>(case: &Case<'a>) -> Vec<(&'a str, &'a ClientCall)> {
    let notes = case.notes;
    let starts = notes
        .client_calls
        .iter()
        .filter_map(|call| match (&call.ask, &call.answer) {
            (Ask::Start { .. }, Answer::Operation(name, _)) => Some((&**name, call)),
            _ => None,
        });
    starts.collect()
}

/// guarantee:P1: what was acknowledged is there, until it is deleted or its time is over.
fn nothing_is_lost(case: &mut Case<'_>) {
    let mut since: BTreeMap<&str, Moment> = BTreeMap::new();
    for (name, call) in acknowledged(case) {
        let returned = call.returned.unwrap_or(Duration::MAX);
        let first = since.entry(name).or_insert(returned);
        *first = (*first).min(returned);
    }
    let mut lost = Vec::new();
    for call in &case.notes.client_calls {
        let (Ask::Get(name) | Ask::Wait(name) | Ask::Cancel(name)) = &call.ask else {
            continue;
        };
        let (Answer::Error(tonic::Code::NotFound), Some(returned)) = (&call.answer, call.returned)
        else {
            continue;
        };
        let known = since
            .get(&**name)
            .is_some_and(|since| *since < call.invoked);
        if known && gone_from(case, name) > returned {
            lost.push(format!(
                "{name} was acknowledged, and not found at {returned:?}"
            ));
        }
    }
    for what in lost {
        case.found("nothing is lost", what);
    }
}

/// guarantee:P10: an operation that exists during the whole walk is listed once.
fn walks(case: &mut Case<'_>) {
    let starts = acknowledged(case);
    let mut wrong = Vec::new();
    for call in &case.notes.client_calls {
        let (Answer::Names(names), Some(returned)) = (&call.answer, call.returned) else {
            continue;
        };
        let distinct: BTreeSet<_> = names.iter().map(String::as_str).collect();
        if distinct.len() < names.len() {
            wrong.push(format!("listed twice: {names:?}"));
        }
        for (name, start) in &starts {
            let there = start.returned.is_some_and(|at| at < call.invoked);
            if there && gone_from(case, name) > returned && !distinct.contains(name) {
                wrong.push(format!("{name} was not listed at {returned:?}"));
            }
        }
    }
    for what in wrong {
        case.found("paging", what);
    }
}

/// guarantee:P6: a request id is one operation.
fn request_ids(case: &mut Case<'_>) {
    let starts = acknowledged(case);
    let mut wrong = Vec::new();
    let mut first: BTreeMap<&str, (&str, u64)> = BTreeMap::new();
    for (name, call) in starts {
        let Ask::Start {
            request_id,
            payload,
            ..
        } = &call.ask
        else {
            continue;
        };
        if request_id.is_empty() {
            continue;
        }
        match first.get(&**request_id) {
            None => {
                first.insert(request_id, (name, *payload));
            }
            Some((before, _)) if gone_from(case, before) <= call.returned.unwrap_or_default() => {}
            Some((before, said)) => {
                if *before != name {
                    wrong.push(format!("{request_id} made {before} and {name}"));
                } else if said != payload {
                    wrong.push(format!(
                        "{request_id} was taken for {name} with another request"
                    ));
                }
            }
        }
    }
    for what in wrong {
        case.found("request ids", what);
    }
}

/// Two unfinished operations never hold the same key.
fn exclusive_keys(case: &mut Case<'_>) {
    let mut held: BTreeMap<&str, Vec<(Moment, Moment, &str)>> = BTreeMap::new();
    for (name, created) in &case.notes.created {
        let Some(key) = &created.key else { continue };
        let from = created.at.since(crate::clock::BEGIN);
        let until = case.notes.ended.get(name).copied().unwrap_or(Duration::MAX);
        held.entry(key).or_default().push((from, until, name));
    }
    for (key, mut spans) in held {
        spans.sort_unstable();
        for pair in spans.windows(2) {
            let [(_, until, first), (from, _, second)] = pair else {
                continue;
            };
            if from < until {
                case.found("exclusive keys", format!("{first} and {second} hold {key}"));
            }
        }
    }
}

/// Whether a worker had a reason of its own to cancel an operation until then: it was deleted, and ran
/// beside more deleted operations than the worker has slots.
fn was_surplus(case: &Case<'_>, name: &str, until: Moment) -> bool {
    let mut deleted: BTreeMap<&str, Moment> = BTreeMap::new();
    for call in &case.notes.client_calls {
        if let Ask::Delete(it) = &call.ask {
            let first = deleted.entry(it).or_insert(call.invoked);
            *first = (*first).min(call.invoked);
        }
    }
    let deleted_runs: Vec<_> = case
        .notes
        .bodies
        .iter()
        .filter_map(|body| Some((body, body.begun.max(*deleted.get(&*body.name)?))))
        .collect();
    let own = deleted_runs.iter().filter(|(body, _)| body.name == name);
    own.into_iter().any(|(own, _)| {
        let beside: Vec<_> = deleted_runs
            .iter()
            .filter(|(body, _)| (body.node, body.life) == (own.node, own.life))
            .collect();
        let times = beside.iter().map(|(_, since)| *since);
        times.filter(|time| *time <= until).any(|time| {
            let runs = beside.iter().filter(|(body, since)| {
                *since <= time && body.ended.is_none_or(|ended| ended >= time)
            });
            runs.count() > case.plan.concurrency
        })
    })
}

/// guarantee:P9: when nothing disturbs, what was cancelled ends soon; and nothing is cancelled by itself.
fn cancellations(case: &mut Case<'_>) {
    let mut wrong = Vec::new();
    for body in &case.notes.bodies {
        let Some(at) = body.cancelled else { continue };
        let mut calls = case.notes.client_calls.iter();
        let asked = calls.any(|call| matches!(&call.ask, Ask::Cancel(it) if *it == body.name));
        if !asked && !was_surplus(case, &body.name, at) {
            wrong.push(format!(
                "{} received a cancellation that no client requested",
                body.name
            ));
        }
    }
    let slowest = case
        .plan
        .nodes
        .iter()
        .map(|node| node.stretched(case.plan.lease))
        .max();
    let beat = slowest.unwrap_or_default().max(case.plan.lease);
    // One whose worker was lost is taken up when a slot is free: at the latest after the timeout.
    let mut bound =
        beat * 2 + case.plan.cancel_grace * 2 + case.plan.timeout + Duration::from_secs(3);
    if case.plan.has_steps {
        bound += CANCEL_BOUND;
    }
    for call in &case.notes.client_calls {
        let (Ask::Cancel(name), Answer::Done, Some(returned)) =
            (&call.ask, &call.answer, call.returned)
        else {
            continue;
        };
        if case.notes.calm.is_none_or(|calm| call.invoked < calm) {
            continue;
        }
        let ended = case.notes.ended.get(name).copied().unwrap_or(Duration::MAX);
        if ended > returned + bound {
            wrong.push(format!(
                "{name} was cancelled at {returned:?} and ended at {ended:?}"
            ));
        }
    }
    for what in wrong {
        case.found("cancellation", what);
    }
}
