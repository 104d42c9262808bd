//! The command that continues a wait which ended early.

use crate::args::{IfMissing, Until, Wait, Watch};
use crate::commands::list::quoted;
use crate::config::Origin;
use crate::context::Context;

/// The command that continues: `lro watch operations/42 --until cancelled`.
#[derive(Clone, Debug)]
pub(crate) struct Again {
    verb: &'static str,
    /// The options that were given, each with a space before it.
    options: String,
}

impl Again {
    /// A wait for the end.
    pub(crate) fn wait() -> Self {
        Self {
            verb: "wait",
            options: String::new(),
        }
    }

    /// The same command, without its names or its filter.
    pub(crate) fn of(context: &Context, wait: &Wait, watch: Option<&Watch>) -> Self {
        let mut options = String::new();
        let mut add = |option: &str| {
            options.push(' ');
            options.push_str(option);
        };
        match &wait.until {
            Until::Done => {}
            Until::Cancelled => add("--until cancelled"),
            Until::Matches(filter) => add(&format!("--until {}", quoted(filter))),
        }
        if wait.any {
            add("--any");
        }
        match wait.if_missing {
            IfMissing::Error => {}
            IfMissing::Wait => add("--if-missing wait"),
            IfMissing::Ok => add("--if-missing ok"),
        }
        if let Some(timeout) = wait.timeout {
            match timeout.subsec_millis() {
                0 => add(&format!("--timeout {}s", timeout.as_secs())),
                _ => add(&format!("--timeout {}ms", timeout.as_millis())),
            }
        }
        if wait.cancel_on_timeout {
            add("--cancel-on-timeout");
        }
        if watch.is_some_and(|watch| watch.changes) {
            add("--changes");
        }
        let output = context.settings.setting("output");
        if let Some(output) = output.filter(|it| it.origin == Origin::Flag)
            && let Some(form) = output.values.last()
        {
            add(&format!("-o {}", quoted(form)));
        }
        Self {
            verb: if watch.is_some() { "watch" } else { "wait" },
            options,
        }
    }

    /// The command for these names, or for `--filter FILTER --follow`.
    pub(crate) fn command(&self, context: &Context, what: &str) -> String {
        let Self { verb, options } = self;
        context.again(&format!("{verb} {what}{options}"))
    }
}
