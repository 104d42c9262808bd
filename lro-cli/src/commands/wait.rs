//! `lro wait` and `lro watch`.

use std::time::Duration;

use futures_util::{StreamExt as _, stream};
use lro_client::ExponentialBackoff;
use lro_core::inspection::OperationRecord;

use crate::args::{IfMissing, Until, Wait, Watch};
use crate::context::Context;
use crate::details;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::follow::again::Again;
use crate::follow::{End, Ends, Follow, MAX_MATCHES, Seen};
use crate::inspection::Inspection;
use crate::local_filter::LocalFilter;
use crate::output::{Output, age};
use crate::show::{self, pretty};
use crate::shown::{Shown, State};

pub(crate) async fn wait(context: &Context, args: &Wait) -> Result<Exit, Failure> {
    run(context, args, None).await
}

pub(crate) async fn watch(context: &Context, args: &Watch) -> Result<Exit, Failure> {
    run(context, &args.wait, Some(args)).await
}

async fn run(context: &Context, args: &Wait, watch: Option<&Watch>) -> Result<Exit, Failure> {
    let output = context
        .settings
        .text("output")
        .map(Output::parse)
        .transpose()?;
    let reached = match &args.until {
        Until::Matches(filter) => Some(LocalFilter::new(filter)?),
        Until::Done | Until::Cancelled => None,
    };
    let names = match &args.filter {
        None => context.names(&args.names).await?,
        Some(filter) => matching(context, args, filter).await?,
    };
    let follow = Follow {
        names: &names,
        later: args.filter.as_deref().filter(|_| args.follow),
        watch: watch.is_some(),
        timeout: args.timeout,
        any: args.any,
        if_missing: args.if_missing,
        again: Again::of(context, args, watch),
        cancel_on_timeout: args.cancel_on_timeout,
        changes: watch.is_some() && output == Some(Output::Ndjson),
        differences: watch.is_some_and(|it| it.changes),
        reached: reached.as_ref(),
    };
    let ends = follow.run(context).await?;
    if args.cancel_on_timeout {
        cancel_late(context, &ends).await?;
    }
    conclude(context, &follow, &ends, output.as_ref(), &args.until).await
}

/// The operations that match now. Without any, `--if-missing` decides.
async fn matching(context: &Context, args: &Wait, filter: &str) -> Result<Vec<String>, Failure> {
    let began = tokio::time::Instant::now();
    let pauses = ExponentialBackoff::new(Duration::from_millis(250), Duration::from_secs(10));
    let mut index = 0;
    loop {
        let (found, more) = context.first(filter, MAX_MATCHES).await?;
        if more {
            let text = format!("note: waiting for the newest {MAX_MATCHES} of more that match");
            context.terminal.say(&text);
        }
        if !found.is_empty() {
            return Ok(found.into_iter().map(|operation| operation.name).collect());
        }
        let none = "there are no operations that match";
        match args.if_missing {
            IfMissing::Ok => {
                context.terminal.say(&format!("note: {none}"));
                return Ok(Vec::new());
            }
            IfMissing::Error => {
                return Err(Failure::new(Exit::NotFound, none)
                    .advise("write --if-missing wait to wait for one, or --if-missing ok")
                    .server(&context.server()));
            }
            IfMissing::Wait => {}
        }
        let pause = pauses.delay(index);
        index += 1;
        if args.timeout.is_some_and(|it| began.elapsed() + pause >= it) {
            let limit = age(args.timeout.unwrap_or_default());
            return Err(
                Failure::new(Exit::TimedOut, format!("{none} after {limit}"))
                    .server(&context.server()),
            );
        }
        tokio::time::sleep(pause).await;
    }
}

/// How many failed operations are explained with their records.
const MAX_RECORDS: usize = 10;

