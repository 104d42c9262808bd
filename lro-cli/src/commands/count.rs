//! `lro count`: operations by state, up to a bound.

use std::collections::BTreeMap;

use crate::args::Count;
use crate::context::Context;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::Output;
use crate::shown::State;

pub(crate) async fn run(context: &Context, args: &Count) -> Result<Exit, Failure> {
    let output = context.output(Output::Table)?;
    let filter = args.filter.clone().unwrap_or_default();
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
