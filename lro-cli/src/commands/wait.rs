//! `lro wait` and `lro watch`.

use std::time::Duration;

use futures_util::{StreamExt as _, stream};

use crate::args::{IfMissing, Until, Wait};
use crate::context::Context;
use crate::details;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::follow::{End, Ends, Follow};
use crate::local_filter::LocalFilter;
use crate::output::{Output, age};
use crate::show::{self, pretty};
use crate::shown::{Shown, State};

/// The most operations that a filter may stand for.
const MAX_MATCHES: usize = 10_000;

pub(crate) async fn run(context: &Context, args: &Wait, watch: bool) -> Result<Exit, Failure> {
    let output = context
        .settings
        .text("output")
        .map(Output::parse)
        .transpose()?;
    let names = match &args.filter {
        None => context.names(&args.names).await?,
        Some(filter) => {
            let (found, more) = context.first(filter, MAX_MATCHES).await?;
            if more {
                let text = format!("note: waiting for the newest {MAX_MATCHES} of more that match");
                context.terminal.say(&text);
            }
            found.into_iter().map(|operation| operation.name).collect()
        }
    };
    let reached = match &args.until {
        Until::Matches(filter) => Some(LocalFilter::new(filter)),
        Until::Done | Until::Cancelled => None,
    };
    let follow = Follow {
        names: &names,
        watch,
        timeout: args.timeout,
        any: args.any,
        if_missing: args.if_missing,
        verb: if watch { "watch" } else { "wait" },
        changes: watch && output == Some(Output::Ndjson),
        reached: reached.as_ref(),
    };
    let ends = follow.run(context).await?;
    if args.cancel_on_timeout {
        cancel_late(context, &ends).await?;
    }
    conclude(context, &follow, &ends, output.as_ref(), &args.until)
}

/// Writes what the operations ended with, and decides on the exit code.
pub(crate) fn conclude(
    context: &Context,
    follow: &Follow<'_>,
    ends: &Ends,
    output: Option<&Output>,
    until: &Until,
) -> Result<Exit, Failure> {
    let done: Vec<Shown> = ends
        .ends
        .iter()
        .filter_map(|(_, end)| match end {
            End::Done(shown) | End::Reached(shown) => Some((**shown).clone()),
            _ => None,
        })
        .collect();
    write(context, follow, &done, output)?;
    for (name, end) in &ends.ends {
        explain(context, follow, name, end);
    }
    if let Some(exit) = ends.interrupted {
        follow.tell_interrupted(context, ends);
        return Ok(exit);
    }
    let exits = ends.ends.iter().map(|(_, end)| match (until, end) {
        (Until::Cancelled, End::Done(shown)) => match shown.state {
            State::Cancelled => Exit::Done,
            State::Succeeded => Exit::Refused,
            state => state.exit(),
        },
        // It ended, and will not match any more.
        (Until::Matches(_), End::Done(shown)) if shown.state == State::Succeeded => Exit::Refused,
        (_, end) => end.exit(),
    });
    Ok(Exit::of_several(exits))
}

fn write(
    context: &Context,
    follow: &Follow<'_>,
    done: &[Shown],
    output: Option<&Output>,
) -> Result<(), Failure> {
    match output {
        // Each change was written.
        _ if follow.changes => Ok(()),
        Some(Output::Json) if follow.names.len() == 1 => done
            .iter()
            .try_for_each(|it| context.terminal.json(&pretty(&it.json))),
        Some(output) => show::write(context, output, done, ""),
        // Before the end there is no response.
        None if follow.names.len() == 1 && follow.reached.is_none() => {
            let mut responses = done.iter().filter_map(Shown::response);
            responses.try_for_each(|json| context.terminal.json(&json))
        }
        // Which response is whose, is in the operation.
        None => done
            .iter()
            .try_for_each(|it| context.terminal.json(&it.json)),
    }
}

/// Says why there is no response.
fn explain(context: &Context, follow: &Follow<'_>, name: &str, end: &End) {
    let terminal = &context.terminal;
    let safe = crate::neutral::line(name);
    match end {
        End::Done(shown) => match shown.state {
            State::Failed | State::Cancelled => failed(context, shown),
            State::Succeeded if follow.reached.is_some() => {
                terminal.tell(&format!("{safe} succeeded, and does not match --until"));
            }
            State::Running | State::Succeeded => {}
        },
        End::Reached(_) => {}
        End::TimedOut => {
            let limit = age(follow.timeout.unwrap_or(Duration::ZERO));
            terminal.tell(&format!(
                "{safe} still runs after {limit}; nothing was cancelled"
            ));
            let name = super::list::quoted(name);
            terminal.say(&format!("Continue: lro {} {name}", follow.verb));
        }
        End::Missing => terminal.say(&format!("note: there is no operation {safe}")),
        End::Lost(failure) => terminal.fail(failure),
    }
}

fn failed(context: &Context, shown: &Shown) {
    let terminal = &context.terminal;
    let Some((code, message)) = shown.error() else {
        return;
    };
    let word = if shown.state == State::Cancelled {
        "was cancelled"
    } else {
        "failed"
    };
    let took = shown.duration().map(|took| format!(" after {}", age(took)));
    let name = crate::output::middle(shown.name(), terminal.ellipsis());
    let name = crate::neutral::line(&name).into_owned();
    let took = took.unwrap_or_default();
    terminal.tell(&format!("{} {name} {word}{took}", terminal.cross()));
    let line = |text: &str| terminal.tell(&format!("  {}", crate::neutral::line(text)));
    line(&if message.is_empty() {
        code
    } else {
        format!("{code}: {message}")
    });
    for detail in details::lines(&shown.tree) {
        line(&detail);
    }
    if shown.state == State::Failed {
        terminal.say(&format!(
            "Details: lro describe {}",
            super::list::quoted(shown.name())
        ));
    }
}

async fn cancel_late(context: &Context, ends: &Ends) -> Result<(), Failure> {
    context.writable("cancel")?;
    let late = ends
        .ends
        .iter()
        .filter(|(_, end)| matches!(end, End::TimedOut));
    let calls = stream::iter(late)
        .map(|(name, _)| async move { (name, context.operations.cancel(name).await) });
    let mut answers = calls.buffer_unordered(context.settings.number("concurrency")?.max(1));
    while let Some((name, answer)) = answers.next().await {
        match answer {
            Ok(()) => context
                .terminal
                .say(&format!("asked the server to cancel {name}")),
            Err(status) => {
                let failure = context.failed(&status, &format!("cannot cancel {name}"));
                context.terminal.fail(&failure);
            }
        }
    }
    Ok(())
}

/// Follows operations that this command has started or cancelled.
pub(crate) fn follow<'a>(
    names: &'a [String],
    timeout: Option<Duration>,
    verb: &'static str,
) -> Follow<'a> {
    Follow {
        names,
        watch: false,
        timeout,
        any: false,
        if_missing: IfMissing::Error,
        verb,
        changes: false,
        reached: None,
    }
}
