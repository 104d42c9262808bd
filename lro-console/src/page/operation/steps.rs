//! The steps of an operation: a tree by scope, each with its place in time, and what may be done
//! about them.

use lro_core::Timestamp;
use lro_core::inspection::step::{Kind, State};
use lro_core::inspection::{Blocked, ListStepsResponse, Step};
use maud::{Markup, html};
use prost_reflect::DescriptorPool;
use tonic::{Code, Status};

use super::super::fault::code_name;
use super::super::parts::age;
use super::value::value_fields;
use crate::params::link;
use crate::route::Visit;
use crate::source::{Permits, View, time};
use crate::text::{cut, duration, visible};

/// The most characters of an error.
const MAX_MESSAGE: usize = 512;

/// The width of a bar, in its own units.
const WIDTH: f64 = 1_000.0;

/// The narrowest bar, so that each can be seen.
const MIN_WIDTH: f64 = 8.0;

/// The steps as a source tells them; `None` where it has no service for them.
pub(super) type Read = Result<Option<ListStepsResponse>, Status>;

/// The steps of the operation.
pub(super) async fn read(visit: &Visit, view: &View) -> Read {
    let recorded = view.record.as_ref().map(|it| it.wire().recorded_steps);
    if recorded == Some(0) {
        return Ok(Some(ListStepsResponse::default()));
    }
    match view.name().parse() {
        Ok(name) => visit.settings.source.steps(&visit.visitor, &name).await,
        Err(_) => Ok(None),
    }
}

/// The section; nothing for an operation without steps.
pub(super) fn steps(
    visit: &Visit,
    view: &View,
    read: &Read,
    permits: &Permits,
    now: Timestamp,
) -> Markup {
    let listed = match read {
        Ok(Some(listed)) => listed,
        Ok(None) => return missing(view),
        Err(status) if is_silent(status) => return html! {},
        Err(status) => {
            return html! { section #steps data-part { h2 { "Steps" } p.note { "They cannot be read: " (visible(&cut(status.message(), MAX_MESSAGE))) } } };
        }
    };
    if listed.steps.is_empty() && listed.blocked.is_none() {
        return html! { section #steps data-part hidden {} section #step-forms data-part data-keep hidden {} };
    }
    let offers = Offers {
        is_read_only: visit.settings.is_read_only,
        is_done: view.operation.done,
        value: format!("{} {}", view.uid(), view.name()),
        permits,
        types: &visit.settings.types,
    };
    html! {
        section #steps data-part {
            h2 { "Steps" }
            @if let Some(blocked) = &listed.blocked { (blocked_note(blocked, &offers, now)) }
            @if !listed.steps.is_empty() { (table(listed, now)) }
        }
        (forms(listed, &offers))
    }
}

/// A server without the service: said only of an operation with steps.
fn missing(view: &View) -> Markup {
    let record = view.record.as_ref();
    html! {
        @if record.is_some_and(|it| it.wire().recorded_steps > 0) {
            section #steps data-part {
                h2 { "Steps" }
                p.note { "The server does not offer lro.v1.Steps, which tells what the operation has recorded." }
            }
        }
    }
}

fn is_silent(status: &Status) -> bool {
    matches!(status.code(), Code::Unimplemented | Code::PermissionDenied)
}

/// The actions on steps that the visitor may take.
struct Offers<'a> {
    is_read_only: bool,
    is_done: bool,
    /// The operation, as forms name it.
    value: String,
    permits: &'a Permits,
    types: &'a DescriptorPool,
}

fn table(listed: &ListStepsResponse, now: Timestamp) -> Markup {
    let range = Range::of(&listed.steps, now);
    let left_out = usize::try_from(listed.total_size)
        .unwrap_or(0)
        .saturating_sub(listed.steps.len());
    html! {
        div.scroll.plain role="region" aria-label="Steps" tabindex="0" {
            table.steps.blocks {
                caption.unseen { "Recorded steps, in their order" }
                thead { tr {
                    th scope="col" { "Step" }
                    th scope="col" { "State" }
                    th scope="col" { "When" }
                    th scope="col" { "Took" }
                    th scope="col" { "Note" }
                } }
                tbody {
                    @for (at, step) in listed.steps.iter().enumerate() {
                        @if begins_scope(&listed.steps, at) {
                            tr.scope { th scope="colgroup" colspan="5" { (visible(&step.scope)) "/" } }
                        }
                        (row(step, range, now))
                    }
                }
            }
        }
        @if left_out > 0 { p.quiet { "and " (left_out) " more, which `lro steps` lists" } }
    }
}

