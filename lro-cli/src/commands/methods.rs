//! `lro methods` and `lro services`: what a server offers, by reflection and descriptor sets.

use serde_json::json;

use crate::commands::count::number;
use crate::context::Context;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::inspection::{Inspection, short_method, time};
use crate::output::{Column, Output, Row, Table, age};
use crate::types::{operation_info, starts_operation};

pub(crate) async fn methods(context: &Context) -> Result<Exit, Failure> {
    let output = context.output(Output::Table)?;
    let (all, has_reflection) = context.types.methods().await?;
    let mut found: Vec<_> = all.into_iter().filter(starts_operation).collect();
    found.sort_by(|left, right| left.full_name().cmp(right.full_name()));
    if found.is_empty() {
        explain(context, has_reflection, "methods that start operations");
    }
    let rows = found.iter().map(|method| {
        let service = method.parent_service().full_name().to_owned();
        let (response, metadata) = operation_info(method);
        [
            format!("{service}/{}", method.name()),
            method.input().full_name().to_owned(),
            response,
            metadata,
        ]
    });
    let titles = ["METHOD", "REQUEST", "RESPONSE", "METADATA"];
    write(context, &output, titles, rows.collect())?;
    if output.is_for_people() && !context.terminal.quiet {
        backlog(context).await?;
    }
    Ok(Exit::Done)
}

/// Says which methods have operations that wait for a worker, where the inspection service tells it.
async fn backlog(context: &Context) -> Result<(), Failure> {
    let Some(inspection) = Inspection::of(context).await? else {
        return Ok(());
    };
    // It needs the permission of an operator.
    let methods = inspection.methods().await.unwrap_or_default().methods;
    for method in methods.iter().filter(|it| it.ready > 0) {
        let count = number(usize::try_from(method.ready).unwrap_or_default(), false);
        let oldest = time(method.oldest_ready_time.as_ref());
        let oldest = oldest.map(|it| format!(", the oldest for {}", age(context.now().since(it))));
        let hosted = if method.hosted {
            ""
        } else {
            "; no worker of the process that answered runs it"
        };
        context.terminal.say(&format!(
            "{} has {count} waiting for a worker{}{hosted}",
            short_method(&method.method),
            oldest.unwrap_or_default(),
        ));
    }
    Ok(())
}

pub(crate) async fn services(context: &Context) -> Result<Exit, Failure> {
    let output = context.output(Output::Table)?;
    let reflected = context.types.services().await?;
    let (all, _) = context.types.methods().await?;
    let names = match &reflected {
        Some(names) => names.clone(),
        None => {
            let mut names: Vec<String> = all
                .iter()
                .map(|it| it.parent_service().full_name().to_owned())
                .collect();
            names.dedup();
            // Known here, and no word of the server's.
            names.retain(|name| !name.starts_with("google."));
            names
        }
    };
    if names.is_empty() {
        explain(context, reflected.is_some(), "services");
    }
    let rows = names.iter().map(|name| {
        let methods: Vec<_> = all
            .iter()
            .filter(|it| it.parent_service().full_name() == name)
            .collect();
        let starting = methods.iter().filter(|it| starts_operation(it)).count();
        let calls = match &**name {
            "google.longrunning.Operations" => "get, list, wait, cancel, delete",
            _ => "",
        };
        [
            name.clone(),
            methods.len().to_string(),
            starting.to_string(),
            calls.to_owned(),
        ]
    });
    let titles = ["SERVICE", "METHODS", "STARTING", "CALLS"];
    write(context, &output, titles, rows.collect())
}

fn explain(context: &Context, has_reflection: bool, what: &str) {
    let why = if has_reflection {
        format!("The server shows no {what}.")
    } else {
        format!("The server has no reflection: give --descriptor-set to see {what}.")
    };
    context.terminal.say(&why);
}

/// Writes rows of four texts.
fn write(
    context: &Context,
    output: &Output,
    titles: [&'static str; 4],
    rows: Vec<[String; 4]>,
) -> Result<Exit, Failure> {
    let terminal = &context.terminal;
    let object = |row: &[String; 4]| {
        let members = titles
            .iter()
            .zip(row)
            .map(|(title, cell)| (title.to_lowercase(), serde_json::Value::from(cell.clone())));
        serde_json::Value::Object(members.collect())
    };
    match output {
        Output::Table | Output::Wide => {
            if rows.is_empty() {
                return Ok(Exit::Done);
            }
            let table = Table {
                columns: titles.map(|title| Column { title }).to_vec(),
                rows: rows
                    .into_iter()
                    .map(|cells| Row {
                        cells: cells.to_vec(),
                        failed: false,
                        paint: None,
                    })
                    .collect(),
            };
            terminal.data(&table.draw(terminal))?;
        }
        Output::Json => {
            let all: Vec<_> = rows.iter().map(object).collect();
            terminal.json(&crate::show::pretty(&json!(all).to_string()))?;
        }
        Output::Ndjson => {
            for row in &rows {
                terminal.json(&object(row).to_string())?;
            }
        }
        Output::Name => {
            for [name, ..] in &rows {
                terminal.line(name)?;
            }
        }
        Output::Value(fields) => {
            for row in &rows {
                let object = object(row);
                let cells = fields.iter().map(|field| {
                    let text = crate::output::cell(crate::output::lookup(&object, field));
                    terminal.cell(&text).into_owned()
                });
                terminal.data(&format!("{}\n", cells.collect::<Vec<_>>().join("\t")))?;
            }
        }
        Output::Token | Output::History => {
            return Err(Failure::usage("only operations have resume tokens"));
        }
    }
    Ok(Exit::Done)
}
