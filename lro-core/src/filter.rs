//! The filter of a list: AIP-160 over the fields of operations.
//!
//! ```
//! use lro_core::filter::{Filter, Schema};
//! # use lro_core::store::{NewOperation, OperationRecord};
//! # use lro_core::Timestamp;
//! # let name = "operations/import-7".parse()?;
//! # let new = NewOperation::new(uuid::Uuid::nil(), name, "/lib.v1.Library/Import", lro_core::pack(&()));
//! # let record = OperationRecord::new(new, Timestamp::from_micros(0));
//!
//! let schema = Schema::default();
//! let filter = Filter::parse("done = false AND name = \"operations/import-*\"", &schema)?;
//! assert!(filter.matches(&record));
//!
//! let error = Filter::parse("done = 1", &schema).unwrap_err();
//! assert_eq!(error.offset(), 7);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # The language
//!
//! * `field operator literal`, with `=`, `!=`, `<`, `<=`, `>`, `>=` and `:`. Booleans and enums have
//!   no order. The field is on the left, the literal on the right.
//! * `OR` binds tighter than `AND`; white space between terms is an AND that binds tighter than
//!   `AND`. `NOT a` and `-a` negate one term.
//! * Literals are `true`, `40`, `-0.5`, `1e3`, `RUNNING`, `20s`, `"2024-01-02T03:04:05Z"` (with
//!   quotes, for it holds colons) and texts, with quotes where they hold anything but letters,
//!   digits and the like. Numbers and booleans are never quoted. Inside quotes there are
//!   `\\ \" \' \n \r \t \*` and `\uXXXX`; NUL and raw control characters are refused.
//! * `*` at the start or the end of a text is a wildcard with `=`, `!=` and `:`; `\*` in quotes is a
//!   star.
//! * `field:*` asks whether a field is present: a message is set, a list or map is not empty, a
//!   scalar is not its default (an `optional` one is set). On a list `:` asks for an element, on a map for a key, on a message
//!   for a present field, on a scalar it is `=`; only `:` looks through a list, as in
//!   `metadata.steps.name:fetch`.
//! * `= null` and `!= null` ask whether a message, a timestamp or a duration is set.
//! * `field = (a OR b)` is `field = a OR field = b`, for every operator; within the parentheses `-a`
//!   negates, as elsewhere. So `field = (-1 OR 40)` would say `NOT field = 1 OR field = 40`: `-`
//!   before a digit is refused there. Write `field = -1 OR field = 40`, or `(NOT 1 OR 40)`.
//! * A comparison is false of an operation that lacks a message on the way to the field, or the key
//!   of a map: `!=` too. `NOT` is true of what is not true, so `NOT a.b = c` and `a.b != c` differ.
//! * A payload that does not decode, or whose type lacks the field, counts as missing.
//! * Field names may be in lowerCamelCase; keys of maps are taken as they are.
//! * Texts are compared by code point, in the Unicode normal form C.
//! * `metadata.@type` and `response.@type` are the full names of the types: `metadata.@type =
//!   lib.v1.ImportMetadata`, with a host before it or without, quoted or not. `:` also takes the name
//!   without its package.
//! * `error.code` takes the names of codes: `error.code = NOT_FOUND`.
//! * `:` with an empty text is rejected, because it would match everything.
//! * If a service documents that `:` means *contains*, as Spanner and Bigtable do, enable it in the
//!   schema: [`SchemaBuilder::colon_contains`].
//! * Bare literals are rejected unless the schema names the fields to search. There are no
//!   functions.
//!
//! # Limits
//!
//! [`MAX_LENGTH`] code points, [`MAX_DEPTH`] parentheses within each other, [`MAX_TERMS`] terms.
//!
//! # For stores
//!
//! [`Filter::predicate`] is the filter with typed values. [`Predicate::verdict`] excludes index ranges
//! that cannot hold a match; [`Predicate::states_of`], [`Predicate::label_needs`] and
//! [`Predicate::parent_operation_needs`] name those that can, and [`Predicate::create_times`] bounds them.

