//! Progress as lines, for logs and screen readers: one for each change, at most one in 10 s for an
//! operation, and one each minute where nothing changes.

use std::collections::HashMap;
use std::time::Duration;

use lro_core::Timestamp;

use crate::context::Context;
use crate::output::{TimeForm, age, middle};
use crate::shown::{Shown, State};

/// How far apart the lines of one operation are at least.
const APART: Duration = Duration::from_secs(10);
/// An answer that comes later than this tells of an operation that has ended just now.
const SOON: Duration = Duration::from_secs(1);
/// After how much silence a line says that it continues.
const HEARTBEAT: Duration = Duration::from_secs(60);

pub(super) struct Lines<'a> {
    context: &'a Context,
    times: TimeForm,
    /// Shows ends only.
    many: bool,
    /// Shows the fields that change, and not the state of the operation.
    differences: bool,
    seen: HashMap<String, Seen>,
    began: Timestamp,
    last: Timestamp,
}

/// The last line of an operation.
struct Seen {
    line: String,
    told: String,
    at: Timestamp,
}

impl<'a> Lines<'a> {
    pub(super) fn new(
        context: &'a Context,
        times: TimeForm,
        many: bool,
        differences: bool,
    ) -> Self {
        let now = context.now();
        Self {
            context,
            times,
            many,
            differences,
            seen: HashMap::new(),
            began: now,
            last: now,
        }
    }

    pub(super) fn state(&mut self, shown: &Shown, done: usize, total: usize) {
        let now = self.context.now();
        let name = middle(shown.name(), self.context.terminal.ellipsis());
        if shown.operation.done {
            // One that had ended before the first answer may have ended at any time.
            let ended_now = self.seen.contains_key(shown.name()) || now.since(self.began) >= SOON;
            let lived = || now.since(shown.created().unwrap_or(self.began));
            let took = shown.duration().or_else(|| ended_now.then(lived));
            let took = took.map_or_else(String::new, |took| format!(" after {}", age(took)));
            let count = if self.many {
                format!(" ({done} of {total})")
            } else {
                String::new()
            };
            self.tell(now, &format!("{name} {}{took}{count}", shown.state.name()));
            self.seen.remove(shown.name());
            return;
        }
        if self.many || (self.differences && self.seen.contains_key(shown.name())) {
            return;
        }
        let line = format!("{name} {} {}", State::Running.name(), shown.summary());
        let line = line.trim_end().to_owned();
        let first = Seen {
            line: String::new(),
            told: String::new(),
            at: Timestamp::EPOCH,
        };
        let seen = self.seen.entry(shown.name().to_owned()).or_insert(first);
        seen.line = line;
        if seen.line != seen.told && now.since(seen.at) >= APART {
            seen.told.clone_from(&seen.line);
            seen.at = now;
            let line = seen.line.clone();
            self.tell(now, &line);
        }
    }

    /// Tells a change at once.
    pub(super) fn changed(&mut self, line: &str) {
        self.tell(self.context.now(), line);
    }

    /// Tells what was held back, and that it continues.
    pub(super) fn tick(&mut self, done: usize, total: usize) {
        let now = self.context.now();
        let mut due = Vec::new();
        for seen in self.seen.values_mut() {
            if seen.line != seen.told && now.since(seen.at) >= APART {
                seen.told.clone_from(&seen.line);
                seen.at = now;
                due.push(seen.line.clone());
            }
        }
        if due.is_empty() && now.since(self.last) >= HEARTBEAT {
            due = self.seen.values().map(|seen| seen.line.clone()).collect();
            if self.many {
                due = vec![format!("{done} of {total} done")];
            }
        }
        for line in due {
            self.tell(now, &line);
        }
    }

    fn tell(&mut self, now: Timestamp, line: &str) {
        self.last = now;
        let line = format!("{} {}", self.times.of_day(now), crate::neutral::line(line));
        self.context.terminal.say(&line);
    }
}