/// Whether the step is the first of its scope after steps of others.
fn begins_scope(steps: &[Step], at: usize) -> bool {
    let before = at.checked_sub(1).map_or("", |before| &steps[before].scope);
    let scope = &steps[at].scope;
    !scope.is_empty() && scope != before
}

fn row(step: &Step, range: Range, now: Timestamp) -> Markup {
    let span = range.of_step(step);
    html! {
        tr data-step=(step.state().as_str_name()) {
            td.step data-depth[!step.scope.is_empty()] title=(visible(&step.key)) { (visible(&step.display_name)) }
            td { (word(step.state())) }
            td.when { @if let Some((from, width)) = range.place(step) {
                svg viewBox="0 0 1000 10" preserveAspectRatio="none" aria-hidden="true" {
                    rect x=(from as u32) y="0" width=(width as u32) height="10" data-kind=(step.kind().as_str_name()) {}
                }
            } }
            td data-label="Took" { @if let Some((begin, end)) = span { (duration(end.since(begin))) } }
            td.message { (note(step, now)) }
        }
    }
}

fn word(state: State) -> &'static str {
    match state {
        State::Unspecified => "unknown",
        State::Pending => "pending",
        State::Running => "running",
        State::Waiting => "waiting",
        State::Done => "done",
        State::Failed => "failed",
        State::Abandoned => "abandoned",
        State::Orphaned => "not reached",
    }
}

fn note(step: &Step, now: Timestamp) -> Markup {
    let wake = time(step.wake_time.as_ref()).filter(|_| step.state() == State::Waiting);
    html! {
        @if step.kind() == Kind::Promise { "promise " }
        @if step.kind() == Kind::Sleep { "sleep " }
        @if step.kind() == Kind::Saga { "saga " }
        @if step.kind() == Kind::Undo { "undo " }
        @if !step.child.is_empty() {
            @if step.child_cancelled { "cancelled " }
            "child "
            @if step.remote.is_empty() {
                a href=(link("operation", &[("name", &step.child)])) { (visible(&step.child)) } " "
            } @else {
                // Another server's, which this page does not reach.
                (visible(&step.remote_operation)) " on " (step.remote) " "
            }
        }
        @if step.attempt > 1 { "attempt " (step.attempt) " " }
        @if step.state() == State::Done && step.operation_attempt == 0 { "from outside " }
        @if let Some(wake) = wake { "until " (age(wake, now)) " " }
        @if let Some(error) = &step.error {
            (code_name(Code::from(error.code))) ": " (visible(&cut(&error.message, MAX_MESSAGE)))
        }
    }
}

fn blocked_note(blocked: &Blocked, offers: &Offers<'_>, now: Timestamp) -> Markup {
    let retry = time(blocked.retry_time.as_ref());
    html! {
        p.note {
            b { "Blocked: " } (visible(&cut(&blocked.reason, MAX_MESSAGE)))
            @if let Some(retry) = retry { " It is tried again " (age(retry, now)) "." }
        }
        @if !offers.is_read_only && !offers.is_done {
            form action="./step" method="post" {
                input type="hidden" name="operation" value=(offers.value);
                (button("unblock", "Run it at once", &offers.permits.repair, "why-unblock"))
            }
        }
    }
}

/// The actions that the visitor may take. A form that is open stays as it is when the page is brought up to date.
fn forms(listed: &ListStepsResponse, offers: &Offers<'_>) -> Markup {
    let is_hidden = offers.is_read_only || offers.is_done || listed.steps.is_empty();
    html! {
        section #step-forms data-part data-keep aria-label="Change steps" hidden[is_hidden] {
            @if !is_hidden {
                (promises(listed, offers))
                (forgetting(listed, offers))
            }
        }
    }
}

/// A form for each promise that the operation waits for.
fn promises(listed: &ListStepsResponse, offers: &Offers<'_>) -> Markup {
    let waits = |step: &&Step| step.state() == State::Waiting && step.kind() == Kind::Promise;
    html! {
        @for (at, step) in listed.steps.iter().filter(waits).enumerate() {
            details.promise {
                summary { "Complete " b { (visible(&step.key)) } }
                form.confirm action="./step" method="post" {
                    input type="hidden" name="operation" value=(offers.value);
                    input type="hidden" name="key" value=(step.key);
                    (value_fields(at, listed.declared_type(&step.key), offers.types))
                    label for=(format!("reason-{at}")) { "Reason, for the record " span.quiet { "(optional)" } }
                    input id=(format!("reason-{at}")) name="reason" maxlength="120" autocomplete="off";
                    (button("complete", "Complete", &offers.permits.complete, &format!("why-complete-{at}")))
                }
            }
        }
    }
}

