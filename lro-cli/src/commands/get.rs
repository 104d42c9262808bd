//! `lro get`: operations as they are now.

use std::time::Duration;

use futures_util::{StreamExt as _, stream};
use lro_client::ExponentialBackoff;
use lro_core::pb;
use tonic::{Code, Status};

use crate::args::{Get, IfMissing};
use crate::context::Context;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::Output;
use crate::show;

pub(crate) async fn run(context: &Context, args: &Get) -> Result<Exit, Failure> {
    let output = context.output(Output::Table)?;
    let names = context.names(&args.names).await?;
    let concurrency = context.settings.number("concurrency")?.max(1);
    let calls = stream::iter(&names)
        .map(|name| async move { (name, get(context, name, args.if_missing).await) });
    let mut answers = calls.buffered(concurrency);
    let shower = context.shower()?;
    let mut found = Vec::new();
    let mut exits = Vec::new();
    while let Some((name, answer)) = answers.next().await {
        match answer {
            Ok(operation) => {
                let shown = shower.show(operation).await?;
                if output == Output::Ndjson {
                    context.terminal.json(&shown.json)?;
                } else {
                    found.push(shown);
                }
            }
            Err(status) if status.code() == Code::NotFound && args.if_missing == IfMissing::Ok => {
                context
                    .terminal
                    .say(&format!("note: there is no operation {name}"));
            }
            Err(status) => {
                let failure = context.failed(&status, &format!("cannot get {name}"));
                context.terminal.fail(&failure);
                exits.push(failure.exit());
            }
        }
    }
    let single = args.names.len() == 1 && args.names[0] != "-";
    match &output {
        Output::Ndjson => {}
        // Names without an operation stand on stderr.
        Output::Table | Output::Wide if found.is_empty() => {}
        Output::Json if single => {
            for shown in &found {
                context.terminal.json(&show::pretty(&shown.json))?;
            }
        }
        _ => show::write(context, &output, &found, "")?,
    }
    Ok(Exit::of_several(exits))
}

async fn get(
    context: &Context,
    name: &str,
    if_missing: IfMissing,
) -> Result<pb::Operation, Status> {
    let pauses = ExponentialBackoff::new(Duration::from_millis(250), Duration::from_secs(10));
    let mut index = 0;
    loop {
        let answer = context.operations.get(name).await;
        match &answer {
            Err(status) if status.code() == Code::NotFound && if_missing == IfMissing::Wait => {
                tokio::time::sleep(pauses.delay(index)).await;
                index += 1;
            }
            _ => return answer,
        }
    }
}
