//! The list on a screen of its own, drawn anew with each change.

use super::Page;
use crate::context::Context;
use crate::failure::Failure;
use crate::output::{Output, TimeForm};
use crate::show;
use crate::shown::Shown;

/// The alternate screen, without a cursor.
const OPEN: &str = "\u{1b}[?1049h\u{1b}[?25l";
const CLOSE: &str = "\u{1b}[?25h\u{1b}[?1049l";
/// The upper left corner.
const HOME: &str = "\u{1b}[H";
/// The rest of the line, and of the screen.
const CLEAR_LINE: &str = "\u{1b}[K\r\n";
const CLEAR_REST: &str = "\u{1b}[J";

pub(super) struct Screen<'a> {
    context: &'a Context,
    columns: &'a [&'static str],
    is_wide: bool,
    operations: Vec<Shown>,
    is_all: bool,
    was_read: bool,
}

impl<'a> Screen<'a> {
    pub(super) fn open(
        context: &'a Context,
        output: &Output,
        columns: &'a [&'static str],
    ) -> Result<Self, Failure> {
        // Talk would stand in the middle of the table: it follows at the end.
        context.terminal.hold();
        context.terminal.data(OPEN)?;
        Ok(Self {
            context,
            columns,
            is_wide: *output == Output::Wide,
            operations: Vec::new(),
            is_all: true,
            was_read: false,
        })
    }

    pub(super) fn show(&mut self, page: Page) -> Result<(), Failure> {
        self.operations = page.operations;
        self.is_all = page.is_all;
        self.was_read = true;
        self.draw()
    }

    pub(super) fn draw(&self) -> Result<(), Failure> {
        let terminal = &self.context.terminal;
        terminal.measure();
        let now = TimeForm::Utc.of_day(self.context.now());
        let status = match terminal.held() {
            Some(text) => crate::neutral::line(&text).into_owned(),
            None if !self.was_read => "...".to_owned(),
            None => {
                let count = crate::commands::count::number(self.operations.len(), !self.is_all);
                format!("{count} operations. Ctrl-C ends")
            }
        };
        let mut lines = vec![format!("{now}  {}  {status}", self.context.server())];
        if !self.operations.is_empty() {
            lines.extend(self.table()?.lines().map(str::to_owned));
        }
        let width = terminal.width().unwrap_or(80);
        if let Some(height) = terminal.height()
            && lines.len() >= height
        {
            let hidden = lines.len() - height.saturating_sub(2).max(1);
            lines.truncate(height.saturating_sub(2).max(1));
            lines.push(format!("  and {hidden} more"));
        }
        let lines = lines.iter().map(|line| {
            let line = console::truncate_str(line, width, "");
            format!("{line}{CLEAR_LINE}")
        });
        let lines: String = lines.collect();
        terminal.data(&format!("{HOME}{lines}{CLEAR_REST}"))
    }

    fn table(&self) -> Result<String, Failure> {
        show::table_text(self.context, &self.operations, self.columns, self.is_wide)
    }

    /// Leaves the screen as it was before, with the last list below.
    pub(super) fn close(self) -> Result<(), Failure> {
        let terminal = &self.context.terminal;
        terminal.data(CLOSE)?;
        if !self.operations.is_empty() {
            terminal.data(&self.table()?)?;
        }
        terminal.release();
        Ok(())
    }
}
