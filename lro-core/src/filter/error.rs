use std::collections::HashMap;
use std::fmt;

use tonic_types::{ErrorDetails, FieldViolation, StatusExt};

use super::ast::Span;
use super::limits::FRAGMENT_MAX;
use crate::reason::{DOMAIN, Reason};

/// Why a filter is refused, and where.
///
/// ```
/// use lro_core::filter::{Filter, FilterErrorKind, Schema};
///
/// let error = Filter::parse("done = maybe", &Schema::default()).unwrap_err();
/// assert_eq!(error.kind(), FilterErrorKind::TypeMismatch);
/// assert_eq!(error.offset(), 7);
/// let status = tonic::Status::from(error);
/// assert_eq!(status.code(), tonic::Code::InvalidArgument);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FilterError(Box<Inner>);

#[derive(Clone, Debug, PartialEq, Eq)]
struct Inner {
    kind: FilterErrorKind,
    offset: usize,
    found: String,
    message: String,
    hint: Option<String>,
}

impl FilterError {
    /// The rule that is broken.
    pub fn kind(&self) -> FilterErrorKind {
        self.0.kind
    }

    /// Where, in Unicode code points from the start of the filter.
    pub fn offset(&self) -> usize {
        self.0.offset
    }

    /// A description of the error.
    pub fn message(&self) -> &str {
        &self.0.message
    }

    /// A suggestion of a correct filter, if there is one.
    pub fn hint(&self) -> Option<&str> {
        self.0.hint.as_deref()
    }
}

impl fmt::Display for FilterError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} (at offset {})", self.0.message, self.0.offset)?;
        match &self.0.hint {
            Some(hint) => write!(f, "; {hint}"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for FilterError {}

impl From<FilterError> for tonic::Status {
    fn from(error: FilterError) -> Self {
        let metadata = HashMap::from([
            ("field".to_owned(), "filter".to_owned()),
            ("rule".to_owned(), error.kind().as_str().to_owned()),
            ("offset".to_owned(), error.offset().to_string()),
            ("found".to_owned(), error.0.found.clone()),
        ]);
        let reason = Reason::InvalidFilter;
        let mut details = ErrorDetails::with_error_info(reason.as_str(), DOMAIN, metadata);
        let description = error.to_string();
        let message = format!("filter: {description}");
        details.set_bad_request(vec![FieldViolation::new("filter", description)]);
        Self::with_error_details(reason.code(), message, details)
    }
}

macro_rules! kinds {
    ($($(#[doc = $doc:literal])+ $name:ident = $text:literal,)+) => {
        /// The rule that a filter breaks.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum FilterErrorKind {
            $($(#[doc = $doc])+ $name,)+
        }

        impl FilterErrorKind {
            /// The name of the rule, as in the `rule` of the `ErrorInfo`.
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$name => $text,)+
                }
            }
        }
    };
}

kinds! {
    /// More than [`MAX_LENGTH`](super::MAX_LENGTH) code points.
    TooLong = "TOO_LONG",
    /// Deeper than [`MAX_DEPTH`](super::MAX_DEPTH).
    TooDeep = "TOO_DEEP",
    /// More than [`MAX_TERMS`](super::MAX_TERMS) terms.
    TooComplex = "TOO_COMPLEX",
    /// A string has no end.
    UnterminatedString = "UNTERMINATED_STRING",
    /// An escape that there is not.
    BadEscape = "BAD_ESCAPE",
    /// A control character, or an escape for NUL.
    ControlChar = "CONTROL_CHAR",
    /// A field or literal is missing.
    ExpectedValue = "EXPECTED_VALUE",
    /// Nothing follows AND or OR.
    MissingOperand = "MISSING_OPERAND",
    /// A parenthesis is not closed.
    ExpectedRparen = "EXPECTED_RPAREN",
    /// AND, OR or NOT where it cannot stand.
    UnexpectedKeyword = "UNEXPECTED_KEYWORD",
    /// Something where it cannot stand.
    UnexpectedToken = "UNEXPECTED_TOKEN",
    /// A bare literal, but no fields are declared to search in.
    NoSearchFields = "NO_SEARCH_FIELDS",
    /// No such field.
    UnknownField = "UNKNOWN_FIELD",
    /// A quoted string where a field must stand.
    QuotedField = "QUOTED_FIELD",
    /// No such function.
    UnknownFunction = "UNKNOWN_FUNCTION",
    /// A dot after something that has no fields.
    NotAMessage = "NOT_A_MESSAGE",
    /// A dot after a repeated field, without `:`.
    TraverseRepeated = "TRAVERSE_REPEATED",
    /// The field does not take this operator.
    BadOperator = "BAD_OPERATOR",
    /// A literal of another type than the field's.
    TypeMismatch = "TYPE_MISMATCH",
    /// A number beyond the field's type.
    OutOfRange = "OUT_OF_RANGE",
    /// The enum has no such value.
    UnknownEnumValue = "UNKNOWN_ENUM_VALUE",
    /// Not an RFC 3339 timestamp.
    BadTimestamp = "BAD_TIMESTAMP",
    /// Not a duration in seconds.
    BadDuration = "BAD_DURATION",
    /// A wildcard neither at the start nor at the end.
    MiddleWildcard = "MIDDLE_WILDCARD",
    /// A wildcard with `<`, `<=`, `>` or `>=`.
    WildcardInOrdering = "WILDCARD_IN_ORDERING",
    /// A comparison inside the argument of another.
    NestedRestriction = "NESTED_RESTRICTION",
    /// A restriction that must be there is not.
    RequiredRestriction = "REQUIRED_RESTRICTION",
    /// A field that may be restricted once is restricted twice.
    RepeatedRestriction = "REPEATED_RESTRICTION",
}

/// An error in a span of the filter; becomes a [`FilterError`] together with the text.
#[derive(Debug)]
pub(crate) struct Problem {
    pub(crate) kind: FilterErrorKind,
    span: Span,
    message: String,
    hint: Option<String>,
}

impl Problem {
    pub(crate) fn new(kind: FilterErrorKind, span: Span, message: impl Into<String>) -> Self {
        Self {
            kind,
            span,
            message: message.into(),
            hint: None,
        }
    }

    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// The same, but reported at another span if the operator is at fault.
    pub(crate) fn on_operator(mut self, span: Span) -> Self {
        use FilterErrorKind::{BadOperator, TraverseRepeated};
        if matches!(self.kind, BadOperator | TraverseRepeated) {
            self.span = span;
        }
        self
    }

    pub(crate) fn in_text(self, text: &str) -> FilterError {
        let before = text.get(..self.span.start).unwrap_or(text);
        let at = text.get(self.span.start..self.span.end).unwrap_or("");
        FilterError(Box::new(Inner {
            kind: self.kind,
            offset: before.chars().count(),
            found: shown(at),
            message: self.message,
            hint: self.hint,
        }))
    }
}

/// A span of the filter for messages: shortened, and without control characters.
pub(crate) fn shown(text: &str) -> String {
    let mut short = String::new();
    for (index, c) in text.chars().enumerate() {
        if index == FRAGMENT_MAX {
            short.push('…');
            break;
        }
        if c.is_control() {
            short.extend(c.escape_default());
        } else {
            short.push(c);
        }
    }
    short
}
