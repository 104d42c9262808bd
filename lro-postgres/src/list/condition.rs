//! A filter as SQL, in three values: true, false, and NULL for what only Rust can tell.
//!
//! A missing value makes a condition false, as in the evaluator, never NULL. Values are always
//! parameters.

use lro_core::ParentPattern;
use lro_core::filter::{
    Comparison, Condition, NumberField, OptionalField, PayloadField, Predicate, TextField,
    TextTest, TimeField, Wildcard,
};
use lro_core::store::{ListQuery, OperationState};
use tokio_postgres::types::{ToSql, Type};

use crate::sql::row::encode_state;

/// The condition on a row that may be on a list. A row that it refuses does not match; the others
/// are looked at again.
#[derive(Debug)]
pub(crate) struct Where {
    sql: Sql,
    values: Vec<Value>,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Sql {
    Is(bool),
    Unknown,
    Text(String),
}

#[derive(Debug)]
enum Value {
    Integer(i64),
    Text(String),
    Bytes(Vec<u8>),
}

impl Default for Where {
    fn default() -> Self {
        Self {
            sql: Sql::Is(true),
            values: Vec::new(),
        }
    }
}

impl Where {
    /// The condition for a statement that already has `parameters` parameters. `parents` says
    /// whether the statement also checks the parents.
    pub(crate) fn of(query: &ListQuery, parameters: usize, parents: bool) -> Self {
        let mut builder = Builder {
            parameters,
            values: Vec::new(),
        };
        let mut sql = builder.predicate(query.filter.predicate());
        if parents && query.parent.exact().is_none() {
            let parent = builder.parent(&query.parent);
            sql = joined(vec![parent, sql], " AND ", true);
        }
        Self {
            sql,
            values: builder.values,
        }
    }

    /// Whether it refuses every row.
    pub(crate) fn is_never(&self) -> bool {
        self.sql == Sql::Is(false)
    }

    /// Nothing when it refuses no row.
    pub(crate) fn sql(&self) -> Option<&str> {
        match &self.sql {
            Sql::Is(_) | Sql::Unknown => None,
            Sql::Text(sql) => Some(sql),
        }
    }

    pub(crate) fn params(&self) -> impl Iterator<Item = (&(dyn ToSql + Sync), Type)> {
        let used = self.sql().is_some();
        let values = self.values.iter().filter(move |_| used);
        values.map(|value| match value {
            Value::Integer(value) => (value as &(dyn ToSql + Sync), Type::INT8),
            Value::Text(value) => (value as &(dyn ToSql + Sync), Type::TEXT),
            Value::Bytes(value) => (value as &(dyn ToSql + Sync), Type::BYTEA),
        })
    }
}

pub(super) struct Builder {
    parameters: usize,
    values: Vec<Value>,
}

impl Builder {
    fn integer(&mut self, value: i64) -> String {
        self.values.push(Value::Integer(value));
        format!("${}::bigint", self.parameters + self.values.len())
    }

    fn string(&mut self, value: &str) -> String {
        self.values.push(Value::Text(value.to_owned()));
        format!("${}::text", self.parameters + self.values.len())
    }

    pub(super) fn bytes(&mut self, value: &str) -> String {
        self.values.push(Value::Bytes(value.as_bytes().to_vec()));
        format!("${}::bytea", self.parameters + self.values.len())
    }

    fn parent(&mut self, pattern: &ParentPattern) -> Sql {
        let segments = pattern.segments().map(|segment| match segment {
            Some(text) => regex_escaped(text),
            None => "[^/]+".to_owned(),
        });
        let segments: Vec<_> = segments.collect();
        let regex = self.string(&format!("^{}$", segments.join("/")));
        Sql::Text(format!("(parent ~ {regex})"))
    }

    fn predicate(&mut self, predicate: &Predicate) -> Sql {
        let mut all = |parts: &[Predicate]| -> Vec<Sql> {
            parts.iter().map(|part| self.predicate(part)).collect()
        };
        match predicate {
            Predicate::And(parts) => joined(all(parts), " AND ", true),
            Predicate::Or(parts) => joined(all(parts), " OR ", false),
            Predicate::Not(inner) => match self.predicate(inner) {
                Sql::Is(value) => Sql::Is(!value),
                Sql::Unknown => Sql::Unknown,
                Sql::Text(sql) => Sql::Text(format!("(NOT {sql})")),
            },
            Predicate::Condition(condition) => self.condition(condition),
        }
    }

