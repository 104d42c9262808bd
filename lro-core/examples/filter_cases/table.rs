//! The table: its format, and what becomes of each case.

use std::collections::BTreeMap;

use lro_core::filter::{Filter, MAX_DEPTH, MAX_LENGTH, MAX_TERMS, Schema, parse};
use lro_core::store::{ListPolicy, OperationRecord};
use serde::Deserialize;
use serde_json::Value as Json;
use tonic::{Code, Status};

use super::ast::rendered;
use super::operations::{Fixture, record};
use super::types::Types;

/// The results of the cases.
#[derive(Debug, Default)]
pub(crate) struct Report {
    /// A line for each case that failed.
    pub(crate) failures: Vec<String>,
    /// How many passed.
    pub(crate) passed: usize,
}

impl Report {
    /// How many cases there are.
    pub(crate) fn total(&self) -> usize {
        self.failures.len() + self.passed
    }

    fn case(&mut self, id: &str, filter: &str, wrong: &[String]) {
        if wrong.is_empty() {
            self.passed += 1;
        } else {
            let filter: String = filter.chars().take(80).collect();
            let line = format!("{id} {filter:?}: {}", wrong.join("; "));
            self.failures.push(line);
        }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    #[serde(rename = "about")]
    _about: String,
    #[serde(rename = "ast")]
    _ast: String,
    limits: Limits,
    schema: serde_json::Map<String, Json>,
    fixtures: BTreeMap<String, Fixture>,
    cases: Vec<Case>,
    #[serde(default)]
    dialect_cases: Vec<DialectCase>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Limits {
    max_depth: usize,
    max_chars: usize,
    max_terms: usize,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    id: String,
    #[serde(rename = "group")]
    _group: Option<String>,
    filter: Option<String>,
    filter_gen: Option<Generated>,
    parse: Verdict,
    check: Option<Verdict>,
    error: Option<String>,
    status: Option<String>,
    matches: Option<Vec<String>>,
    /// `null` is the tree of an empty filter, which is not the same as no tree.
    #[serde(default, deserialize_with = "present")]
    ast: Option<Json>,
    #[serde(rename = "basis")]
    _basis: Option<String>,
    #[serde(rename = "meaning")]
    _meaning: Option<String>,
    #[serde(rename = "note")]
    _note: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Generated {
    prefix: String,
    repeat: usize,
    body: String,
    suffix: String,
    suffix_repeat: usize,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct DialectCase {
    id: String,
    dialect: Dialect,
    filter: String,
    /// `null`: the dialect's documentation does not say.
    accept: Option<bool>,
    parse_generic: Option<Verdict>,
    #[serde(rename = "meaning")]
    _meaning: Option<String>,
    #[serde(rename = "note")]
    _note: Option<String>,
}

#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
enum Verdict {
    Ok,
    Error,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Dialect {
    ServiceManagement,
    GenomicsV1,
    GenomicsV2alpha1,
    Spanner,
}

fn present<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<Json>, D::Error> {
    Json::deserialize(deserializer).map(Some)
}

impl Verdict {
    fn of<T, E>(result: &Result<T, E>) -> Self {
        match result {
            Ok(_) => Self::Ok,
            Err(_) => Self::Error,
        }
    }
}

/// Runs the cases of a table.
///
/// # Errors
///
/// When the text is no such table.
pub(crate) fn run(text: &str) -> Result<Report, String> {
    let table: Table = serde_json::from_str(text).map_err(|error| error.to_string())?;
    let types = Types::read(&table.schema)?;
    let schema = types.schema();
    let mut records = Vec::new();
    for (id, fixture) in &table.fixtures {
        let record = record(fixture, &types).map_err(|error| format!("fixture {id}: {error}"))?;
        records.push((id.as_str(), record));
    }
    let mut report = Report::default();
    report.case("limits", "", &limits(&table.limits));
    for case in &table.cases {
        let text = case.text()?;
        report.case(&case.id, &text, &case.run(&text, &schema, &records)?);
    }
    for case in &table.dialect_cases {
        report.case(&case.id, &case.filter, &case.run(&types, &schema));
    }
    Ok(report)
}

fn limits(limits: &Limits) -> Vec<String> {
    let mut wrong = Vec::new();
    for (name, found, wanted) in [
        ("max_depth", MAX_DEPTH, limits.max_depth),
        ("max_chars", MAX_LENGTH, limits.max_chars),
        ("max_terms", MAX_TERMS, limits.max_terms),
    ] {
        expect(&mut wrong, name, &found, &wanted);
    }
    wrong
}

fn expect<T: PartialEq + std::fmt::Debug>(
    wrong: &mut Vec<String>,
    what: &str,
    found: &T,
    wanted: &T,
) {
    if found != wanted {
        wrong.push(format!("{what} is {found:?}, not {wanted:?}"));
    }
}

impl Case {
    fn text(&self) -> Result<String, String> {
        match (&self.filter, &self.filter_gen) {
            (Some(text), None) => Ok(text.clone()),
            (None, Some(made)) => Ok([
                made.prefix.repeat(made.repeat),
                made.body.clone(),
                made.suffix.repeat(made.suffix_repeat),
            ]
            .concat()),
            _ => Err(format!(
                "case {}: give either filter or filter_gen",
                self.id
            )),
        }
    }

    /// A description of the difference from the expected result.
    fn run(
        &self,
        text: &str,
        schema: &Schema,
        records: &[(&str, OperationRecord)],
    ) -> Result<Vec<String>, String> {
        let mut wrong = Vec::new();
        let tree = parse(text);
        let filter = Filter::parse(text, schema);
        expect(&mut wrong, "parse", &Verdict::of(&tree), &self.parse);
        if let Some(check) = &self.check {
            expect(&mut wrong, "check", &Verdict::of(&filter), check);
        } else if self.parse == Verdict::Ok {
            return Err(format!("case {}: check is missing", self.id));
        }
        if let (Some(wanted), Ok(tree)) = (&self.ast, &tree) {
            let found = tree.as_ref().map_or(Json::Null, rendered);
            if found != *wanted {
                wrong.push(format!("ast is {found}, not {wanted}"));
            }
        }
        let found = filter.as_ref().err().map(|error| error.kind().as_str());
        expect(&mut wrong, "error", &found, &self.error.as_deref());
        if let Some(wanted) = &self.status {
            let found = match &filter {
                Ok(_) => "OK",
                Err(error) if Status::from(error.clone()).code() == Code::InvalidArgument => {
                    "INVALID_ARGUMENT"
                }
                Err(_) => "another code",
            };
            expect(&mut wrong, "status", &found, &wanted.as_str());
        }
        if let Ok(filter) = &filter {
            let found = records.iter().filter(|(_, record)| filter.matches(record));
            let mut found: Vec<_> = found.map(|(id, _)| *id).collect();
            let mut wanted: Vec<_> = self.matches.iter().flatten().map(String::as_str).collect();
            found.sort_unstable();
            wanted.sort_unstable();
            expect(&mut wrong, "matches", &found, &wanted);
        }
        Ok(wrong)
    }
}

impl DialectCase {
    fn run(&self, types: &Types, schema: &Schema) -> Vec<String> {
        let events = types.first_texts();
        let policy = match self.dialect {
            Dialect::ServiceManagement => ListPolicy::service_infrastructure(),
            Dialect::GenomicsV1 => ListPolicy::genomics_v1(),
            Dialect::GenomicsV2alpha1 => ListPolicy::genomics_v2alpha1(schema, &events),
            Dialect::Spanner => ListPolicy::spanner(schema),
        };
        let mut wrong = Vec::new();
        if let Some(accept) = self.accept {
            match Filter::parse(&self.filter, &policy.schema) {
                Err(error) if accept => wrong.push(format!("refused: {error}")),
                Ok(_) if !accept => wrong.push("accepted, but it must be refused".to_owned()),
                _ => {}
            }
        }
        if let Some(wanted) = &self.parse_generic {
            let found = Verdict::of(&parse(&self.filter));
            expect(&mut wrong, "parse_generic", &found, wanted);
        }
        wrong
    }
}

/// The tables of the tests of this program.
#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const TABLE: &str = include_str!("../../tests/data/filter_cases.json");

    fn changed(change: impl FnOnce(&mut Json)) -> Result<Report, String> {
        let mut table: Json = serde_json::from_str(TABLE).unwrap();
        change(&mut table);
        run(&table.to_string())
    }

    /// spec:104-121
    #[test]
    fn every_case_of_the_table_passes() {
        let report = run(TABLE).unwrap();
        assert_eq!(report.failures, [""; 0]);
        assert_eq!(report.passed, 173);
    }

    #[test]
    fn a_failing_case_is_a_line_that_begins_with_its_id() {
        let report = changed(|table| {
            table["cases"][0]["matches"] = json!(["op-1"]);
            table["cases"][1]["parse"] = json!("error");
            table["dialect_cases"][0]["accept"] = json!(false);
        });
        let failures = report.unwrap().failures;
        let table: Json = serde_json::from_str(TABLE).unwrap();
        assert_eq!(failures.len(), 3);
        for (line, case) in failures.iter().zip([
            &table["cases"][0],
            &table["cases"][1],
            &table["dialect_cases"][0],
        ]) {
            let id = case["id"].as_str().unwrap();
            assert!(line.starts_with(&format!("{id} ")), "{line}");
            assert!(!line.contains('\n'), "{line}");
        }
        assert!(failures[0].contains("matches is"), "{}", failures[0]);
    }

    #[test]
    fn a_field_that_the_format_does_not_have_is_an_error() {
        for path in [
            "",
            "/cases/3",
            "/dialect_cases/1",
            "/limits",
            "/fixtures/op-1",
        ] {
            let error = changed(|table| {
                table.pointer_mut(path).unwrap()["colour"] = json!("red");
            });
            assert!(error.unwrap_err().contains("colour"), "{path}");
        }
        for (path, name) in [("/schema", "colour"), ("/fixtures/op-1/metadata", "colour")] {
            let error = changed(|table| {
                table.pointer_mut(path).unwrap()[name] = json!("string");
            });
            assert!(error.unwrap_err().contains(name), "{path}");
        }
    }
}
