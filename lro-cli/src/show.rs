//! Writes operations in the form that was asked for.

use lro_core::Timestamp;

use crate::context::Context;
use crate::exit::Exit;
use crate::failure::{Failure, nearest};
use crate::output::{Column, Output, Row, Table, TimeForm, age, cell, lookup, shorten, suffixes};
use crate::progress::bar;
use crate::shown::{Shown, State};
use crate::terminal::Paint;

/// The columns by the names of `--columns`.
const COLUMNS: [(&str, &str); 10] = [
    ("state", "STATE"),
    ("name", "NAME"),
    ("type", "TYPE"),
    ("method", "METHOD"),
    ("progress", "PROGRESS"),
    ("age", "AGE"),
    ("by", "BY"),
    ("created", "CREATED"),
    ("ended", "ENDED"),
    ("error", "ERROR"),
];
const NORMAL: [&str; 5] = ["state", "name", "type", "progress", "age"];
const WIDE: [&str; 8] = [
    "state", "name", "type", "progress", "age", "created", "ended", "error",
];
/// The same where the inspection service tells more than the standard.
const INSPECTED: [&str; 6] = ["state", "name", "method", "progress", "age", "by"];
const INSPECTED_WIDE: [&str; 10] = [
    "state", "name", "type", "method", "progress", "age", "by", "created", "ended", "error",
];

/// Writes all operations of a page or a list, in every form but `ndjson`'s stream.
pub(crate) fn write(
    context: &Context,
    output: &Output,
    shown: &[Shown],
    next_page_token: &str,
) -> Result<(), Failure> {
    let terminal = &context.terminal;
    match output {
        Output::Table => table(context, shown, &[], false),
        Output::Wide => table(context, shown, &[], true),
        Output::Json => {
            let operations: Vec<&str> = shown.iter().map(|it| &*it.json).collect();
            let operations = operations.join(",");
            let token = serde_json::to_string(next_page_token).map_err(|error| bug(&error))?;
            let document = format!("{{\"operations\":[{operations}],\"nextPageToken\":{token}}}");
            terminal.json(&pretty(&document))
        }
        Output::Ndjson => shown.iter().try_for_each(|it| terminal.json(&it.json)),
        Output::Name => shown.iter().try_for_each(|it| terminal.line(it.name())),
        Output::Value(paths) if paths.is_empty() => Ok(()),
        Output::Value(paths) => shown.iter().try_for_each(|it| values(context, it, paths)),
        Output::Token | Output::History => {
            shown.iter().try_for_each(|it| terminal.line(&token(it)))
        }
    }
}

/// A line of a stream of changes; `members` are its own.
pub(crate) fn change(context: &Context, change: &str, members: &str) -> String {
    let at = TimeForm::Utc.write(context.now(), context.now());
    format!("{{\"at\":\"{at}\",\"change\":\"{change}\",{members}}}")
}

/// A line of `value(..)`: the cells with tabs between them.
pub(crate) fn values(context: &Context, shown: &Shown, paths: &[String]) -> Result<(), Failure> {
    let cells = paths.iter().map(|path| {
        let text = match &**path {
            // The standard has no field for it.
            "state" => shown.state_name().to_owned(),
            path => cell(lookup(&shown.tree, path)),
        };
        context.terminal.cell(&text).into_owned()
    });
    let line: Vec<String> = cells.collect();
    context.terminal.data(&format!("{}\n", line.join("\t")))
}

/// The resume token, with the types as far as the operation tells them.
fn token(shown: &Shown) -> String {
    let type_of = |name: &str| {
        let url = lookup(&shown.tree, name)?.get("@type")?.as_str()?;
        Some(lro_core::type_name(url).to_owned())
    };
    let empty = || "google.protobuf.Empty".to_owned();
    let response = type_of("response").unwrap_or_else(empty);
    let metadata = type_of("metadata").unwrap_or_else(empty);
    format!("1;{response};{metadata};{}", shown.name())
}

/// The columns that the user chose.
///
/// # Errors
///
/// When there is no such column.
pub(crate) fn columns(names: &[String]) -> Result<Vec<&'static str>, Failure> {
    let all = COLUMNS.map(|(name, _)| name);
    let find = |name: &String| {
        let found = all.into_iter().find(|it| it.eq_ignore_ascii_case(name));
        found.ok_or_else(|| {
            let failure = Failure::usage(format!("there is no column `{name}`"));
            match nearest(name, all) {
                Some(nearest) => failure.advise(format!("did you mean `{nearest}`?")),
                None => failure.advise(format!("write some of {}", all.join(", "))),
            }
        })
    };
    names.iter().map(find).collect()
}

/// The names of all columns.
pub(crate) fn column_names() -> impl Iterator<Item = &'static str> {
    COLUMNS.iter().map(|(name, _)| *name)
}

/// Writes a table.
pub(crate) fn table(
    context: &Context,
    shown: &[Shown],
    columns: &[&str],
    wide: bool,
) -> Result<(), Failure> {
    let text = table_text(context, shown, columns, wide)?;
    context.terminal.data(&text)
}

