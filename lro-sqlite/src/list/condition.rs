//! A filter as SQL, in three values: true, false, and NULL for what only Rust can tell.
//!
//! A field that a row lacks is false, as in the evaluator, never NULL. Values are always parameters.

use std::borrow::Cow;

use lro_core::ParentPattern;
use lro_core::filter::{
    Comparison, Condition, NumberField, OptionalField, PayloadField, Predicate, StepCondition,
    TextField, TextTest, TimeField, Wildcard,
};
use lro_core::store::{ListQuery, OperationState};
use rusqlite::types::Value;

use crate::statement;

/// The condition on a row that may be on a list. A row that it refuses does not match; the others
/// are looked at again.
#[derive(Debug, Default)]
pub(crate) struct Where {
    sql: String,
    values: Vec<Value>,
}

impl Where {
    pub(crate) fn of(query: &ListQuery) -> Self {
        let mut condition = Self::default();
        if query.parent.exact().is_none() {
            condition.parent(&query.parent);
            condition.sql.push_str(" AND ");
        }
        condition.predicate(query.filter.predicate());
        if condition.values.is_empty() && condition.sql == "TRUE" {
            condition.sql.clear();
        }
        condition
    }

    /// The statement that reads a row by its uid, `?1`.
    pub(crate) fn select(&self) -> Cow<'static, str> {
        match &*self.sql {
            "" => statement::LISTED.into(),
            sql => format!("{} AND ({sql}) IS NOT FALSE", statement::LISTED).into(),
        }
    }

    /// The parameters after the uid.
    pub(crate) fn values(&self) -> &[Value] {
        &self.values
    }

    fn push(&mut self, sql: &str) {
        self.sql.push_str(sql);
    }

    fn value(&mut self, value: impl Into<Value>) {
        self.values.push(value.into());
        // `?1` is the uid.
        let parameter = format!("?{}", 1 + self.values.len());
        self.push(&parameter);
    }

    /// The number of slashes, and the closed segments at their places: then no open one holds a slash.
    fn parent(&mut self, pattern: &ParentPattern) {
        let segments: Vec<String> = pattern
            .segments()
            .map(|segment| segment.map_or_else(|| "*".to_owned(), glob_escaped))
            .collect();
        self.push("parent GLOB ");
        self.value(segments.join("/"));
        self.push(" AND length(parent) - length(replace(parent, '/', '')) = ");
        self.value(segments.len() as i64 - 1);
    }

    fn predicate(&mut self, predicate: &Predicate) {
        match predicate {
            Predicate::And(parts) => self.joined(parts, " AND ", "TRUE"),
            Predicate::Or(parts) => self.joined(parts, " OR ", "FALSE"),
            Predicate::Not(inner) => {
                self.push("NOT ");
                self.predicate(inner);
            }
            Predicate::Condition(condition) => {
                self.push("(");
                self.condition(condition);
                self.push(")");
            }
        }
    }

    fn joined(&mut self, parts: &[Predicate], word: &str, empty: &str) {
        if parts.is_empty() {
            return self.push(empty);
        }
        for (at, part) in parts.iter().enumerate() {
            self.push(if at == 0 { "(" } else { word });
            self.predicate(part);
        }
        self.push(")");
    }

    fn condition(&mut self, condition: &Condition) {
        match condition {
            Condition::Constant(value) => self.push(if *value { "TRUE" } else { "FALSE" }),
            Condition::Done(done) => self.states(|state| state.is_done() == *done),
            Condition::State(states) => self.states(|state| states.contains(&state)),
            Condition::Text { field, test } => match field {
                TextField::Name => self.text("name", test),
                TextField::Method => self.text("method", test),
                TextField::ErrorMessage => self.of_error(),
                TextField::ParentOperation => {
                    self.push("CASE WHEN parent_operation IS NULL THEN FALSE END");
                }
            },
            Condition::Number {
                field: NumberField::Attempt,
                comparison,
                value,
            } => {
                self.push("attempt ");
                self.push(operator(*comparison));
                self.value(*value);
            }
            Condition::Number {
                field: NumberField::ErrorCode,
                ..
            } => self.of_error(),
            Condition::Time {
                field,
                comparison,
                value,
            } => {
                self.push("ifnull(");
                self.push(time_column(*field));
                self.push(operator(*comparison));
                self.value(value.as_micros());
                self.push(", FALSE)");
            }
            Condition::Set { field, set } => {
                match field {
                    OptionalField::Metadata => return self.push("NULL"),
                    OptionalField::Error => self.push("(result_kind IS 1)"),
                    OptionalField::Response => self.push("(result_kind IS 0)"),
                    OptionalField::Time(field) => {
                        self.push("(");
                        self.push(time_column(*field));
                        self.push(" IS NOT NULL)");
                    }
                }
                if !set {
                    self.push(" IS FALSE");
                }
            }
            Condition::Label { .. } | Condition::LabelKey(_) => {
                self.push("CASE WHEN labels IS NULL THEN FALSE END");
            }
            Condition::PayloadType { payload, test } => self.payload_type(*payload, test),
            Condition::Payload(_) => self.push("NULL"),
            Condition::Step(condition) => self.step(condition),
        }
    }

    /// The types are encoded: a text without the name is of another type. Standard metadata may be
    /// shown where a row has none, of a type that its origin names.
    fn payload_type(&mut self, payload: PayloadField, test: &TextTest) {
        let columns: &[&str] = match payload {
            PayloadField::Metadata => &["metadata", "origin"],
            PayloadField::Response => &["result"],
        };
        let absent = match payload {
            PayloadField::Metadata => "metadata IS NULL AND origin IS NULL",
            PayloadField::Response => "result_kind IS NOT 0",
        };
        self.push("CASE WHEN ");
        self.push(absent);
        self.push(" THEN FALSE");
        if let Some(part) = test.part() {
            self.push(" WHEN ");
            for (at, column) in columns.iter().enumerate() {
                self.push(if at == 0 {
                    "instr(ifnull("
                } else {
                    " AND instr(ifnull("
                });
                self.push(column);
                self.push(", x''), ");
                self.value(part.as_bytes().to_vec());
                self.push(") = 0");
            }
            self.push(" THEN FALSE");
        }
        self.push(" END");
    }

    /// The wait of a pending operation is encoded: bytes without the key are of another wait.
    fn step(&mut self, condition: &StepCondition) {
        self.push("CASE WHEN steps IS NULL OR state <> 0 THEN ");
        self.push(if condition.otherwise() {
            "TRUE"
        } else {
            "FALSE"
        });
        if let Some(part) = condition.part() {
            self.push(" WHEN instr(steps, ");
            self.value(part.as_bytes().to_vec());
            self.push(") = 0 THEN FALSE");
        }
        self.push(" END");
    }

    fn states(&mut self, wanted: impl Fn(OperationState) -> bool) {
        let states = OperationState::ALL.into_iter();
        let numbers: Vec<String> = states
            .filter(|state| wanted(*state))
            .map(|state| state.as_number().to_string())
            .collect();
        match numbers.as_slice() {
            [] => self.push("FALSE"),
            numbers => {
                self.push("state IN (");
                self.push(&numbers.join(", "));
                self.push(")");
            }
        }
    }

    /// The error is encoded: SQL sees only whether there is one.
    fn of_error(&mut self) {
        self.push("CASE WHEN result_kind IS NOT 1 THEN FALSE END");
    }

    /// Of a text that is ASCII: then it is in the normal form, and its bytes are its characters. (A
    /// length that NUL has cut short is none.)
    fn text(&mut self, column: &str, test: &TextTest) {
        self.push("CASE WHEN length(");
        self.push(column);
        self.push(") = octet_length(");
        self.push(column);
        self.push(") THEN ");
        match test {
            TextTest::Compare { comparison, value } => {
                self.push(column);
                self.push(operator(*comparison));
                self.value(value.clone());
            }
            TextTest::Like { pattern, negated } => {
                if *negated {
                    self.push("NOT ");
                }
                self.like(column, pattern);
            }
        }
        self.push(" END");
    }

    fn like(&mut self, column: &str, pattern: &Wildcard) {
        match pattern {
            Wildcard::Any => self.push("TRUE"),
            Wildcard::Prefix(text) | Wildcard::Suffix(text) if text.is_empty() => self.push("TRUE"),
            Wildcard::Prefix(text) => {
                let length = text.chars().count();
                self.push(&format!("(substr({column}, 1, {length}) = "));
                self.value(text.clone());
                self.push(")");
            }
            Wildcard::Suffix(text) => {
                let length = text.chars().count();
                self.push(&format!("(substr({column}, -{length}) = "));
                self.value(text.clone());
                self.push(")");
            }
            Wildcard::Contains(text) => {
                self.push(&format!("(instr({column}, "));
                self.value(text.clone());
                self.push(") > 0)");
            }
        }
    }
}

fn operator(comparison: Comparison) -> &'static str {
    match comparison {
        Comparison::Equal => " = ",
        Comparison::NotEqual => " <> ",
        Comparison::Less => " < ",
        Comparison::LessOrEqual => " <= ",
        Comparison::Greater => " > ",
        Comparison::GreaterOrEqual => " >= ",
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

fn glob_escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '*' | '?' | '[' => escaped.extend(['[', c, ']']),
            c => escaped.push(c),
        }
    }
    escaped
}
