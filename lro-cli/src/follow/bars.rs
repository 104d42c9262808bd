//! Progress as bars on a terminal, several operations at once.

use std::collections::HashMap;

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};
use lro_core::Timestamp;
use unicode_width::UnicodeWidthStr as _;

use crate::neutral;
use crate::output::age;
use crate::progress::{Estimate, bar, percent};
use crate::shown::{Shown, State};
use crate::terminal::Terminal;

/// The columns of the text between a bar and its estimate.
const TEXT: usize = 30;

pub(super) struct Bars {
    multi: MultiProgress,
    bars: HashMap<String, One>,
    /// All together, where there are too many for a line each.
    total: Option<Total>,
    cross: &'static str,
}

struct One {
    bar: ProgressBar,
    /// Its short name and two spaces, or nothing for the only one.
    prefix: String,
    estimate: Estimate,
    began: Timestamp,
    /// The last fraction that was shown: a bar does not go back silently.
    fraction: f64,
    shown: Option<Shown>,
}

struct Total {
    bar: ProgressBar,
    all: usize,
    ends: HashMap<State, usize>,
    unknown: usize,
}

impl Bars {
    pub(super) fn new(terminal: &Terminal) -> Self {
        let multi = MultiProgress::with_draw_target(ProgressDrawTarget::stderr());
        terminal.show_bars(Some(multi.clone()));
        Self {
            multi,
            bars: HashMap::new(),
            total: None,
            cross: terminal.cross(),
        }
    }

    /// A line for each of these operations, or one for all of them: names and short ones, of which an
    /// empty one is not shown.
    pub(super) fn add(&mut self, short: &[(String, String)], many: bool) {
        if many {
            if self.total.is_none() {
                self.total = Some(Total {
                    bar: self.line(),
                    all: 0,
                    ends: HashMap::new(),
                    unknown: 0,
                });
            }
            if let Some(total) = &mut self.total {
                total.all += short.len();
                total.draw();
            }
            return;
        }
        let widths = short.iter().map(|(_, short)| short.width());
        let widest = widths.max().unwrap_or_default();
        for (name, short) in short {
            let pad = " ".repeat(widest.saturating_sub(short.width()));
            let one = One {
                bar: self.line(),
                prefix: match short.as_str() {
                    "" => String::new(),
                    short => format!("{}{pad}  ", neutral::line(short)),
                },
                estimate: Estimate::default(),
                began: Timestamp::EPOCH,
                fraction: 0.0,
                shown: None,
            };
            show(&one.bar, &format!("{}...", one.prefix));
            self.bars.insert(name.clone(), one);
        }
    }

    fn line(&self) -> ProgressBar {
        let bar = self.multi.add(ProgressBar::no_length());
        // The line is made here; indicatif draws it.
        if let Ok(style) = ProgressStyle::with_template("{msg}") {
            bar.set_style(style);
        }
        bar
    }

    pub(super) fn state(&mut self, shown: &Shown, now: Timestamp) {
        let cross = self.cross;
        if let Some(one) = self.bars.get_mut(shown.name()) {
            one.shown = Some(shown.clone());
            if one.began == Timestamp::EPOCH {
                one.began = now;
            }
            if let Some(progress) = &shown.progress {
                let seconds = now.since(one.began).as_secs_f64();
                one.estimate.observe(seconds, progress.fraction);
            }
            one.draw(now, cross);
        } else if let Some(total) = &mut self.total {
            if shown.operation.done {
                *total.ends.entry(shown.state).or_default() += 1;
            }
            total.draw();
        }
    }

    pub(super) fn lost(&mut self, name: &str, text: &str) {
        if let Some(one) = self.bars.get(name) {
            show(&one.bar, &format!("{}{text}", one.prefix));
        } else if let Some(total) = &mut self.total {
            total.unknown += 1;
            total.draw();
        }
    }

    pub(super) fn tick(&mut self, now: Timestamp) {
        let cross = self.cross;
        self.bars.values_mut().for_each(|one| one.draw(now, cross));
    }

    pub(super) fn finish(&mut self) {
        for one in self.bars.values() {
            one.bar.abandon();
        }
        if let Some(total) = &self.total {
            total.bar.abandon();
        }
        // Its lines stay where they are.
        self.multi.set_draw_target(ProgressDrawTarget::hidden());
    }
}

impl One {
    fn draw(&mut self, now: Timestamp, cross: &str) {
        let Some(shown) = &self.shown else {
            return;
        };
        let prefix = &self.prefix;
        let summary = shown.summary();
        let summary = neutral::line(&summary);
        if shown.state != State::Running {
            let took = shown.duration().unwrap_or_else(|| now.since(self.began));
            let line = match shown.state {
                State::Succeeded => format!("{prefix}{} 100 %  {summary}", bar(1.0)),
                state => format!("{prefix}{cross} {} {summary}", state.name()),
            };
            show(&self.bar, &right(&line, &age(took)));
            return;
        }
        let Some(progress) = &shown.progress else {
            let running = age(shown.age(now).unwrap_or_else(|| now.since(self.began)));
            let line = format!("{prefix}{} {summary}", shown.state.name());
            show(&self.bar, &right(&line, &running));
            return;
        };
        let back = if progress.fraction < self.fraction {
            "↓"
        } else {
            ""
        };
        self.fraction = progress.fraction;
        let (bar, percent) = (bar(progress.fraction), percent(progress.fraction));
        let line = format!("{prefix}{bar} {percent}{back}  {summary}");
        show(
            &self.bar,
            &right(&line, &self.estimate.left().unwrap_or_default()),
        );
    }
}

impl Total {
    fn draw(&self) {
        let done: usize = self.ends.values().sum::<usize>() + self.unknown;
        let fraction = done as f64 / self.all.max(1) as f64;
        let line = format!(
            "{} {done} of {}   {}",
            bar(fraction),
            self.all,
            self.parts()
        );
        show(&self.bar, line.trim_end());
    }

    fn parts(&self) -> String {
        let mut parts = Vec::new();
        for (state, word) in [
            (State::Succeeded, "succeeded"),
            (State::Failed, "failed"),
            (State::Cancelled, "cancelled"),
        ] {
            if let Some(count) = self.ends.get(&state) {
                parts.push(format!("{count} {word}"));
            }
        }
        if self.unknown > 0 {
            parts.push(format!("{} unknown", self.unknown));
        }
        parts.join(", ")
    }
}

/// Shows a line, cut to the width that the terminal has now: a line that wraps cannot be redrawn.
fn show(bar: &ProgressBar, line: &str) {
    let (_, columns) = console::Term::stderr().size();
    let line = console::truncate_str(line, usize::from(columns).saturating_sub(1), "…");
    bar.set_message(line.into_owned());
}

/// A line with something at its right, in a column of its own.
fn right(line: &str, text: &str) -> String {
    let column = 7 + 12 + 7 + TEXT;
    let pad = column.saturating_sub(line.width()).max(2);
    format!("{line}{}{text}", " ".repeat(pad))
        .trim_end()
        .to_owned()
}
