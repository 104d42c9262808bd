//! `lro filter`: the fields that filters of this server may name.

use std::collections::BTreeSet;

use crate::complete::payload_fields;
use crate::context::Context;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::{Column, Output, Row, Table};

/// The fields of every operation, with their types.
const FIELDS: [(&str, &str); 15] = [
    ("name", "string"),
    ("method", "string"),
    ("done", "bool"),
    (
        "state",
        "PENDING, RUNNING, CANCELLING, SUCCEEDED, FAILED or CANCELLED",
    ),
    ("create_time", "timestamp"),
    ("update_time", "timestamp"),
    ("start_time", "timestamp"),
    ("end_time", "timestamp"),
    ("expire_time", "timestamp"),
    ("attempt", "uint32"),
    ("error.code", "a code, such as NOT_FOUND"),
    ("error.message", "string"),
    ("labels.KEY", "string"),
    ("metadata.@type", "the name of a message"),
    ("response.@type", "the name of a message"),
];

pub(crate) async fn run(context: &Context) -> Result<Exit, Failure> {
    let output = context.output(Output::Table)?;
    let mut fields: Vec<(String, String)> = FIELDS
        .iter()
        .map(|(name, kind)| ((*name).to_owned(), (*kind).to_owned()))
        .collect();
    for payload in ["metadata", "response"] {
        let own: BTreeSet<(String, String)> = payload_fields(context, payload).await?;
        fields.extend(own);
    }
    let terminal = &context.terminal;
    let object =
        |(field, kind): &(String, String)| serde_json::json!({ "field": field, "type": kind });
    match output {
        Output::Table | Output::Wide => {
            let rows = fields.into_iter().map(|(field, kind)| Row {
                cells: vec![field, kind],
                failed: false,
                paint: None,
            });
            let table = Table {
                columns: ["FIELD", "TYPE"].map(|title| Column { title }).into(),
                rows: rows.collect(),
            };
            terminal.data(&table.draw(terminal))?;
            terminal.say("The language: lro help filter");
        }
        Output::Name => fields
            .iter()
            .try_for_each(|(field, _)| terminal.line(field))?,
        Output::Ndjson => fields
            .iter()
            .try_for_each(|it| terminal.json(&object(it).to_string()))?,
        Output::Json => {
            let all: Vec<_> = fields.iter().map(object).collect();
            let all = serde_json::Value::from(all).to_string();
            terminal.json(&crate::show::pretty(&all))?;
        }
        Output::Value(_) | Output::Token | Output::History => {
            return Err(Failure::usage(
                "fields are written as table, name, json or ndjson",
            ));
        }
    }
    Ok(Exit::Done)
}
