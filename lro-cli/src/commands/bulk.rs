//! `lro cancel` and `lro delete`: operations by name, or by a filter after a preview.

mod preview;
mod reason;

use std::collections::BTreeMap;

use futures_util::{StreamExt as _, stream};
use tonic::Status;

use super::list::quoted;
use crate::args::{Bulk, Cancel, Delete, Until};
use crate::context::Context;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::follow::{End, Ends, Seen};
use crate::output::{Output, TimeForm};
use crate::progress::bar;
use crate::shown::State;

/// The most operations that one command changes.
const MAX_MATCHES: usize = 1_000;

/// The change of the operations.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verb {
    Cancel,
    Delete,
}

impl Verb {
    fn name(self) -> &'static str {
        match self {
            Self::Cancel => "cancel",
            Self::Delete => "delete",
        }
    }
}

pub(crate) async fn cancel(context: &Context, args: &Cancel) -> Result<Exit, Failure> {
    let output = context
        .settings
        .text("output")
        .map(Output::parse)
        .transpose()?;
    context.writable("cancel")?;
    let client = reason::client(context, args.reason.as_deref())?;
    let Some(names) = chosen(context, &args.bulk, Verb::Cancel).await? else {
        return Ok(Exit::Done);
    };
    let calls = stream::iter(&names).map(|name| {
        let client = client.clone();
        async move { (name.clone(), client.cancel(name).await) }
    });
    let (accepted, mut exits) = answered(context, calls, Verb::Cancel).await?;
    if args.no_wait || accepted.is_empty() {
        if !accepted.is_empty() {
            context
                .terminal
                .say(&format!("asked to cancel {}", operations(accepted.len())));
        }
        return Ok(Exit::of_several(exits));
    }
    let follow = super::wait::follow(&accepted, args.timeout);
    let ends = follow.run(context).await?;
    if names.len() > 1 && ends.interrupted.is_none() {
        context.terminal.say(&summary(&ends, accepted.len()));
    }
    // That an operation succeeded first, or failed, is no fault of the cancellation.
    let quiet = quietly(&ends);
    let exit = super::wait::conclude(
        context,
        &follow,
        &quiet,
        output.as_ref().or(Some(&NOTHING)),
        &Until::Cancelled,
    )
    .await?;
    if ends.interrupted.is_some() {
        return Ok(exit);
    }
    for (_, end) in &ends.ends {
        exits.push(match end {
            End::Done(shown) if shown.state == State::Cancelled => Exit::Done,
            End::Done(_) => Exit::Refused,
            end => end.exit(),
        });
    }
    Ok(Exit::of_several(exits))
}

/// Writes nothing for an operation.
const NOTHING: Output = Output::Value(Vec::new());

pub(crate) async fn delete(context: &Context, args: &Delete) -> Result<Exit, Failure> {
    context.writable("delete")?;
    let client = reason::client(context, args.reason.as_deref())?;
    let Some(names) = chosen(context, &args.bulk, Verb::Delete).await? else {
        return Ok(Exit::Done);
    };
    let calls = stream::iter(&names).map(|name| {
        let client = client.clone();
        async move { (name.clone(), client.delete(name).await) }
    });
    let (deleted, exits) = answered(context, calls, Verb::Delete).await?;
    if !deleted.is_empty() {
        context
            .terminal
            .say(&format!("deleted {}", operations(deleted.len())));
    }
    Ok(Exit::of_several(exits))
}

/// Makes the calls. Returns the names that the server took, and the exit codes of the others.
async fn answered<F>(
    context: &Context,
    calls: impl futures_util::Stream<Item = F>,
    verb: Verb,
) -> Result<(Vec<String>, Vec<Exit>), Failure>
where
    F: Future<Output = (String, Result<(), Status>)>,
{
    let concurrency = context.settings.number("concurrency")?.max(1);
    let mut answers = Box::pin(calls.buffered(concurrency));
    let (mut taken, mut exits) = (Vec::new(), Vec::new());
    while let Some((name, answer)) = answers.next().await {
        match answer {
            Ok(()) => taken.push(name),
            Err(status) => {
                let doing = format!("cannot {} {name}", verb.name());
                let failure = context.failed(&status, &doing);
                context.terminal.fail(&failure);
                exits.push(failure.exit());
            }
        }
    }
    if !taken.is_empty() && !exits.is_empty() {
        // Some done, some refused: unless the reason is a worse one.
        exits.push(Exit::Refused);
    }
    Ok((taken, exits))
}

