//! The forms of the output.

mod table;
mod time;

use serde_json::Value;

pub(crate) use table::{Column, Row, Table, middle, shorten, suffixes};
pub(crate) use time::{TimeForm, age};

use crate::failure::{Failure, nearest};

/// The form in which a command writes its data.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Output {
    Table,
    Wide,
    Json,
    Ndjson,
    Name,
    Value(Vec<String>),
    Token,
    /// The steps of an operation with their values.
    History,
}

impl Output {
    /// Reads the value of `--output`.
    pub(crate) fn parse(text: &str) -> Result<Self, Failure> {
        if let Some(fields) = text.strip_prefix("value(") {
            let fields = fields.strip_suffix(')').unwrap_or_default();
            let fields: Vec<String> = fields.split(',').map(|it| it.trim().to_owned()).collect();
            if fields.iter().any(String::is_empty) {
                return Err(Failure::usage(format!("`{text}` is no form of output"))
                    .advise("write value(FIELD,..), as in value(name,error.code)"));
            }
            return Ok(Self::Value(fields));
        }
        Ok(match text {
            "table" | "text" => Self::Table,
            "wide" => Self::Wide,
            "json" => Self::Json,
            "ndjson" => Self::Ndjson,
            "name" => Self::Name,
            "token" => Self::Token,
            "history" => Self::History,
            _ => {
                let names = [
                    "table",
                    "wide",
                    "json",
                    "ndjson",
                    "name",
                    "value(..)",
                    "token",
                    "history",
                ];
                let failure = Failure::usage(format!("`{text}` is no form of output"));
                let failure = match nearest(text, names) {
                    Some(nearest) => failure.advise(format!("did you mean `{nearest}`?")),
                    None => failure,
                };
                return Err(failure.advise(format!("write one of {}", names.join(", "))));
            }
        })
    }

    pub(crate) fn is_for_people(&self) -> bool {
        matches!(self, Self::Table | Self::Wide)
    }
}

/// The value at a path such as `metadata.tables_done`, with names in either case. An index is a
/// number: `error.details.0`.
pub(crate) fn lookup<'a>(tree: &'a Value, path: &str) -> Option<&'a Value> {
    let mut here = tree;
    for step in path.split('.') {
        here = match here {
            Value::Object(object) => object.get(step).or_else(|| object.get(&camel(step)))?,
            Value::Array(list) => list.get(step.parse::<usize>().ok()?)?,
            _ => return None,
        };
    }
    Some(here)
}

/// A value as the text of a cell: JSON only where it is a list or a message.
pub(crate) fn cell(value: Option<&Value>) -> String {
    match value {
        None | Some(Value::Null) => String::new(),
        Some(Value::String(text)) => text.clone(),
        Some(value) => value.to_string(),
    }
}

fn camel(name: &str) -> String {
    let mut out = String::with_capacity(name.len());
    let mut upper = false;
    for char in name.chars() {
        if char == '_' {
            upper = true;
        } else {
            out.push(if upper {
                char.to_ascii_uppercase()
            } else {
                char
            });
            upper = false;
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn paths_lead_through_messages_and_lists_in_either_case() {
        let tree = json!({"error": {"code": 5, "details": [{"reason": "X"}]}, "metadata": {"tablesDone": 0}});
        let read = |path| cell(lookup(&tree, path));
        assert_eq!(read("error.code"), "5");
        assert_eq!(read("metadata.tables_done"), "0");
        assert_eq!(read("metadata.tablesDone"), "0");
        assert_eq!(read("error.details.0.reason"), "X");
        assert_eq!(read("error.details.7"), "");
        assert_eq!(read("nothing.here"), "");
    }

    #[test]
    fn forms_are_read_and_near_misses_named() {
        let fields = vec!["name".to_owned(), "error.code".to_owned()];
        assert_eq!(
            Output::parse("value(name, error.code)").unwrap(),
            Output::Value(fields)
        );
        assert_eq!(Output::parse("ndjson").unwrap(), Output::Ndjson);
        for wrong in ["value()", "value(a,)", "value(a", "jsno", ""] {
            assert!(Output::parse(wrong).is_err(), "{wrong}");
        }
        let error = Output::parse("jsno").unwrap_err().to_string();
        assert!(error.contains("did you mean `json`?"), "{error}");
    }
}
