//! `lro steps`: the recorded steps of an operation, and what an operator does about them.

mod tree;

use lro_core::inspection::list_steps_request::View;
use lro_core::inspection::operation_record::Redaction;
use lro_core::inspection::step::{Kind, State};
use lro_core::inspection::{Blocked, ListStepsResponse, Step};

use crate::args::{Steps as Args, StepsCommand};
use crate::context::Context;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::inspection::time;
use crate::output::Output;
use crate::show::pretty;
use crate::steps::Steps;

/// The message that all steps are.
const LISTED: &str = "lro.v1.ListStepsResponse";

pub(crate) async fn run(context: &Context, args: &Args) -> Result<Exit, Failure> {
    match (&args.command, &args.name) {
        (Some(StepsCommand::Forget { name, keys, later }), _) => {
            forget(context, name, keys, *later).await
        }
        (Some(StepsCommand::Unblock { name }), _) => unblock(context, name).await,
        (None, Some(name)) => list(context, name, args.values).await,
        (None, None) => Err(Failure::usage("`lro steps` needs the name of an operation")),
    }
}

/// The one operation that an argument stands for.
pub(crate) async fn one(context: &Context, name: &str) -> Result<String, Failure> {
    let mut names = context.names(&[name.to_owned()]).await?;
    match (names.pop(), names.pop()) {
        (Some(name), None) => Ok(name),
        _ => Err(Failure::usage("give the name of one operation")),
    }
}

async fn list(context: &Context, name: &str, values: bool) -> Result<Exit, Failure> {
    let output = context.output(Output::Table)?;
    let name = one(context, name).await?;
    let steps = Steps::required(context, "steps").await?;
    let full = values || output == Output::History || context.unredacted();
    let view = if full { View::Full } else { View::Basic };
    let all = steps.all(&name, view, context.unredacted()).await;
    let all =
        all.map_err(|status| context.failed(&status, &format!("cannot list the steps of {name}")))?;
    let (terminal, shower) = (&context.terminal, context.shower()?);
    match output {
        Output::Table | Output::Wide => {
            if all.steps.is_empty() {
                terminal.say("It has recorded no steps.");
            } else {
                let is_wide = output == Output::Wide || full;
                let table = tree::table(context, &all.steps, is_wide, full).await?;
                terminal.data(&table.draw(terminal))?;
            }
            advise(context, &name, &all)?;
        }
        Output::Json => {
            let document = shower.json_of(LISTED, &all).await?;
            terminal.json(&pretty(&document))?;
        }
        Output::History => {
            is_unredacted(&all)?;
            let document = shower.transparent_json_of(LISTED, &all).await?;
            terminal.json(&pretty(&document))?;
        }
        Output::Ndjson => {
            for step in &all.steps {
                terminal.json(&shower.json_of("lro.v1.Step", step).await?)?;
            }
        }
        Output::Name => all.steps.iter().try_for_each(|it| terminal.line(&it.key))?,
        Output::Value(_) | Output::Token => {
            return Err(Failure::usage(
                "steps are written as table, wide, json, ndjson, history or name",
            ));
        }
    }
    Ok(Exit::Done)
}

/// Refuses a history that no test could replay.
fn is_unredacted(all: &ListStepsResponse) -> Result<(), Failure> {
    let redacted = |redaction| redaction != Redaction::Unspecified;
    let mut steps = all.steps.iter();
    let what = match steps.find(|step| redacted(step.value_redaction())) {
        Some(step) => format!("the value of `{}`", step.key),
        None if redacted(all.checkpoint_redaction()) => "the checkpoint".to_owned(),
        None => return Ok(()),
    };
    let text = format!("the server has redacted {what}, and a history needs all values");
    Err(Failure::new(Exit::Refused, text)
        .advise("give --unredacted, which needs the permission operations.inspectUnredacted"))
}

