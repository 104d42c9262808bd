//! The changes of a list as lines.

use std::collections::HashMap;

use super::Page;
use crate::context::Context;
use crate::failure::Failure;
use crate::output::{Output, TimeForm, middle};
use crate::show;
use crate::shown::Shown;

pub(super) struct Changes<'a> {
    context: &'a Context,
    output: &'a Output,
    /// The JSON of each operation that was written, by its name.
    written: HashMap<String, String>,
}

/// How an operation differs from what was written of it.
enum Change {
    Added,
    Changed,
}

impl<'a> Changes<'a> {
    pub(super) fn new(context: &'a Context, output: &'a Output) -> Self {
        Self {
            context,
            output,
            written: HashMap::new(),
        }
    }

    pub(super) fn show(&mut self, page: &Page) -> Result<(), Failure> {
        let mut before = std::mem::take(&mut self.written);
        // The oldest first, as they came.
        for shown in page.operations.iter().rev() {
            let is_same = before.get(shown.name()).map(|it| *it == shown.json);
            match is_same {
                Some(true) => {}
                Some(false) => self.write(shown, &Change::Changed)?,
                None => self.write(shown, &Change::Added)?,
            }
            before.remove(shown.name());
            let (name, json) = (shown.name().to_owned(), shown.json.clone());
            self.written.insert(name, json);
        }
        // Of a list that was cut, they may stand behind its end.
        if page.is_all {
            let mut removed: Vec<String> = before.into_keys().collect();
            removed.sort();
            removed.iter().try_for_each(|name| self.remove(name))?;
        }
        Ok(())
    }

    fn write(&self, shown: &Shown, change: &Change) -> Result<(), Failure> {
        let context = self.context;
        let terminal = &context.terminal;
        match self.output {
            Output::Ndjson => {
                let change = match change {
                    Change::Added => "ADDED",
                    Change::Changed if shown.operation.done => shown.state.name(),
                    Change::Changed => "CHANGED",
                };
                let members = format!("\"operation\":{}", shown.json);
                terminal.json(&show::change(context, change, &members))
            }
            // Each name is written once.
            Output::Name | Output::Token | Output::History if matches!(change, Change::Changed) => {
                Ok(())
            }
            Output::Name | Output::Token | Output::History | Output::Value(_) => {
                show::write(context, self.output, std::slice::from_ref(shown), "")
            }
            Output::Table | Output::Wide | Output::Json => {
                let name = middle(shown.name(), terminal.ellipsis());
                let line = format!("{name} {} {}", shown.state_name(), shown.summary());
                self.line(&line)
            }
        }
    }

    fn remove(&self, name: &str) -> Result<(), Failure> {
        let terminal = &self.context.terminal;
        match self.output {
            Output::Ndjson => {
                let name = serde_json::Value::from(name);
                let members = format!("\"operation\":{{\"name\":{name}}}");
                terminal.json(&show::change(self.context, "REMOVED", &members))
            }
            Output::Table | Output::Wide | Output::Json => {
                let name = middle(name, terminal.ellipsis());
                self.line(&format!("{name} is not in the list any more"))
            }
            Output::Name | Output::Token | Output::History | Output::Value(_) => Ok(()),
        }
    }

    fn line(&self, line: &str) -> Result<(), Failure> {
        let now = TimeForm::Utc.of_day(self.context.now());
        let line = crate::neutral::line(line);
        let line = format!("{now} {}", line.trim_end());
        self.context.terminal.line(&line)
    }
}
