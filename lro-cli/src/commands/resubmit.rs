//! `lro resubmit`: ended operations again, with the same request or an edited one.

use futures_util::{StreamExt as _, stream};
use lro_core::inspection::{
    OperationRecord, ResubmitOperationRequest, operation_record::Redaction,
};
use lro_core::pb;
use prost_types::Any;

use crate::args::{Resubmit, Until};
use crate::commands::start::edit_stored;
use crate::context::Context;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::inspection::Inspection;
use crate::output::Output;
use crate::show;

pub(crate) async fn run(context: &Context, args: &Resubmit) -> Result<Exit, Failure> {
    let output = context.settings.text("output");
    let output = output.map(Output::parse).transpose()?;
    context.writable("resubmit")?;
    let names = context.names(&args.names).await?;
    let inspection = Inspection::required(context, "resubmit").await?;
    let mut started = Vec::new();
    let mut exits = Vec::new();
    // An editor takes one request at a time.
    let at_once = match args.edit {
        true => 1,
        false => context.settings.number("concurrency")?.max(1),
    };
    let calls = stream::iter(&names).map(|name| {
        let inspection = &inspection;
        async move { (name, resubmit(context, inspection, args, name).await) }
    });
    let mut answers = calls.buffered(at_once);
    while let Some((name, answer)) = answers.next().await {
        match answer {
            Ok(operation) => {
                let new = crate::neutral::line(&operation.name).into_owned();
                let old = crate::neutral::line(name);
                context.terminal.say(&format!("{new} started from {old}"));
                started.push(operation);
            }
            // The others are tried all the same.
            Err(failure) if names.len() > 1 => {
                context.terminal.fail(&failure);
                exits.push(failure.exit());
            }
            Err(failure) => return Err(failure),
        }
    }
    if !started.is_empty() && !exits.is_empty() {
        exits.push(Exit::Refused);
    }
    if !args.wait || started.is_empty() {
        write(context, started, output.as_ref()).await?;
        return Ok(Exit::of_several(exits));
    }
    let names: Vec<String> = started.into_iter().map(|it| it.name).collect();
    let follow = super::wait::follow(&names, args.timeout);
    let ends = follow.run(context).await?;
    let exit =
        super::wait::conclude(context, &follow, &ends, output.as_ref(), &Until::Done).await?;
    exits.push(exit);
    Ok(Exit::of_several(exits))
}

async fn write(
    context: &Context,
    started: Vec<pb::Operation>,
    output: Option<&Output>,
) -> Result<(), Failure> {
    let shower = context.shower()?;
    let mut shown = Vec::new();
    for operation in started {
        shown.push(shower.show(operation).await?);
    }
    match (output, &*shown) {
        (Some(Output::Json), [only]) => context.terminal.json(&show::pretty(&only.json)),
        (output, shown) => show::write(context, output.unwrap_or(&Output::Name), shown, ""),
    }
}

async fn resubmit(
    context: &Context,
    inspection: &Inspection,
    args: &Resubmit,
    name: &str,
) -> Result<pb::Operation, Failure> {
    let request = if args.edit {
        Some(edited(context, inspection, name).await?)
    } else {
        None
    };
    let request_id = uuid::Uuid::new_v4().to_string();
    let request = ResubmitOperationRequest {
        name: name.to_owned(),
        request,
        request_id,
    };
    let answer = inspection.resubmit(request).await;
    answer.map_err(|status| {
        let failure = context.failed(&status, &format!("cannot resubmit {name}"));
        match failure.exit() {
            Exit::Unknown => failure.advise("it may have started: see `lro list --limit 5`"),
            _ => failure,
        }
    })
}

/// The stored request after the user's editor.
async fn edited(context: &Context, inspection: &Inspection, name: &str) -> Result<Any, Failure> {
    let record = inspection.describe(name, context.unredacted()).await;
    let record = record
        .map_err(|status| context.failed(&status, &format!("cannot read the request of {name}")))?;
    check(&record, name)?;
    edit_stored(context, &record.method, record.request.unwrap_or_default()).await
}

/// A request that was redacted is not the one to send again.
fn check(record: &OperationRecord, name: &str) -> Result<(), Failure> {
    match record.request_redaction() {
        Redaction::Unspecified => Ok(()),
        _ => Err(Failure::usage(format!(
            "the server shows the request of {name} without its redacted fields"
        ))
        .advise("resubmit it as it is, or with --unredacted if you have the permission")),
    }
}