/// The operations to change, after what has to be confirmed. `None`: nothing is done.
async fn chosen(
    context: &Context,
    bulk: &Bulk,
    verb: Verb,
) -> Result<Option<Vec<String>>, Failure> {
    let Some(filter) = &bulk.filter else {
        let names = context.names(&bulk.names).await?;
        expected(bulk, names.len())?;
        if bulk.dry_run {
            let text = format!("would {} {}:", verb.name(), operations(names.len()));
            context.terminal.say(&text);
            names
                .iter()
                .try_for_each(|name| context.terminal.line(name))?;
            return Ok(None);
        }
        return Ok(Some(names));
    };
    let snapshot = context.now();
    let (mut found, more) = context.first(filter, MAX_MATCHES).await?;
    if verb == Verb::Cancel {
        found.retain(|operation| !operation.done);
    }
    let terminal = &context.terminal;
    if found.is_empty() {
        terminal.say("There are no such operations.");
        expected(bulk, 0)?;
        return Ok(None);
    }
    let records = preview::records(context, filter, found.len()).await?;
    let at = TimeForm::Utc.of_day(snapshot);
    for line in preview::lines(&found, &records, &at, more, terminal.ellipsis()) {
        terminal.tell(&line);
    }
    let unfinished = found.iter().filter(|it| !it.done).count();
    if verb == Verb::Delete && unfinished > 0 {
        terminal.tell(&format!(
            "{unfinished} of them still run: deleting them stops nothing on most servers"
        ));
    }
    let names: Vec<String> = found.into_iter().map(|operation| operation.name).collect();
    expected(bulk, names.len())?;
    if bulk.dry_run {
        names.iter().try_for_each(|name| terminal.line(name))?;
        return Ok(None);
    }
    confirm(context, bulk, verb, filter, names.len())?;
    Ok(Some(names))
}

fn expected(bulk: &Bulk, count: usize) -> Result<(), Failure> {
    match bulk.expect {
        Some(expected) if expected != count => Err(Failure::new(
            Exit::Refused,
            format!(
                "{} match, and --expect says {expected}; nothing was done",
                operations(count)
            ),
        )),
        _ => Ok(()),
    }
}

/// Asks for the count. `CI=true` never means yes.
fn confirm(
    context: &Context,
    bulk: &Bulk,
    verb: Verb,
    filter: &str,
    count: usize,
) -> Result<(), Failure> {
    let name = verb.name();
    let command = context.again(&format!(
        "{name} --filter {} -y --expect {count}",
        quoted(filter)
    ));
    if bulk.yes {
        if bulk.expect.is_some() {
            return Ok(());
        }
        return Err(
            Failure::usage("-y with --filter needs --expect: what matches may change")
                .advise(command),
        );
    }
    if !context.environment.stdin_is_terminal {
        return Err(
            Failure::usage("nothing was done: there is no terminal to ask on")
                .advise(format!("to confirm, run: {command}")),
        );
    }
    let mut title = name.to_owned();
    title[..1].make_ascii_uppercase();
    context
        .terminal
        .ask(&format!("{title} them? Type {count} to continue: "));
    if context.answer().as_deref() == Some(&*count.to_string()) {
        return Ok(());
    }
    Err(Failure::usage("nothing was done: that is not the count"))
}

fn operations(count: usize) -> String {
    if count == 1 {
        "1 operation".to_owned()
    } else {
        format!("{count} operations")
    }
}

/// How the operations of a bulk cancellation ended.
fn summary(ends: &Ends, asked: usize) -> String {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for (_, end) in &ends.ends {
        let word = match end {
            End::Done(shown) => match shown.state {
                State::Cancelled => "1cancelled",
                State::Succeeded => "2succeeded first",
                State::Failed => "3failed",
                State::Running => "4still running",
            },
            End::TimedOut(Seen::Running) | End::Reached(_) => "4still running",
            End::TimedOut(_) | End::Missing | End::Lost(_) => "5unknown",
        };
        *counts.entry(word).or_default() += 1;
    }
    let ended = ends
        .ends
        .iter()
        .filter(|(_, end)| matches!(end, End::Done(_)))
        .count();
    let parts: Vec<String> = counts
        .iter()
        .map(|(word, count)| format!("{count} {}", &word[1..]))
        .collect();
    let fraction = ended as f64 / asked.max(1) as f64;
    format!(
        "{} {ended} of {asked}   {}",
        bar(fraction),
        parts.join(", ")
    )
}

/// The ends without those that are as they should be, which need no message.
fn quietly(ends: &Ends) -> Ends {
    let told = ends
        .ends
        .iter()
        .filter(|(_, end)| !matches!(end, End::Done(shown) if shown.state == State::Cancelled));
    Ends {
        ends: told.cloned().collect(),
        left: ends.left.clone(),
        interrupted: ends.interrupted,
    }
}
