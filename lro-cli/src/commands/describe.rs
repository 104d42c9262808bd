//! `lro describe`: one operation, for people.

mod record;

use lro_core::inspection::{OperationRecord, operation_record};

use tonic::{Code, Status};

use crate::args::Describe;
use crate::context::Context;
use crate::details;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::inspection::{Inspection, is_withheld};
use crate::output::{Output, age};
use crate::progress::{bar, percent};
use crate::show::{self, pretty};
use crate::shown::{Shown, State};

/// How wide the labels before the values are.
const LABEL: usize = 12;

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
    let record = record_of(context, name).await?;
    let shown = context.shower()?.show(operation).await?.with_record(record);
    match output {
        Output::Table | Output::Wide => text(context, args, &shown).await?,
        Output::Json => {
            let document = document(context, &shown).await?;
            context.terminal.json(&pretty(&document))?;
        }
        output => show::write(context, &output, &[shown], "")?,
    }
    Ok(Exit::Done)
}

/// The answer of the inspection service, where the server has it and the caller may see it.
async fn record_of(context: &Context, name: &str) -> Result<Option<OperationRecord>, Failure> {
    let Some(inspection) = Inspection::of(context).await? else {
        return Ok(None);
    };
    let mut answer = inspection.describe(name, context.unredacted()).await;
    let is_denied =
        |status: &Status| context.unredacted() && status.code() == Code::PermissionDenied;
    if answer.as_ref().is_err_and(is_denied) {
        let note = "note: you have no permission for --unredacted: the record is redacted";
        context.terminal.note(note);
        answer = inspection.describe(name, false).await;
    }
    match answer {
        Ok(record) => Ok(Some(record)),
        Err(status) if is_withheld(&status) => {
            let message = crate::neutral::line(status.message()).into_owned();
            context.terminal.note(&format!(
                "note: the server does not tell the record: {message}"
            ));
            Ok(None)
        }
        Err(status) => Err(context.failed(&status, &format!("cannot describe {name}"))),
    }
}

/// The operation, with the record beside its members.
async fn document(context: &Context, shown: &Shown) -> Result<String, Failure> {
    let Some(record) = &shown.record else {
        return Ok(shown.json.clone());
    };
    // The operation is there already, as new as the record or newer.
    let mut record = (**record).clone();
    record.operation = None;
    let record = context
        .shower()?
        .json_of("lro.v1.OperationRecord", &record)
        .await?;
    let members = shown.json.trim_start_matches('{').trim_end_matches('}');
    let end = &shown.json[..shown.json.len() - 1];
    Ok(match members {
        "" => format!("{{\"inspection\":{record}}}"),
        _ => format!("{end},\"inspection\":{record}}}"),
    })
}

async fn text(context: &Context, args: &Describe, shown: &Shown) -> Result<(), Failure> {
    let terminal = &context.terminal;
    let times = context.times()?;
    let now = context.now();
    let row = |label: &str, value: &str| terminal.line(&format!("{label:<LABEL$} {value}"));
    row("name", shown.name())?;
    row("state", shown.state_name())?;
    if let Some(record) = &shown.record {
        record::facts(context, record)?;
    }
    if let Some(created) = shown.created() {
        row("created", &times.write(created, now))?;
    }
    if let Some(started) = shown.started() {
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
    if let Some(record) = &shown.record {
        record::attempts(context, record)?;
    }
    for part in ["metadata", "response"] {
        if let Some(json) = member(&shown.json, part) {
            block(context, part, &json)?;
        }
    }
    if args.show_request {
        request(context, shown.record.as_deref()).await?;
    }
    next_steps(context, shown);
    Ok(())
}

async fn request(context: &Context, record: Option<&OperationRecord>) -> Result<(), Failure> {
    let terminal = &context.terminal;
    let Some(record) = record else {
        terminal.say("note: the server does not tell the request");
        return Ok(());
    };
    match record.request_redaction() {
        operation_record::Redaction::Withheld => {
            terminal.say(
                "note: the server withholds the request: it does not know the proto of its type",
            );
            return Ok(());
        }
        operation_record::Redaction::FieldsCleared => {
            terminal.say("note: the server has cleared redacted fields of the request");
        }
        operation_record::Redaction::Unspecified => {}
    }
    let Some(request) = &record.request else {
        return Ok(());
    };
    let shower = context.shower()?;
    let json = shower.json_of("google.protobuf.Any", request).await?;
    block(context, "request", &json)
}

fn block(context: &Context, title: &str, json: &str) -> Result<(), Failure> {
    let terminal = &context.terminal;
    terminal.line(&format!("{title}:"))?;
    let text = pretty(json);
    text.lines()
        .try_for_each(|line| terminal.json(&format!("  {line}")))
}

fn next_steps(context: &Context, shown: &Shown) {
    let name = super::list::quoted(shown.name());
    if let Some(record) = &shown.record
        && !record.parent_operation.is_empty()
    {
        let parent = super::list::quoted(&record.parent_operation);
        let parent = context.again(&format!("steps {parent}"));
        context.terminal.say(&format!("Parent: {parent}"));
    }
    match shown.state {
        State::Running => context.terminal.say(&format!(
            "Watch: {}   Cancel: {}",
            context.again(&format!("watch {name}")),
            context.again(&format!("cancel {name}"))
        )),
        State::Failed | State::Cancelled if shown.record.is_some() => {
            let again = context.again(&format!("resubmit {name} --edit"));
            context.terminal.say(&format!("Again: {again}"));
        }
        State::Succeeded | State::Failed | State::Cancelled => {}
    }
}

/// A member of a JSON object as it is written there.
fn member(json: &str, name: &str) -> Option<String> {
    let members: std::collections::BTreeMap<String, Box<serde_json::value::RawValue>> =
        serde_json::from_str(json).ok()?;
    Some(members.get(name)?.get().to_owned())
}