/// The lines of a table; without columns, those of its form. Names are shortened on a terminal,
/// unless it is a wide one.
pub(crate) fn table_text(
    context: &Context,
    shown: &[Shown],
    columns: &[&str],
    wide: bool,
) -> Result<String, Failure> {
    let inspected = shown.iter().any(|it| it.record.is_some());
    let columns = match (columns, wide) {
        (columns @ [_, ..], _) => columns,
        ([], false) if inspected => &INSPECTED[..],
        ([], false) => &NORMAL,
        ([], true) if inspected => &INSPECTED_WIDE,
        ([], true) => &WIDE,
    };
    let terminal = &context.terminal;
    let names: Vec<&str> = shown.iter().map(Shown::name).collect();
    let short = if terminal.stdout_is_terminal && !wide {
        suffixes(&names)
    } else {
        Default::default()
    };
    let now = context.now();
    let times = context.times()?;
    let titles = columns.iter().map(|name| {
        let title = COLUMNS.iter().find(|(it, _)| it == name);
        Column {
            title: title.map_or("", |(_, title)| title),
        }
    });
    let rows = shown.iter().map(|shown| {
        let name = match short.get(shown.name()) {
            Some(suffix) => shorten(shown.name(), suffix, terminal.ellipsis()),
            None => shown.name().to_owned(),
        };
        let cells = columns.iter().map(|column| match *column {
            "name" => name.clone(),
            column => column_of(shown, column, now, times, wide),
        });
        Row {
            cells: cells.collect(),
            failed: shown.state == State::Failed,
            paint: paint(shown.state),
        }
    });
    let table = Table {
        columns: titles.collect(),
        rows: rows.collect(),
    };
    Ok(table.draw(terminal))
}

fn column_of(shown: &Shown, column: &str, now: Timestamp, times: TimeForm, wide: bool) -> String {
    let at = |time: Option<Timestamp>| time.map_or("-".to_owned(), |it| times.write(it, now));
    match column {
        "state" => shown.state_name().to_owned(),
        "method" => shown.method().unwrap_or("-").to_owned(),
        "by" => match &shown.record {
            Some(record) if !record.principal.is_empty() => record.principal.clone(),
            _ => "-".to_owned(),
        },
        "type" => {
            let full = shown.metadata_type().unwrap_or("-");
            let name = if wide {
                full
            } else {
                full.rsplit('.').next().unwrap_or(full)
            };
            name.to_owned()
        }
        "progress" => progress_of(shown),
        "age" => shown.age(now).map_or("-".to_owned(), age),
        "created" => at(shown.created()),
        "ended" => at(shown.ended()),
        "error" => shown
            .error()
            .map(|(_, message)| message.to_owned())
            .unwrap_or_default(),
        _ => String::new(),
    }
}

fn progress_of(shown: &Shown) -> String {
    if let Some((code, _)) = shown.error() {
        return code;
    }
    match &shown.progress {
        _ if shown.state == State::Succeeded => String::new(),
        Some(progress) => {
            let percent = (progress.fraction * 100.0).floor();
            format!("{} {percent:>2} %", bar(progress.fraction))
        }
        None => shown.summary(),
    }
}

pub(crate) fn paint(state: State) -> Option<Paint> {
    match state {
        State::Running => None,
        State::Succeeded => Some(Paint::Green),
        State::Failed => Some(Paint::Red),
        State::Cancelled => Some(Paint::Yellow),
    }
}

/// A compact JSON document, indented by two spaces a level. Its members keep their order.
pub(crate) fn pretty(document: &str) -> String {
    let mut out = String::with_capacity(document.len() * 2);
    let mut depth = 0_usize;
    let (mut in_string, mut escaped) = (false, false);
    let mut chars = document.chars().peekable();
    let line = |out: &mut String, depth: usize| {
        out.push('\n');
        out.extend(std::iter::repeat_n("  ", depth));
    };
    while let Some(char) = chars.next() {
        if in_string {
            out.push(char);
            in_string = char != '"' || escaped;
            escaped = char == '\\' && !escaped;
            continue;
        }
        match char {
            '{' | '[' => {
                out.push(char);
                if let Some(end) = chars.next_if(|it| matches!(it, '}' | ']')) {
                    out.push(end);
                } else {
                    depth += 1;
                    line(&mut out, depth);
                }
            }
            '}' | ']' => {
                depth = depth.saturating_sub(1);
                line(&mut out, depth);
                out.push(char);
            }
            ',' => {
                out.push(',');
                line(&mut out, depth);
            }
            ':' => out.push_str(": "),
            '"' => {
                in_string = true;
                out.push('"');
            }
            char => out.push(char),
        }
    }
    out
}

fn bug(error: &dyn std::fmt::Display) -> Failure {
    Failure::new(Exit::Fault, format!("cannot write JSON: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn members_keep_their_order() {
        assert_eq!(
            pretty(r#"{"b":[1,{}],"a":"x\\\"{,:"}"#),
            "{\n  \"b\": [\n    1,\n    {}\n  ],\n  \"a\": \"x\\\\\\\"{,:\"\n}"
        );
    }

    proptest! {
        #[test]
        fn the_document_stays_the_same(texts in proptest::collection::vec(any::<String>(), 0..4)) {
            let value = serde_json::json!({ "a": texts, "b": { "c": texts, "d": [] } });
            let read: serde_json::Value = serde_json::from_str(&pretty(&value.to_string())).unwrap();
            prop_assert_eq!(read, value);
        }
    }
}