/// Why it makes no progress, and the commands that do something about it.
fn advise(context: &Context, name: &str, all: &ListStepsResponse) -> Result<(), Failure> {
    let quoted = super::list::quoted(name);
    let terminal = &context.terminal;
    if let Some(Blocked {
        reason,
        count,
        retry_time,
    }) = &all.blocked
    {
        let runs = if *count == 1 { "run" } else { "runs" };
        let again = match time(retry_time.as_ref()) {
            Some(again) => format!(", again {}", context.times()?.write(again, context.now())),
            None => String::new(),
        };
        let reason = crate::neutral::line(reason);
        terminal.say(&format!("Blocked: {reason} ({count} {runs}{again})"));
        terminal.say(&format!(
            "At once: lro steps unblock {quoted}   Without a step: lro steps forget {quoted} STEP --later"
        ));
    }
    let waiting = all
        .steps
        .iter()
        .filter(|step| step.state() == State::Waiting && step.kind() == Kind::Promise);
    for step in waiting.take(3) {
        let key = super::list::quoted(&step.key);
        terminal.say(&format!("Complete: lro complete {quoted} {key} JSON"));
    }
    Ok(())
}

async fn forget(
    context: &Context,
    name: &str,
    keys: &[String],
    later: bool,
) -> Result<Exit, Failure> {
    context.writable("steps forget")?;
    let name = one(context, name).await?;
    let steps = Steps::required(context, "steps forget").await?;
    let mut keys = keys.to_vec();
    if later {
        let all = steps.all(&name, View::Basic, false).await;
        let all = all.map_err(|status| {
            context.failed(&status, &format!("cannot list the steps of {name}"))
        })?;
        with_later(&mut keys, &all.steps);
    }
    let forgotten = steps.forget(&name, &keys).await;
    forgotten.map_err(|status| {
        let failure = context.failed(&status, &format!("cannot forget steps of {name}"));
        match failure.exit() {
            Exit::NotFound | Exit::Usage => failure.advise(format!(
                "`lro steps {}` lists its steps",
                super::list::quoted(&name)
            )),
            Exit::Refused => {
                failure.advise("steps are forgotten while no worker runs the operation")
            }
            _ => failure,
        }
    })?;
    let count = keys.len();
    let (noun, them) = if count == 1 {
        ("step", "it")
    } else {
        ("steps", "them")
    };
    let name = crate::neutral::line(&name);
    context.terminal.say(&format!(
        "{count} {noun} of {name} forgotten: it runs {them} again"
    ));
    Ok(Exit::Done)
}

/// Adds the steps that were recorded after the first of these.
fn with_later(keys: &mut Vec<String>, all: &[Step]) {
    let named = all.iter().filter(|step| keys.contains(&step.key));
    let Some(first) = named.map(|step| step.sequence).min() else {
        return;
    };
    for step in all.iter().filter(|step| step.sequence > first) {
        if !keys.contains(&step.key) {
            keys.push(step.key.clone());
        }
    }
}

async fn unblock(context: &Context, name: &str) -> Result<Exit, Failure> {
    context.writable("steps unblock")?;
    let name = one(context, name).await?;
    let steps = Steps::required(context, "steps unblock").await?;
    let unblocked = steps.unblock(&name).await;
    unblocked.map_err(|status| context.failed(&status, &format!("cannot unblock {name}")))?;
    let name = crate::neutral::line(&name);
    context.terminal.say(&format!("{name} runs again at once"));
    Ok(Exit::Done)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_redacted_history_is_refused() {
        let mut all = ListStepsResponse::default();
        assert!(is_unredacted(&all).is_ok());
        all.set_checkpoint_redaction(Redaction::FieldsCleared);
        let refused = is_unredacted(&all).unwrap_err();
        assert_eq!(refused.exit(), Exit::Refused);
        assert!(
            refused.to_string().contains("redacted the checkpoint"),
            "{refused}"
        );
        all.steps.push(Step {
            key: "ask".to_owned(),
            value_redaction: Redaction::Withheld.into(),
            ..Step::default()
        });
        let refused = is_unredacted(&all).unwrap_err().to_string();
        assert!(
            refused.contains("the value of `ask`") && refused.contains("--unredacted"),
            "{refused}"
        );
    }
}
