//! The commands of a page: blocks of `sh`, each with a block of `json` behind it that has a line for each
//! command.

use std::collections::BTreeMap;

use serde_json::Value;
use tokio::process::Command;

use crate::script::run;

/// The command that reads from a server.
const CURL: &str = "curl ";

/// Runs the commands that begin with `curl`, and compares what they print with the lines of JSON. A page says
/// the least: objects may have more fields, and lists have as many elements. Names of operations in a page,
/// such as `operations/7`, stand for those that the server chose.
pub(crate) async fn check(page: &str, places: &[(&str, &str)]) -> usize {
    let mut names: BTreeMap<String, String> = BTreeMap::new();
    let mut commands = 0;
    let blocks = blocks(page);
    for (index, (language, text)) in blocks.iter().enumerate() {
        if language != "sh" || !text.starts_with(CURL) {
            continue;
        }
        let (answers, expected) = match blocks.get(index + 1) {
            Some((language, text)) if language == "json" => (text.lines().count(), text),
            // A stream of events, which has no end here.
            Some((language, _)) if language == "text" => continue,
            other => panic!("no answer behind {text}: {other:?}"),
        };
        assert_eq!(text.lines().count(), answers, "{text}");
        for (line, expected) in text.lines().zip(expected.lines()) {
            let mut command = line.to_owned();
            let names_and_places = names.iter().map(|(name, actual)| (&**name, &**actual));
            for (name, actual) in names_and_places.chain(places.iter().copied()) {
                command = command.replace(name, actual);
            }
            let printed = run(Command::new("sh").args(["-c", &command])).await;
            let printed: Value = serde_json::from_str(&printed).unwrap_or_else(|error| {
                panic!("{command}: {error} in {printed}");
            });
            let expected: Value = serde_json::from_str(expected).unwrap();
            if let Err(reason) = compare(&expected, &printed, &mut names) {
                panic!("{command}: {reason} in {printed}");
            }
            commands += 1;
        }
    }
    commands
}

fn compare(
    expected: &Value,
    printed: &Value,
    names: &mut BTreeMap<String, String>,
) -> Result<(), String> {
    match (expected, printed) {
        (Value::Object(expected), Value::Object(printed)) => {
            let empty = expected.is_empty() && !printed.is_empty();
            if empty {
                return Err("more than {}".to_owned());
            }
            expected.iter().try_for_each(|(field, expected)| {
                let printed = printed.get(field).ok_or(format!("no field {field}"))?;
                compare(expected, printed, names)
            })
        }
        (Value::Array(expected), Value::Array(printed)) if expected.len() == printed.len() => {
            let mut pairs = expected.iter().zip(printed);
            pairs.try_for_each(|(expected, printed)| compare(expected, printed, names))
        }
        (Value::String(expected), Value::String(printed))
            if expected.starts_with("operations/") =>
        {
            let known = names.entry(expected.clone()).or_insert(printed.clone());
            if known == printed {
                Ok(())
            } else {
                Err(format!("not {known}"))
            }
        }
        (expected, printed) if expected == printed => Ok(()),
        _ => Err(format!("not {expected}")),
    }
}

/// The fenced blocks of a page: language and text.
fn blocks(page: &str) -> Vec<(String, String)> {
    let mut blocks = Vec::new();
    let mut open: Option<(String, String)> = None;
    for line in page.lines() {
        match (&mut open, line.strip_prefix("```")) {
            (None, Some(language)) => open = Some((language.to_owned(), String::new())),
            (Some(_), Some(_)) => blocks.extend(open.take()),
            (Some((_, text)), None) => {
                text.push_str(line);
                text.push('\n');
            }
            (None, None) => {}
        }
    }
    blocks
}