    fn condition(&mut self, condition: &Condition) -> Sql {
        let text = match condition {
            Condition::Constant(value) => return Sql::Is(*value),
            Condition::Done(done) => return states(|state| state.is_done() == *done),
            Condition::State(wanted) => return states(|state| wanted.contains(&state)),
            Condition::Text { field, test } => match field {
                TextField::Name => return self.text("name", "", test),
                // It is escaped where it holds a backslash.
                TextField::Method => {
                    return self.text("method", " AND position(chr(92) IN method) = 0", test);
                }
                TextField::ErrorMessage => of_error(),
                TextField::ParentOperation => {
                    "(CASE WHEN parent_operation IS NULL THEN FALSE END)".to_owned()
                }
            },
            Condition::Number {
                field: NumberField::Attempt,
                comparison,
                value,
            } => format!(
                "(attempt {} {})",
                operator(*comparison),
                self.integer(*value)
            ),
            Condition::Number {
                field: NumberField::ErrorCode,
                ..
            } => of_error(),
            Condition::Time {
                field,
                comparison,
                value,
            } => format!(
                "coalesce({} {} {}, FALSE)",
                time_column(*field),
                operator(*comparison),
                self.integer(value.as_micros())
            ),
            Condition::Set { field, set } => {
                let is_set = match field {
                    // More is shown than is stored.
                    OptionalField::Metadata => return Sql::Unknown,
                    OptionalField::Error => "result_kind IS NOT DISTINCT FROM 1".to_owned(),
                    OptionalField::Response => "result_kind IS NOT DISTINCT FROM 0".to_owned(),
                    OptionalField::Time(field) => format!("{} IS NOT NULL", time_column(*field)),
                };
                match set {
                    true => format!("({is_set})"),
                    false => format!("(NOT ({is_set}))"),
                }
            }
            Condition::Label { .. } | Condition::LabelKey(_) => {
                "(CASE WHEN labels IS NULL THEN FALSE END)".to_owned()
            }
            Condition::PayloadType { payload, test } => self.payload_type(*payload, test),
            Condition::Payload(_) => return Sql::Unknown,
            Condition::Step(condition) => return self.step(condition),
        };
        Sql::Text(text)
    }

    /// The types are encoded: bytes without the name are of another type. Standard metadata may be
    /// shown where a row has none, of a type that its origin names.
    fn payload_type(&mut self, payload: PayloadField, test: &TextTest) -> String {
        let (columns, absent): (&[&str], _) = match payload {
            PayloadField::Metadata => (
                &["metadata", "origin"],
                "metadata IS NULL AND origin IS NULL",
            ),
            PayloadField::Response => (&["result"], "result_kind IS DISTINCT FROM 0"),
        };
        let other = test.part().map(|part| {
            let part = self.bytes(part);
            let lacks = columns
                .iter()
                .map(|column| format!("coalesce(position({part} IN {column}), 0) = 0"));
            let lacks: Vec<_> = lacks.collect();
            format!(" WHEN {} THEN FALSE", lacks.join(" AND "))
        });
        let other = other.unwrap_or_default();
        format!("(CASE WHEN {absent} THEN FALSE{other} END)")
    }

    /// Of a text that is ASCII: then it is in the normal form, and its bytes are its characters.
    fn text(&mut self, column: &str, and: &str, test: &TextTest) -> Sql {
        let asked = match test {
            TextTest::Compare { value, .. } => value,
            TextTest::Like { pattern, .. } => match pattern {
                Wildcard::Any => "",
                Wildcard::Prefix(text) | Wildcard::Suffix(text) | Wildcard::Contains(text) => text,
            },
        };
        if asked.contains('\0') {
            // PostgreSQL takes no such text.
            return Sql::Unknown;
        }
        let test = match test {
            TextTest::Compare { comparison, value } => {
                format!("{column} {} {}", operator(*comparison), self.string(value))
            }
            TextTest::Like { pattern, negated } => {
                let like = self.like(column, pattern);
                match negated {
                    true => format!("NOT {like}"),
                    false => like,
                }
            }
        };
        Sql::Text(format!(
            "(CASE WHEN octet_length({column}) = length({column}){and} THEN {test} END)"
        ))
    }

