//! How progress is shown: bars, lines, JSON or nothing.

use tonic::Status;

use super::bars::Bars;
use super::changes::{self, Change};
use super::lines::Lines;
use super::{End, Follow, MANY, Seen};
use crate::context::Context;
use crate::exit::code_name;
use crate::failure::Failure;
use crate::output::{TimeForm, middle, suffixes};
use crate::shown::Shown;

/// Shows how far the operations are.
pub(super) struct Display<'a> {
    context: &'a Context,
    form: Form<'a>,
    total: usize,
    done: usize,
}

enum Form<'a> {
    Bars(Bars),
    Lines(Lines<'a>),
    Json,
    None,
}

impl<'a> Display<'a> {
    pub(super) fn new(context: &'a Context, follow: &Follow<'_>) -> Result<Self, Failure> {
        let words = ["auto", "bars", "lines", "json", "none"];
        let terminal = &context.terminal;
        let chosen = match context.settings.word("progress", &words)? {
            _ if terminal.quiet => "none",
            "auto" if context.prefers_lines() => "lines",
            "auto" if terminal.stderr_is_terminal => "bars",
            "auto" => "lines",
            chosen => chosen,
        };
        let names: Vec<&str> = follow.names.iter().map(String::as_str).collect();
        let form = match chosen {
            "bars" => {
                let mut bars = Bars::new(terminal);
                let mut short = short(context, &names);
                // The caller has just read the name of the only one.
                if follow.is_one() {
                    short.iter_mut().for_each(|(_, only)| only.clear());
                }
                bars.add(&short, names.len() > MANY);
                Form::Bars(bars)
            }
            "lines" => {
                let times = match context.settings.text("time") {
                    Some("local") => TimeForm::Local,
                    _ => TimeForm::Utc,
                };
                let many = names.len() > MANY;
                Form::Lines(Lines::new(context, times, many, follow.differences))
            }
            "json" => Form::Json,
            _ => Form::None,
        };
        Ok(Self {
            context,
            form,
            total: names.len(),
            done: 0,
        })
    }

    /// These operations are followed, too, besides those before.
    pub(super) fn add(&mut self, new: &[String], before: &[String]) {
        self.total += new.len();
        if let Form::Bars(bars) = &mut self.form {
            let names = before.iter().chain(new).map(String::as_str);
            let mut all = short(self.context, &names.collect::<Vec<_>>());
            bars.add(&all.split_off(before.len()), self.total > MANY);
        }
    }

    /// These fields of the metadata have changed.
    pub(super) fn changed(&mut self, shown: &Shown, changes: &[Change]) {
        if changes.is_empty() {
            return;
        }
        let arrow = if self.context.terminal.unicode {
            "→"
        } else {
            "->"
        };
        let line = changes::line(changes, arrow);
        let name = middle(shown.name(), self.context.terminal.ellipsis());
        match &mut self.form {
            Form::Bars(_) => {
                let line = crate::neutral::line(&format!("{name} {line}")).into_owned();
                self.context.terminal.say(&line);
            }
            Form::Lines(lines) => lines.changed(&format!("{name} {line}")),
            Form::Json | Form::None => {}
        }
    }

    /// The server has told a state.
    pub(super) fn state(&mut self, shown: &Shown) {
        if shown.operation.done {
            self.done += 1;
        }
        match &mut self.form {
            Form::Bars(bars) => bars.state(shown, self.context.now()),
            Form::Lines(lines) => lines.state(shown, self.done, self.total),
            Form::Json => self
                .context
                .terminal
                .say(&crate::neutral::json(&shown.json)),
            Form::None => {}
        }
    }

    /// A poll failed, and will be made again.
    pub(super) fn retry(&mut self, name: &str, status: &Status) {
        let code = code_name(status.code() as i32);
        let text = format!("{name}: retrying after {code}: {}", status.message());
        match &mut self.form {
            Form::Bars(_) | Form::Lines(_) => self.context.terminal.note(&text),
            Form::Json | Form::None => self.context.terminal.trace(&text),
        }
    }

    /// Following one operation ended without its end.
    pub(super) fn lost(&mut self, name: &str, end: &End) {
        self.done += 1;
        if let Form::Bars(bars) = &mut self.form {
            let text = match end {
                End::TimedOut(Seen::Running) => "still running",
                End::TimedOut(Seen::Missing) => "no such operation",
                End::TimedOut(Seen::Nothing) => "no answer",
                End::Missing => "no such operation",
                End::Done(_) | End::Reached(_) | End::Lost(_) => "unknown",
            };
            bars.lost(name, text);
        }
    }

    /// Some time has passed.
    pub(super) fn tick(&mut self) {
        match &mut self.form {
            Form::Bars(bars) => bars.tick(self.context.now()),
            Form::Lines(lines) => lines.tick(self.done, self.total),
            Form::Json | Form::None => {}
        }
    }

    /// Leaves the last state on the screen.
    pub(super) fn finish(&mut self) {
        if let Form::Bars(bars) = &mut self.form {
            bars.finish();
        }
        self.context.terminal.show_bars(None);
    }
}

/// How names are shown beside bars: `…e41d`.
fn short(context: &Context, names: &[&str]) -> Vec<(String, String)> {
    let ellipsis = context.terminal.ellipsis();
    let suffixes = suffixes(names);
    let each = names.iter().map(|name| {
        let suffix = suffixes.get(name);
        let short = suffix.map_or_else(|| (*name).to_owned(), |it| format!("{ellipsis}{it}"));
        ((*name).to_owned(), short)
    });
    each.collect()
}
