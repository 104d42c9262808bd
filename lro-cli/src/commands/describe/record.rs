//! The record of an operation from the inspection service, in lines.

use lro_core::inspection::{Actor, Attempt, OperationRecord};

use super::LABEL;
use crate::context::Context;
use crate::exit::code_name;
use crate::failure::Failure;
use crate::inspection::{short_method, time};
use crate::output::age;

/// Who, how often, and why it waits.
pub(super) fn facts(context: &Context, record: &OperationRecord) -> Result<(), Failure> {
    let terminal = &context.terminal;
    let times = context.times()?;
    let now = context.now();
    let row = |label: &str, value: &str| terminal.line(&format!("{label:<LABEL$} {value}"));
    row("method", short_method(&record.method))?;
    if !record.principal.is_empty() {
        row("by", &record.principal)?;
    }
    if !record.parent_operation.is_empty() {
        let (parent, step) = (&record.parent_operation, &record.parent_step);
        row("child of", &format!("{parent}, step {step}"))?;
    }
    if let Some(policy) = &record.policy
        && record.attempt > 0
    {
        let (attempt, most) = (record.attempt, policy.max_attempts);
        row("attempt", &format!("{attempt} of {most}"))?;
    }
    if let Some(waiting) = &record.waiting {
        let until = time(waiting.until.as_ref());
        let until = until.map(|it| format!(" ({})", times.write(it, now)));
        let until = until.unwrap_or_default();
        row("waits", &format!("{}{until}", waiting.explanation))?;
    }
    if let Some((label, text)) = record.cancelled_by.as_ref().and_then(cancellation) {
        row(label, &text)?;
    }
    if !record.exclusive_key.is_empty() {
        // It holds the key until it ends.
        let label = if record.end_time.is_some() {
            "key"
        } else {
            "holds key"
        };
        row(label, &record.exclusive_key)?;
    }
    let mut labels: Vec<_> = record.labels.iter().collect();
    labels.sort();
    let labels: Vec<_> = labels
        .into_iter()
        .map(|(key, value)| format!("{key}={value}"))
        .collect();
    if !labels.is_empty() {
        row("labels", &labels.join(", "))?;
    }
    if let Some(expires) = time(record.expire_time.as_ref()) {
        row("expires", &times.write(expires, now))?;
    }
    Ok(())
}

/// The author of a cancellation and the reason, as far as they are known.
fn cancellation(actor: &Actor) -> Option<(&'static str, String)> {
    match (&*actor.principal, &*actor.reason) {
        ("", "") => None,
        ("", reason) => Some(("cancelled", format!("reason: {reason}"))),
        (principal, "") => Some(("cancelled by", principal.to_owned())),
        (principal, reason) => Some(("cancelled by", format!("{principal}: {reason}"))),
    }
}

/// A line for each attempt, unless there is only one: its times are those of the operation.
pub(super) fn attempts(context: &Context, record: &OperationRecord) -> Result<(), Failure> {
    if record.attempts.len() < 2 {
        return Ok(());
    }
    let terminal = &context.terminal;
    terminal.line("attempts:")?;
    let times = context.times()?;
    let now = context.now();
    for attempt in &record.attempts {
        let begin = time(attempt.begin_time.as_ref());
        let begin = begin.map_or("-".to_owned(), |it| times.write(it, now));
        let line = format!(
            "  {:>3}  {:<11}  {begin}  {}",
            attempt.number,
            attempt.outcome().as_str_name(),
            rest(attempt)
        );
        terminal.line(line.trim_end())?;
    }
    Ok(())
}

/// How long it took, where it ran, and with what error.
fn rest(attempt: &Attempt) -> String {
    let begin = time(attempt.begin_time.as_ref());
    let end = time(attempt.end_time.as_ref());
    let took = begin.zip(end).map(|(begin, end)| age(end.since(begin)));
    let worker = (!attempt.worker.is_empty()).then(|| format!("worker {}", attempt.worker));
    let error = attempt.error.as_ref().map(|error| {
        let code = code_name(error.code);
        match &*error.message {
            "" => code,
            message => format!("{code}: {message}"),
        }
    });
    let parts = [took, worker, error].into_iter().flatten();
    parts.collect::<Vec<_>>().join("  ")
}