    fn like(&mut self, column: &str, pattern: &Wildcard) -> String {
        match pattern {
            Wildcard::Any => "TRUE".to_owned(),
            Wildcard::Prefix(text) => {
                let length = text.chars().count();
                format!("(left({column}, {length}) = {})", self.string(text))
            }
            Wildcard::Suffix(text) => {
                let length = text.chars().count();
                format!("(right({column}, {length}) = {})", self.string(text))
            }
            Wildcard::Contains(text) => {
                format!("(position({} IN {column}) > 0)", self.string(text))
            }
        }
    }
}

/// Joined by a word; `empty` is what none of them is, and what changes nothing.
fn joined(parts: Vec<Sql>, word: &str, empty: bool) -> Sql {
    if parts.contains(&Sql::Is(!empty)) {
        return Sql::Is(!empty);
    }
    let mut texts = Vec::new();
    let mut is_known = true;
    for part in parts {
        match part {
            Sql::Is(_) => {}
            Sql::Unknown => is_known = false,
            Sql::Text(text) => texts.push(text),
        }
    }
    if !is_known {
        if texts.is_empty() {
            return Sql::Unknown;
        }
        texts.push("NULL::boolean".to_owned());
    }
    match texts.len() {
        0 => Sql::Is(empty),
        _ => Sql::Text(format!("({})", texts.join(word))),
    }
}

fn states(wanted: impl Fn(OperationState) -> bool) -> Sql {
    let states = OperationState::ALL.into_iter();
    let numbers: Vec<String> = states
        .filter(|state| wanted(*state))
        .map(|state| encode_state(state).to_string())
        .collect();
    match numbers.as_slice() {
        [] => Sql::Is(false),
        numbers => Sql::Text(format!("(state IN ({}))", numbers.join(", "))),
    }
}

/// The error is encoded: a condition can only see whether there is one.
fn of_error() -> String {
    "(CASE WHEN result_kind IS DISTINCT FROM 1 THEN FALSE END)".to_owned()
}

fn operator(comparison: Comparison) -> &'static str {
    match comparison {
        Comparison::Equal => "=",
        Comparison::NotEqual => "<>",
        Comparison::Less => "<",
        Comparison::LessOrEqual => "<=",
        Comparison::Greater => ">",
        Comparison::GreaterOrEqual => ">=",
    }
}

fn time_column(field: TimeField) -> &'static str {
    match field {
        TimeField::Create => "create_time",
        TimeField::Update => "update_time",
        TimeField::Start => "start_time",
        TimeField::End => "end_time",
        TimeField::Expire => "expire_time",
    }
}

/// A text that matches itself in a regular expression.
fn regex_escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        if c.is_ascii() && !c.is_ascii_alphanumeric() {
            escaped.push('\\');
        }
        escaped.push(c);
    }
    escaped
}

#[cfg(test)]
mod tests {
    use lro_core::ParentName;
    use lro_core::filter::{Filter, Schema};

    use super::*;

    #[track_caller]
    fn check(text: &str, sql: Option<&str>, values: usize) {
        let mut query = ListQuery::new(ParentName::default(), 1);
        query.filter = Filter::parse(text, &Schema::default()).unwrap();
        let condition = Where::of(&query, 7, false);
        assert_eq!(condition.sql(), sql, "{text}");
        assert_eq!(condition.params().count(), values, "{text}");
    }

    #[test]
    fn conditions_that_only_rust_can_evaluate_are_not_in_the_statement() {
        check("", None, 0);
        check("metadata:*", None, 0);
        check("NOT metadata:*", None, 0);
        check("attempt = 7", Some("(attempt = $8::bigint)"), 1);
        check(
            "metadata:* AND attempt = 7",
            Some("((attempt = $8::bigint) AND NULL::boolean)"),
            1,
        );
        check(
            "NOT end_time < \"2024-01-01T00:00:00Z\"",
            Some("(NOT coalesce(end_time < $8::bigint, FALSE))"),
            1,
        );
    }

    #[test]
    fn a_value_is_never_part_of_the_statement() {
        check(
            "name = \"'; DROP\"",
            Some("(CASE WHEN octet_length(name) = length(name) THEN name = $8::text END)"),
            1,
        );
        let query = ListQuery::new("a.b/-".parse::<ParentPattern>().unwrap(), 1);
        let condition = Where::of(&query, 4, true);
        assert_eq!(condition.sql(), Some("((parent ~ $5::text))"));
        let Some(Value::Text(regex)) = condition.values.first() else {
            panic!("{condition:?}");
        };
        assert_eq!(regex, "^a\\.b/[^/]+$");
    }
}
