//! Steps as a table: a tree by scope, with bars from begin to end.

use std::time::Duration;

use lro_core::Timestamp;
use lro_core::inspection::Step;
use lro_core::inspection::step::{Kind, State};

use crate::context::Context;
use crate::exit::code_name;
use crate::failure::Failure;
use crate::inspection::time;
use crate::output::{Column, Row, Table, age};
use crate::terminal::Paint;

/// The width of a bar.
const WIDTH: usize = 20;

/// A scope or a step, with what is below it.
#[derive(Default)]
struct Node<'a> {
    name: &'a str,
    step: Option<&'a Step>,
    below: Vec<Node<'a>>,
}

impl<'a> Node<'a> {
    fn add(&mut self, path: &'a str, step: &'a Step) {
        let (name, rest) = match path.split_once('/') {
            Some((name, rest)) => (name, Some(rest)),
            None => (path, None),
        };
        // A repeated name, such as `dump#2`, stands beside the first one.
        let at = self.below.iter().position(|node| node.name == name);
        let at = at.unwrap_or_else(|| {
            self.below.push(Node {
                name,
                ..Node::default()
            });
            self.below.len() - 1
        });
        match rest {
            Some(rest) => self.below[at].add(rest, step),
            None => self.below[at].step = Some(step),
        }
    }

    fn flatten<'n>(&'n self, depth: usize, found: &mut Vec<(usize, &'n Self)>) {
        for node in &self.below {
            found.push((depth, node));
            node.flatten(depth + 1, found);
        }
    }
}

/// The first begin and the last end of steps.
#[derive(Clone, Copy)]
struct Range {
    first: Timestamp,
    last: Timestamp,
    now: Timestamp,
}

