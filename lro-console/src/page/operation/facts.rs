//! The facts of a record: times, run, origin.

use lro_core::Timestamp;
use maud::{Markup, html};

use super::super::parts::{age, copy, moment};
use crate::params::link;
use crate::source::{Record, span, time};
use crate::text::{rough, visible};

/// The facts, in three groups.
pub(super) fn facts(record: &Record, now: Timestamp) -> Markup {
    html! {
        div.columns #facts data-part {
            section { h2 { "Times" } dl.facts { (times(record, now)) } }
            section { h2 { "Run" } dl.facts { (run(record, now)) } }
            section { h2 { "Origin" } dl.facts { (origin(record)) } }
        }
    }
}

fn times(record: &Record, now: Timestamp) -> Markup {
    let created = record.create_time();
    let ready = record.ready_time().filter(|ready| Some(*ready) > created);
    let times = [
        ("Created", created),
        ("Ready", ready),
        ("First run", record.start_time()),
        ("Last change", record.update_time()),
        ("Cancellation", record.cancel_time()),
        ("Ended", record.end_time()),
        ("Expires", record.expire_time()),
    ];
    html! {
        @for (name, time) in times {
            @if let Some(time) = time { (fact(name, &moment(time, now))) }
        }
    }
}

fn run(record: &Record, now: Timestamp) -> Markup {
    let wire = record.wire();
    html! {
        @if let Some(policy) = &wire.policy {
            // Runs that end with a wait use up none.
            (fact("Attempts", &html! { (wire.attempt) " of at most " (policy.max_attempts) " used" }))
        }
        @if let Some(lease) = &wire.lease {
            @if !lease.worker.is_empty() { (fact("Worker", &html! { code { (visible(&lease.worker)) } })) }
            @if let Some(until) = time(lease.expire_time.as_ref()) {
                (fact("Lease", &html! { @if until < now { "expired " } @else { "expires " } (age(until, now)) }))
            }
        }
        @if let Some(policy) = &wire.policy {
            (fact("Crash", &html! { @if policy.resumes_after_crash { "the body runs again" } @else { "fails the operation" } }))
            @if let Some(retain) = span(policy.retain.as_ref()) {
                (fact("Kept", &html! { (rough(retain)) " after its end" }))
            }
        }
        @if let Some(actor) = &wire.cancelled_by {
            (fact("Cancelled by", &html! {
                @if actor.principal.is_empty() { span.quiet { "unknown" } } @else { (visible(&actor.principal)) }
                @if !actor.reason.is_empty() { ": " (visible(&actor.reason)) }
            }))
        }
        (fact("Revision", &html! { (record.revision()) }))
    }
}

fn origin(record: &Record) -> Markup {
    let wire = record.wire();
    let mut labels: Vec<_> = wire.labels.iter().collect();
    labels.sort();
    html! {
        (fact("By", &html! { @if wire.principal.is_empty() { span.quiet { "unknown" } } @else { (visible(&wire.principal)) } }))
        (fact("Method", &html! { code { (visible(&wire.method)) } }))
        @if !wire.parent_operation.is_empty() { (fact("Child of", &parent(&wire.parent_operation, &wire.parent_step))) }
        (fact("Unique id", &html! { code { (visible(&wire.uid)) } }))
        @if let Some(trace) = trace_id(&wire.trace_parent) { (fact("Trace", &html! { code { (visible(trace)) } " " (copy("Copy", trace)) })) }
        @if !wire.exclusive_key.is_empty() { (fact("Exclusive key", &html! { code { (visible(&wire.exclusive_key)) } })) }
        @if labels.is_empty() { (fact("Labels", &html! { span.quiet { "none" } })) }
        @for (key, value) in labels { (fact(&visible(key), &label(key, value))) }
    }
}

/// A parent leads to its page, if the visitor may see it.
fn parent(name: &str, step: &str) -> Markup {
    html! {
        a href=(link("operation", &[("name", name)])) { (visible(name)) }
        @if !step.is_empty() { ", step " code { (visible(step)) } }
    }
}

/// A label leads to the operations that have it, too.
fn label(key: &str, value: &str) -> Markup {
    let is_plain = |text: &str| {
        let mut chars = text.chars();
        !text.is_empty() && chars.all(|it| it.is_ascii_alphanumeric() || it == '_' || it == '-')
    };
    let filter = format!("labels.{key} = \"{value}\"");
    html! {
        @if is_plain(key) && is_plain(value) {
            a href=(link("", &[("filter", &filter)])) { (value) }
        } @else {
            (visible(value))
        }
    }
}

fn fact(name: &str, value: &Markup) -> Markup {
    html! { div { dt { (name) } dd { (value) } } }
}

/// The trace id of a `traceparent`.
fn trace_id(trace_parent: &str) -> Option<&str> {
    trace_parent.split('-').nth(1)
}
