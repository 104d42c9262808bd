//! `lro workers`: the workers of the process that answers.

use lro_core::inspection::{ListWorkersResponse, Worker};

use crate::context::Context;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::inspection::{Inspection, short_method};
use crate::output::{Column, Output, Row, Table};
use crate::show::pretty;

pub(crate) async fn run(context: &Context) -> Result<Exit, Failure> {
    let output = context.output(Output::Table)?;
    let inspection = Inspection::required(context, "workers").await?;
    let answer = inspection.workers().await;
    let answer = answer.map_err(|status| context.failed(&status, "cannot list workers"))?;
    let terminal = &context.terminal;
    match output {
        Output::Table | Output::Wide => {
            if answer.workers.is_empty() {
                terminal.say("The process that answered has no workers.");
            } else {
                terminal.data(&table(&answer).draw(terminal))?;
            }
            if answer.store_is_shared {
                terminal.say(
                    "Only the process that answered: others may have workers on the same store.",
                );
            }
        }
        Output::Name => answer
            .workers
            .iter()
            .try_for_each(|it| terminal.line(&it.worker))?,
        Output::Json => terminal.json(&pretty(&json(context, &answer)?))?,
        Output::Ndjson => terminal.json(&json(context, &answer)?)?,
        _ => {
            return Err(Failure::usage(
                "workers are written as table, wide, json, ndjson or name",
            ));
        }
    }
    Ok(Exit::Done)
}

fn table(answer: &ListWorkersResponse) -> Table {
    let titles = ["WORKER", "STATE", "BUSY", "SLOTS", "METHODS"];
    let rows = answer.workers.iter().map(|worker| Row {
        cells: vec![
            worker.worker.clone(),
            state(worker).to_owned(),
            worker.slots.saturating_sub(worker.free_slots).to_string(),
            worker.slots.to_string(),
            methods(worker),
        ],
        failed: false,
        paint: None,
    });
    Table {
        columns: titles.map(|title| Column { title }).into(),
        rows: rows.collect(),
    }
}

fn state(worker: &Worker) -> &'static str {
    if worker.stalled {
        "STALLED"
    } else if worker.draining {
        "DRAINING"
    } else if worker.trying_alone {
        "TRYING_ALONE"
    } else {
        "RUNNING"
    }
}

/// The methods, with busy and all slots of those with a limit of their own.
fn methods(worker: &Worker) -> String {
    let methods = worker.methods.iter().map(|it| {
        let name = short_method(&it.method);
        match it.slots {
            0 => name.to_owned(),
            slots => format!("{name} {}/{slots}", slots.saturating_sub(it.free_slots)),
        }
    });
    methods.collect::<Vec<_>>().join(", ")
}

fn json(context: &Context, answer: &ListWorkersResponse) -> Result<String, Failure> {
    let name = "lro.v1.ListWorkersResponse";
    context.shower()?.json(name, answer)
}