impl Range {
    fn of(steps: &[Step], now: Timestamp) -> Self {
        let begins = steps.iter().filter_map(|it| time(it.begin_time.as_ref()));
        let first = begins.min().unwrap_or(now);
        let unbounded = Self {
            first,
            last: first,
            now,
        };
        let last = steps
            .iter()
            .filter_map(|step| Some(unbounded.of_step(step)?.1));
        Self {
            last: last.max().unwrap_or(now),
            ..unbounded
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

    /// Where a step lies in it: `[   ####   ]`.
    fn bar(self, step: &Step) -> String {
        let Some((begin, end)) = self.of_step(step) else {
            return String::new();
        };
        let whole = self.last.since(self.first).as_secs_f64();
        let place = |at: Timestamp| {
            let share = match whole {
                0.0 => 0.0,
                whole => at.since(self.first).as_secs_f64() / whole,
            };
            ((share * WIDTH as f64) as usize).min(WIDTH - 1)
        };
        let (from, to) = (place(begin), place(end));
        let sign = match step.kind() {
            Kind::Sleep | Kind::Promise | Kind::Child | Kind::SagaChild => "~",
            Kind::Saga => "=",
            Kind::Undo => "<",
            _ => "#",
        };
        let length = to - from + 1;
        let rest = WIDTH - from - length;
        format!(
            "[{}{}{}]",
            " ".repeat(from),
            sign.repeat(length),
            " ".repeat(rest)
        )
    }
}

/// The table of steps.
pub(super) async fn table(
    context: &Context,
    steps: &[Step],
    is_wide: bool,
    with_values: bool,
) -> Result<Table, Failure> {
    let mut root = Node::default();
    for step in steps {
        root.add(&step.key, step);
    }
    let mut nodes = Vec::new();
    root.flatten(0, &mut nodes);
    let range = Range::of(steps, context.now());
    let mut titles = vec!["STEP", "STATE", "TIME", "TOOK", "NOTE"];
    if is_wide {
        titles.extend(["KIND", "SEQUENCE", "TYPE", "BYTES"]);
    }
    if with_values {
        titles.push("VALUE");
    }
    let mut rows = Vec::with_capacity(nodes.len());
    for (depth, node) in nodes {
        let indent = "  ".repeat(depth.min(8));
        let Some(step) = node.step else {
            let mut cells = vec![format!("{indent}{}/", node.name)];
            cells.resize(titles.len(), String::new());
            rows.push(Row {
                cells,
                failed: false,
                paint: None,
            });
            continue;
        };
        let took = range.of_step(step);
        let took = took.map_or(String::new(), |(begin, end)| length(end.since(begin)));
        let mut cells = vec![
            format!("{indent}{}", node.name),
            step.state().as_str_name().to_owned(),
            range.bar(step),
            took,
            note(context, step)?,
        ];
        if is_wide {
            cells.extend([
                step.kind().as_str_name().to_owned(),
                step.sequence.to_string(),
                step.value_type.clone(),
                step.value_bytes.to_string(),
            ]);
        }
        if with_values {
            cells.push(value(context, step).await?);
        }
        rows.push(Row {
            cells,
            failed: step.state() == State::Failed,
            paint: paint(step.state()),
        });
    }
    Ok(Table {
        columns: titles.into_iter().map(|title| Column { title }).collect(),
        rows,
    })
}

/// A span, with milliseconds where it is short.
fn length(span: Duration) -> String {
    match span.as_millis() {
        millis @ 0..10_000 => format!("{}.{:03}s", millis / 1_000, millis % 1_000),
        _ => age(span),
    }
}

/// The sentence about a step: attempts, errors, and the end of a wait.
fn note(context: &Context, step: &Step) -> Result<String, Failure> {
    let mut parts = Vec::new();
    if !step.child.is_empty() {
        let cancelled = if step.child_cancelled {
            "cancelled "
        } else {
            ""
        };
        parts.push(match (&*step.remote, &*step.remote_operation) {
            ("", _) => format!("{cancelled}child {}", step.child),
            (remote, "") => format!("{cancelled}child on {remote}"),
            (remote, operation) => format!("{cancelled}child {operation} on {remote}"),
        });
    }
    if step.attempt > 1 {
        parts.push(format!("attempt {}", step.attempt));
    }
    match step.state() {
        State::Waiting => match time(step.wake_time.as_ref()) {
            Some(wake) => {
                let wake = context.times()?.write(wake, context.now());
                let word = if wake.starts_with("in ") {
                    "ends"
                } else {
                    "until"
                };
                parts.push(format!("{word} {wake}"));
            }
            None => parts.push("waits for a value".to_owned()),
        },
        State::Orphaned => parts.push("the operation has ended without it".to_owned()),
        State::Done if step.operation_attempt == 0 => parts.push("from outside".to_owned()),
        _ => {}
    }
    if let Some(error) = &step.error {
        parts.push(format!("{}: {}", code_name(error.code), error.message));
    }
    Ok(parts.join("; "))
}

/// The value as JSON.
async fn value(context: &Context, step: &Step) -> Result<String, Failure> {
    let Some(value) = &step.value else {
        return Ok(String::new());
    };
    let shower = context.shower()?;
    shower.json_of("google.protobuf.Any", value).await
}

fn paint(state: State) -> Option<Paint> {
    match state {
        State::Done => Some(Paint::Green),
        State::Failed => Some(Paint::Red),
        State::Running | State::Waiting => Some(Paint::Yellow),
        State::Orphaned | State::Abandoned => Some(Paint::Grey),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn step(key: &str, begin: i64, end: Option<i64>) -> Step {
        let wire = |seconds| prost_types::Timestamp { seconds, nanos: 0 };
        Step {
            key: key.to_owned(),
            begin_time: Some(wire(begin)),
            end_time: end.map(wire),
            ..Step::default()
        }
    }

    #[test]
    fn steps_are_a_tree_in_the_order_of_their_first_rows() {
        let steps = [
            step("dump/users", 0, Some(1)),
            step("upload", 1, Some(2)),
            step("dump/orders", 0, Some(1)),
            step("dump", 2, Some(3)),
        ];
        let mut root = Node::default();
        for step in &steps {
            root.add(&step.key, step);
        }
        let mut nodes = Vec::new();
        root.flatten(0, &mut nodes);
        let shown: Vec<_> = nodes
            .iter()
            .map(|(depth, node)| (*depth, node.name, node.step.is_some()))
            .collect();
        assert_eq!(
            shown,
            [
                (0, "dump", true),
                (1, "users", true),
                (1, "orders", true),
                (0, "upload", true)
            ]
        );
    }

    #[test]
    fn bars_lie_where_steps_were() {
        let steps = [step("a", 0, Some(50)), step("b", 50, Some(100))];
        let now = Timestamp::from_micros(500_000_000);
        let range = Range::of(&steps, now);
        assert_eq!(range.bar(&steps[0]), "[###########         ]");
        assert_eq!(range.bar(&steps[1]), "[          ##########]");
        let unfinished = [step("a", 400, None)];
        let range = Range::of(&unfinished, now);
        assert_eq!(range.bar(&unfinished[0]), "[####################]");
        let instant = [step("a", 0, Some(0))];
        assert_eq!(
            Range::of(&instant, now).bar(&instant[0]),
            "[#                   ]"
        );
        assert_eq!(range.bar(&Step::default()), "");
    }

    #[test]
    fn short_steps_have_milliseconds() {
        assert_eq!(length(Duration::from_millis(1_234)), "1.234s");
        assert_eq!(length(Duration::from_secs(134)), "2m14s");
    }
}
