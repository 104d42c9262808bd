//! `lro describe`: one operation, for people.

use crate::args::Describe;
use crate::context::Context;
use crate::details;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::{Output, age};
use crate::progress::{bar, percent};
use crate::show::{self, pretty};
use crate::shown::{Shown, State};

pub(crate) async fn run(context: &Context, args: &Describe) -> Result<Exit, Failure> {
    let output = context.output(Output::Table)?;
    let names = context.names(std::slice::from_ref(&args.name)).await?;
    let [name] = &*names else {
        return Err(Failure::usage("`lro describe` explains one operation")
            .advise("`lro get` shows several"));
    };
    let operation = context.operations.get(name).await;
    let operation =
        operation.map_err(|status| context.failed(&status, &format!("cannot get {name}")))?;
    let shown = context.shower()?.show(operation).await?;
    match output {
        Output::Table | Output::Wide => text(context, &shown)?,
        Output::Json => context.terminal.json(&pretty(&shown.json))?,
        output => show::write(context, &output, &[shown], "")?,
    }
    Ok(Exit::Done)
}

fn text(context: &Context, shown: &Shown) -> Result<(), Failure> {
    let terminal = &context.terminal;
    let times = context.times()?;
    let now = context.now();
    let row = |label: &str, value: &str| terminal.line(&format!("{label:<12} {value}"));
    row("name", shown.name())?;
    row("state", shown.state.name())?;
    if let Some(created) = shown.created() {
        row("created", &times.write(created, now))?;
    }
    if let Some(started) = shown.time(&["startTime"]) {
        row("started", &times.write(started, now))?;
    }
    if let Some(ended) = shown.ended() {
        row("ended", &times.write(ended, now))?;
    }
    if let Some(duration) = shown.duration() {
        row("took", &age(duration))?;
    }
    if let Some(progress) = shown
        .progress
        .as_ref()
        .filter(|_| shown.state == State::Running)
    {
        let (bar, percent) = (bar(progress.fraction), percent(progress.fraction));
        let text = format!("{bar} {percent}  {}", progress.text);
        row(
            "progress",
            &format!("{}  (by {})", text.trim_end(), progress.rule),
        )?;
    }
    if let Some((code, message)) = shown.error() {
        row("error", &format!("{code}: {message}"))?;
        for line in details::lines(&shown.tree) {
            terminal.line(&format!("  {line}"))?;
        }
    }
    for part in ["metadata", "response"] {
        if let Some(json) = member(&shown.json, part) {
            terminal.line(&format!("{part}:"))?;
            for line in pretty(&json).lines() {
                terminal.json(&format!("  {line}"))?;
            }
        }
    }
    match shown.state {
        State::Running => {
            terminal.say(&format!(
                "Watch: lro watch {0}   Cancel: lro cancel {0}",
                shown.name()
            ));
        }
        State::Succeeded | State::Failed | State::Cancelled => {}
    }
    Ok(())
}

/// A member of a JSON object as it is written there.
fn member(json: &str, name: &str) -> Option<String> {
    let members: std::collections::BTreeMap<String, Box<serde_json::value::RawValue>> =
        serde_json::from_str(json).ok()?;
    Some(members.get(name)?.get().to_owned())
}