mod access;
mod advice;
mod ast;
mod check;
mod condition;
mod descriptors;
mod error;
mod evaluate;
mod known;
mod lexer;
mod limits;
mod literal;
mod parser;
mod payload;
mod required;
mod resolve;
mod route;
mod schema;
mod text;
mod time;
mod tokens;
mod typed;
mod values;

use std::sync::Arc;

pub use access::LabelNeed;
pub use ast::{
    Argument, Call, Comparable, Expression, ExpressionKind, Operator, Path, Restriction, Segment,
    Span,
};
pub use condition::{
    Comparison, Condition, NumberField, OptionalField, Predicate, StepCondition, TextField,
    TimeField,
};
pub use descriptors::InvalidDescriptorSet;
pub use error::{FilterError, FilterErrorKind};
pub use known::Known;
pub use limits::{MAX_DEPTH, MAX_LENGTH, MAX_TERMS};
pub use parser::parse;
pub use payload::{PayloadCondition, PayloadField};
pub use schema::{Field, Schema, SchemaBuilder};
pub use text::{TextTest, Wildcard, nfc};

use crate::store::OperationRecord;

/// A filter that was checked against a [`Schema`]. It is cheap to clone.
///
/// ```
/// use lro_core::Timestamp;
/// use lro_core::filter::{Filter, Schema};
/// use lro_core::store::{NewOperation, OperationRecord};
///
/// let operation = NewOperation::new(
///     uuid::Uuid::nil(),
///     "operations/1".parse()?,
///     "/exporter.v1.Exporter/Export",
///     lro_core::pack(&()),
/// );
/// let record = OperationRecord::new(operation, Timestamp::EPOCH);
///
/// let filter = Filter::parse("done = false AND method = \"*/Export\"", &Schema::default())?;
/// assert!(filter.matches(&record));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// The default matches every operation.
#[derive(Clone, Debug, PartialEq)]
pub struct Filter {
    text: Arc<str>,
    predicate: Arc<Predicate>,
}

impl Filter {
    /// Parses and checks a filter. An empty or blank filter matches every operation.
    ///
    /// # Errors
    ///
    /// [`FilterError`], which becomes INVALID_ARGUMENT with a violation of the field `filter`.
    pub fn parse(text: &str, schema: &Schema) -> Result<Self, FilterError> {
        let checked = || {
            let expression = parser::parse_text(text)?;
            let predicate = match &expression {
                Some(expression) => check::check(schema, expression)?,
                None => Predicate::And(Vec::new()),
            };
            required::require(schema, expression.as_ref())?;
            Ok(predicate)
        };
        let predicate = checked().map_err(|problem: error::Problem| problem.in_text(text))?;
        Ok(Self {
            text: text.into(),
            predicate: Arc::new(predicate),
        })
    }

    /// The same filter, for operations of the method with this gRPC path only.
    #[must_use]
    pub fn of_method(self, path: &str) -> Self {
        let method = Predicate::Condition(Condition::Text {
            field: TextField::Method,
            test: TextTest::Compare {
                comparison: Comparison::Equal,
                value: nfc(path).into_owned(),
            },
        });
        let predicate = match &*self.predicate {
            Predicate::And(parts) => {
                let parts = parts.iter().cloned().chain([method]);
                Predicate::And(parts.collect())
            }
            other => Predicate::And(vec![other.clone(), method]),
        };
        Self {
            text: self.text,
            predicate: Arc::new(predicate),
        }
    }

    /// Whether the filter is empty, and therefore matches every operation.
    pub fn is_empty(&self) -> bool {
        matches!(&*self.predicate, Predicate::And(parts) if parts.is_empty())
    }

    /// The filter as it was written.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Whether the operation matches.
    pub fn matches(&self, record: &OperationRecord) -> bool {
        self.predicate.matches(record)
    }

    /// The checked filter.
    pub fn predicate(&self) -> &Predicate {
        &self.predicate
    }
}

impl Default for Filter {
    fn default() -> Self {
        Self {
            text: "".into(),
            predicate: Arc::new(Predicate::And(Vec::new())),
        }
    }
}