/// A form that forgets steps of an operation which no worker runs.
fn forgetting(listed: &ListStepsResponse, offers: &Offers<'_>) -> Markup {
    html! {
        details.forget {
            summary { "Forget a step" }
            form.confirm action="./step" method="post" {
                input type="hidden" name="operation" value=(offers.value);
                p.note { "The operation runs a forgotten step again, and its effects happen again. Steps are forgotten while no worker runs the operation." }
                label for="forget-key" { "Step" }
                select #forget-key name="key" {
                    @for step in &listed.steps { option value=(step.key) { (visible(&step.key)) } }
                }
                label { input type="checkbox" name="later" value="yes" checked; " And the steps after it: a body that repeats a step before recorded ones is blocked" }
                label { input type="checkbox" name="sure" value="yes" required; " Its effects may happen again" }
                (button("forget", "Forget", &offers.permits.repair, "why-forget"))
            }
        }
    }
}

/// A button, disabled with the reason for those who may not.
fn button(action: &str, label: &str, permit: &Result<(), Status>, why: &str) -> Markup {
    let refusal = permit.as_ref().err();
    html! {
        p.buttons {
            button type="submit" name="action" value=(action) disabled[refusal.is_some()] aria-describedby=[refusal.map(|_| why)] { (label) }
        }
        @if let Some(refusal) = refusal { p.quiet.why id=(why) { (visible(refusal.message())) } }
    }
}

/// The first begin and the last end.
#[derive(Clone, Copy)]
struct Range {
    first: Timestamp,
    last: Timestamp,
    now: Timestamp,
}

impl Range {
    fn of(steps: &[Step], now: Timestamp) -> Self {
        let first = steps
            .iter()
            .filter_map(|it| time(it.begin_time.as_ref()))
            .min();
        let first = first.unwrap_or(now);
        let open = Self {
            first,
            last: first,
            now,
        };
        let last = steps
            .iter()
            .filter_map(|it| Some(open.of_step(it)?.1))
            .max();
        Self {
            last: last.unwrap_or(now),
            ..open
        }
    }

    /// When a step began, and when it ended or how far it is.
    fn of_step(self, step: &Step) -> Option<(Timestamp, Timestamp)> {
        let begin = time(step.begin_time.as_ref())?;
        let is_over = matches!(step.state(), State::Orphaned | State::Abandoned);
        let until = if is_over { begin } else { self.now };
        let end = time(step.end_time.as_ref()).unwrap_or(until);
        Some((begin, end.max(begin)))
    }

    /// Where its bar begins, and how wide it is.
    fn place(self, step: &Step) -> Option<(f64, f64)> {
        let (begin, end) = self.of_step(step)?;
        let whole = self.last.since(self.first).as_secs_f64();
        if whole == 0.0 {
            return Some((0.0, WIDTH));
        }
        let at = |time: Timestamp| time.since(self.first).as_secs_f64() / whole * WIDTH;
        let from = at(begin).min(WIDTH - MIN_WIDTH);
        Some((from, (at(end) - from).clamp(MIN_WIDTH, WIDTH - from)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn step(begin: i64, end: Option<i64>) -> Step {
        let wire = |seconds| prost_types::Timestamp { seconds, nanos: 0 };
        Step {
            begin_time: Some(wire(begin)),
            end_time: end.map(wire),
            ..Step::default()
        }
    }

    #[test]
    fn bars_are_to_scale_and_never_too_narrow() {
        let now = Timestamp::from_micros(200_000_000);
        let steps = [step(0, Some(50)), step(50, Some(50)), step(50, Some(100))];
        let range = Range::of(&steps, now);
        let places = steps.iter().map(|it| range.place(it).unwrap());
        let places: Vec<_> = places.collect();
        assert_eq!(places, [(0.0, 500.0), (500.0, 8.0), (500.0, 500.0)]);
        let unfinished = [step(0, Some(100)), step(100, None)];
        let range = Range::of(&unfinished, now);
        assert_eq!(range.place(&unfinished[1]), Some((500.0, 500.0)));
        assert_eq!(range.place(&Step::default()), None);
        let instant = [step(200, None)];
        assert_eq!(
            Range::of(&instant, now).place(&instant[0]),
            Some((0.0, WIDTH))
        );
    }
}