/// Writes what the operations ended with, and decides on the exit code.
pub(crate) async fn conclude(
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
    for (index, (name, end)) in ends.ends.iter().enumerate() {
        let record = match end {
            // After Ctrl-C the command ends at once, without another call.
            _ if ends.interrupted.is_some() => None,
            End::Done(shown) if shown.state == State::Failed && index < MAX_RECORDS => {
                record(context, name).await
            }
            _ => None,
        };
        explain(context, follow, name, end, record.as_ref());
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
        Some(Output::Json) if follow.is_one() => done
            .iter()
            .try_for_each(|it| context.terminal.json(&pretty(&it.json))),
        Some(output) => show::write(context, output, done, ""),
        // Before the end there is no response.
        None if follow.is_one() && follow.reached.is_none() => {
            let mut responses = done.iter().filter_map(Shown::response);
            responses.try_for_each(|json| context.terminal.json(&json))
        }
        // Which response is whose, is in the operation.
        None => done
            .iter()
            .try_for_each(|it| context.terminal.json(&it.json)),
    }
}

/// The record of an operation that failed, where the server tells it: for people only.
async fn record(context: &Context, name: &str) -> Option<OperationRecord> {
    if context.terminal.quiet {
        return None;
    }
    let inspection = Inspection::of(context).await.ok()??;
    inspection.describe(name, false).await.ok()
}

/// Says why there is no response.
fn explain(
    context: &Context,
    follow: &Follow<'_>,
    name: &str,
    end: &End,
    record: Option<&OperationRecord>,
) {
    let terminal = &context.terminal;
    let safe = crate::neutral::line(name);
    match end {
        End::Done(shown) => match shown.state {
            State::Failed | State::Cancelled => failed(context, shown, record),
            State::Succeeded if follow.reached.is_some() => {
                terminal.tell(&format!("{safe} succeeded, and does not match --until"));
            }
            State::Running | State::Succeeded => {}
        },
        End::Reached(_) => {}
        End::TimedOut(seen) => {
            let limit = age(follow.timeout.unwrap_or(Duration::ZERO));
            terminal.tell(&match seen {
                Seen::Running if follow.cancel_on_timeout => {
                    format!("{safe} still runs after {limit}")
                }
                Seen::Running => format!("{safe} still runs after {limit}; nothing was cancelled"),
                Seen::Missing => format!("there is no operation {safe} after {limit}"),
                Seen::Nothing => format!(
                    "the server told nothing of {safe} within {limit}: this says nothing about the operation"
                ),
            });
            let again = follow.again.command(context, &super::list::quoted(name));
            terminal.say(&format!("Continue: {again}"));
        }
        End::Missing => terminal.say(&format!("note: there is no operation {safe}")),
        End::Lost(failure) => terminal.fail(failure),
    }
}

fn failed(context: &Context, shown: &Shown, record: Option<&OperationRecord>) {
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
    let attempt = record.and_then(|record| {
        let most = record.policy.as_ref()?.max_attempts;
        (record.attempt > 0).then(|| format!(", in attempt {} of {most}", record.attempt))
    });
    let attempt = attempt.unwrap_or_default();
    terminal.tell(&format!(
        "{} {name} {word}{took}{attempt}",
        terminal.cross()
    ));
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
        let name = super::list::quoted(shown.name());
        let again = match record {
            Some(_) => {
                let again = context.again(&format!("resubmit {name} --edit"));
                format!("Again: {again}   ")
            }
            None => String::new(),
        };
        let details = context.again(&format!("describe {name}"));
        terminal.say(&format!("{again}Details: {details}"));
    }
}

async fn cancel_late(context: &Context, ends: &Ends) -> Result<(), Failure> {
    context.writable("cancel")?;
    let late = ends
        .ends
        .iter()
        .filter(|(_, end)| matches!(end, End::TimedOut(Seen::Running)));
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
pub(crate) fn follow<'a>(names: &'a [String], timeout: Option<Duration>) -> Follow<'a> {
    Follow {
        names,
        later: None,
        watch: false,
        timeout,
        any: false,
        if_missing: IfMissing::Error,
        again: Again::wait(),
        cancel_on_timeout: false,
        changes: false,
        differences: false,
        reached: None,
    }
}
