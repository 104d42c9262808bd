//! `lro count`: operations by state, and by method where the server tells it, up to a bound.

use std::collections::BTreeMap;

use lro_core::inspection::{CountOperationsRequest, CountOperationsResponse};

use crate::args::Count;
use crate::context::Context;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::inspection::{Inspection, short_method, time};
use crate::output::Output;
use crate::shown::State;

pub(crate) async fn run(context: &Context, args: &Count) -> Result<Exit, Failure> {
    let output = context.output(Output::Table)?;
    let filter = args.filter.clone().unwrap_or_default();
    if let Some(counts) = counted(context, &filter, args.bound).await? {
        return write(context, &output, &counts);
    }
    let as_of = context.now();
    let (found, more) = context.first(&filter, args.bound).await?;
    let mut counts: BTreeMap<State, usize> = BTreeMap::new();
    for operation in &found {
        *counts.entry(State::of(operation)).or_default() += 1;
    }
    let terminal = &context.terminal;
    let times = crate::output::TimeForm::Utc;
    let as_of = times.write(as_of, as_of);
    match output {
        Output::Table | Output::Wide => {
            for (state, count) in &counts {
                terminal.line(&format!("{:<10} {:>9}", state.name(), number(*count, more)))?;
            }
            let total = number(found.len(), more);
            terminal.line(&format!("{:<10} {total:>9}", "total"))?;
            if more {
                terminal.say(&format!(
                    "Counted the newest {} of more, as of {as_of}; count further with --bound",
                    found.len()
                ));
            }
            Ok(Exit::Done)
        }
        Output::Json | Output::Ndjson => {
            let counts: serde_json::Map<String, serde_json::Value> = counts
                .iter()
                .map(|(state, count)| (state.name().to_owned(), (*count).into()))
                .collect();
            let document = serde_json::json!({
                "asOf": as_of,
                "counts": counts,
                "total": found.len(),
                "more": more,
            });
            terminal.json(&document.to_string())?;
            Ok(Exit::Done)
        }
        _ => Err(Failure::usage(
            "a count is written as table, json or ndjson",
        )),
    }
}

/// The counts of the inspection service. `None` if the server does not tell: then the list does, with
/// the fault of the filter if it has one.
async fn counted(
    context: &Context,
    filter: &str,
    bound: usize,
) -> Result<Option<CountOperationsResponse>, Failure> {
    let Some(inspection) = Inspection::of(context).await? else {
        return Ok(None);
    };
    let request = CountOperationsRequest {
        parent: context.parent(),
        filter: filter.to_owned(),
        max_examined: i32::try_from(bound.max(1)).unwrap_or(i32::MAX),
        group_by: Vec::new(),
    };
    Ok(inspection.count(request).await.ok())
}

fn write(
    context: &Context,
    output: &Output,
    counts: &CountOperationsResponse,
) -> Result<Exit, Failure> {
    let terminal = &context.terminal;
    let as_of = time(counts.as_of.as_ref()).unwrap_or_else(|| context.now());
    let as_of = crate::output::TimeForm::Utc.write(as_of, as_of);
    let size = |count: i64| usize::try_from(count).unwrap_or(0);
    match output {
        Output::Table | Output::Wide => {
            for group in &counts.counts {
                let state = group.state().as_str_name();
                let count = number(size(group.count), !group.exact);
                let method = short_method(&group.method);
                terminal.line(&format!("{state:<10} {count:>9}  {method}"))?;
            }
            let total = number(size(counts.total), !counts.exact);
            terminal.line(&format!("{:<10} {total:>9}", "total"))?;
            if !counts.exact {
                terminal.say(&format!(
                    "There are more, as of {as_of}; count further with --bound"
                ));
            }
            Ok(Exit::Done)
        }
        Output::Json | Output::Ndjson => {
            let mut by_state: BTreeMap<&str, i64> = BTreeMap::new();
            for group in &counts.counts {
                *by_state.entry(group.state().as_str_name()).or_default() += group.count;
            }
            let groups: Vec<_> = counts
                .counts
                .iter()
                .map(|group| {
                    serde_json::json!({
                        "state": group.state().as_str_name(),
                        "method": group.method,
                        "count": group.count,
                        "exact": group.exact,
                    })
                })
                .collect();
            let document = serde_json::json!({
                "asOf": as_of,
                "counts": by_state,
                "groups": groups,
                "total": counts.total,
                "more": !counts.exact,
            });
            terminal.json(&document.to_string())?;
            Ok(Exit::Done)
        }
        _ => Err(Failure::usage(
            "a count is written as table, json or ndjson",
        )),
    }
}

/// A count with thousands apart, and a sign that there are more.
pub(crate) fn number(count: usize, more: bool) -> String {
    let digits = count.to_string();
    let mut out = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    if more {
        out.push('+');
    }
    out
}

#[cfg(test)]
mod tests {
    use super::number;

    #[test]
    fn a_bound_is_told_from_a_count() {
        assert_eq!(number(1_000, true), "1,000+");
        assert_eq!(number(12, false), "12");
        assert_eq!(number(1_234_567, false), "1,234,567");
    }
}
