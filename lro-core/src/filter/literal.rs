use prost_reflect::{EnumDescriptor, EnumValueDescriptor};
use tonic::Code;

use super::ast::{Path, Span};
use super::condition::Comparison;
use super::error::{FilterErrorKind, Problem, shown};
use super::schema::Formats;
use super::text::{TextTest, Wildcard, nfc};
use super::time;

/// The right side of an operator, on its way to a value of the field's type.
#[derive(Debug)]
pub(crate) struct Literal {
    text: String,
    quoted: bool,
    escaped_stars: Vec<usize>,
    pub(crate) span: Span,
}

impl Literal {
    /// `1.5` and `a.b` are paths to the grammar: their names are joined again.
    pub(crate) fn new(path: &Path) -> Result<Self, Problem> {
        if let [only] = path.segments.as_slice() {
            return Ok(Self {
                text: only.text.clone(),
                quoted: only.quoted,
                escaped_stars: only.escaped_stars.clone(),
                span: path.span,
            });
        }
        let texts: Vec<&str> = path.segments.iter().map(|s| s.text.as_str()).collect();
        if path.segments.iter().any(|segment| segment.quoted) {
            return Err(Problem::new(
                FilterErrorKind::TypeMismatch,
                path.span,
                "a literal is either quoted as a whole or not at all",
            )
            .hint("put all of it into one pair of quotes"));
        }
        Ok(Self {
            text: texts.join("."),
            quoted: false,
            escaped_stars: Vec::new(),
            span: path.span,
        })
    }

    /// `*` alone: anything that is present.
    pub(crate) fn is_star(&self) -> bool {
        self.text == "*" && self.escaped_stars.is_empty()
    }

    pub(crate) fn is_null(&self, formats: Formats) -> bool {
        !self.quoted && (self.text == "null" || (formats.upper_case_null && self.text == "NULL"))
    }

    /// The text as a field name.
    pub(crate) fn name(&self) -> &str {
        &self.text
    }

    pub(crate) fn text(&self, comparison: Comparison) -> Result<TextTest, Problem> {
        if !self.quoted && self.text == "null" {
            return Err(self
                .mismatch("a string is never null")
                .hint("quote it to mean the text: \"null\""));
        }
        self.key(comparison)
    }

    /// A part of a text, or the pattern that it is.
    pub(crate) fn part(&self) -> Result<TextTest, Problem> {
        self.text(Comparison::Equal)?;
        self.search()
    }

    /// `:` asks for something: an empty text would ask for nothing.
    pub(crate) fn not_empty(&self) -> Result<(), Problem> {
        if !self.text.is_empty() {
            return Ok(());
        }
        let message = "`:` takes no empty text";
        Err(
            Problem::new(FilterErrorKind::ExpectedValue, self.span, message).hint(
                "write `field = \"\"` for an empty text, `field:*` for one that is not empty, \
                 or `NOT field:*`",
            ),
        )
    }

    /// The same without what stands before the last slash.
    pub(crate) fn after_last_slash(&self) -> Self {
        let cut = self.text.rfind('/').map_or(0, |slash| slash + 1);
        let stars = self.escaped_stars.iter();
        Self {
            text: self.text.get(cut..).unwrap_or_default().to_owned(),
            quoted: self.quoted,
            escaped_stars: stars.filter_map(|star| star.checked_sub(cut)).collect(),
            span: self.span,
        }
    }

    /// Whether it is a name without a package, and no pattern.
    pub(crate) fn is_simple_name(&self) -> bool {
        !self.text.is_empty() && !self.text.contains(['.', '*'])
    }

    /// The number of a `google.rpc.Code` by its name.
    pub(crate) fn code(&self) -> Option<i32> {
        let code = match self.text.as_str() {
            "OK" => Code::Ok,
            "CANCELLED" => Code::Cancelled,
            "UNKNOWN" => Code::Unknown,
            "INVALID_ARGUMENT" => Code::InvalidArgument,
            "DEADLINE_EXCEEDED" => Code::DeadlineExceeded,
            "NOT_FOUND" => Code::NotFound,
            "ALREADY_EXISTS" => Code::AlreadyExists,
            "PERMISSION_DENIED" => Code::PermissionDenied,
            "RESOURCE_EXHAUSTED" => Code::ResourceExhausted,
            "FAILED_PRECONDITION" => Code::FailedPrecondition,
            "ABORTED" => Code::Aborted,
            "OUT_OF_RANGE" => Code::OutOfRange,
            "UNIMPLEMENTED" => Code::Unimplemented,
            "INTERNAL" => Code::Internal,
            "UNAVAILABLE" => Code::Unavailable,
            "DATA_LOSS" => Code::DataLoss,
            "UNAUTHENTICATED" => Code::Unauthenticated,
            _ => return None,
        };
        Some(code.into())
    }

    /// Like [`text`](Self::text), but `null` is a text like any other.
    pub(crate) fn key(&self, comparison: Comparison) -> Result<TextTest, Problem> {
        let Some(pattern) = self.wildcard()? else {
            return Ok(TextTest::Compare {
                comparison,
                value: nfc(&self.text).into_owned(),
            });
        };
        let negated = match comparison {
            Comparison::Equal => false,
            Comparison::NotEqual => true,
            _ => {
                return Err(Problem::new(
                    FilterErrorKind::WildcardInOrdering,
                    self.span,
                    "a wildcard goes with = and != only",
                )
                .hint("write \\* inside quotes to mean a star"));
            }
        };
        Ok(TextTest::Like { pattern, negated })
    }

    /// A bare literal, looked for in a text.
    pub(crate) fn search(&self) -> Result<TextTest, Problem> {
        let pattern = match self.wildcard()? {
            Some(pattern) => pattern,
            None => Wildcard::Contains(nfc(&self.text).into_owned()),
        };
        Ok(TextTest::Like {
            pattern,
            negated: false,
        })
    }

    pub(crate) fn wildcard(&self) -> Result<Option<Wildcard>, Problem> {
        let last = self.text.len().saturating_sub(1);
        let (mut leading, mut trailing) = (false, false);
        for (index, _) in self.text.match_indices('*') {
            match index {
                _ if self.escaped_stars.binary_search(&index).is_ok() => {}
                0 => leading = true,
                index if index == last => trailing = true,
                _ => {
                    return Err(Problem::new(
                        FilterErrorKind::MiddleWildcard,
                        self.span,
                        "a wildcard stands only at the start or at the end",
                    )
                    .hint("write \\* inside quotes to mean a star"));
                }
            }
        }
        let start = usize::from(leading);
        let end = self.text.len() - usize::from(trailing);
        let rest = nfc(self.text.get(start..end).unwrap_or("")).into_owned();
        Ok(match (leading, trailing) {
            (false, false) => None,
            _ if rest.is_empty() => Some(Wildcard::Any),
            (true, false) => Some(Wildcard::Suffix(rest)),
            (false, true) => Some(Wildcard::Prefix(rest)),
            (true, true) => Some(Wildcard::Contains(rest)),
        })
    }

    pub(crate) fn boolean(&self) -> Result<bool, Problem> {
        match self.text.as_str() {
            "true" if !self.quoted => Ok(true),
            "false" if !self.quoted => Ok(false),
            _ => Err(self.expected("a boolean").hint("write true or false")),
        }
    }

    pub(crate) fn integer(&self, min: i128, max: i128) -> Result<i128, Problem> {
        let digits = self.text.strip_prefix('-').unwrap_or(&self.text);
        if self.quoted || !time::is_plain_number(digits) {
            return Err(self
                .expected("an integer")
                .hint("write decimal digits, without quotes and leading zeros"));
        }
        let number = self.text.parse::<i128>().ok();
        number
            .filter(|number| (min..=max).contains(number))
            .ok_or_else(|| self.out_of_range(&format!("{min} to {max}")))
    }

    pub(crate) fn double(&self) -> Result<f64, Problem> {
        if self.quoted || !is_decimal(&self.text) {
            return Err(self
                .expected("a number")
                .hint("write it like 40, -0.5 or 1.5e3, without quotes"));
        }
        let number = self.text.parse::<f64>().ok();
        number
            .filter(|number| number.is_finite())
            .ok_or_else(|| self.out_of_range("what a double holds"))
    }

    /// A double that a field of single precision can be equal to.
    pub(crate) fn float(&self) -> Result<f64, Problem> {
        self.double()?;
        let number = self.text.parse::<f32>().ok();
        number
            .filter(|number| number.is_finite())
            .map(f64::from)
            .ok_or_else(|| self.out_of_range("what a float holds"))
    }

    /// One of these names.
    pub(crate) fn choice<'a>(
        &self,
        names: impl IntoIterator<Item = &'a str>,
    ) -> Result<usize, Problem> {
        let names: Vec<&str> = names.into_iter().collect();
        if self.escaped_stars.is_empty()
            && let Some(index) = names.iter().position(|name| *name == self.text)
        {
            return Ok(index);
        }
        if !self.quoted && self.text == "null" {
            return Err(self
                .mismatch("an enum is never null")
                .hint(choices("it is one of", &names)));
        }
        let message = format!("there is no value `{}`", shown(&self.text));
        Err(
            Problem::new(FilterErrorKind::UnknownEnumValue, self.span, message)
                .hint(choices("it is one of", &names)),
        )
    }

    pub(crate) fn enumeration(&self, descriptor: &EnumDescriptor) -> Result<i32, Problem> {
        let values: Vec<_> = descriptor.values().collect();
        let index = self.choice(values.iter().map(EnumValueDescriptor::name))?;
        Ok(values.get(index).map_or(0, EnumValueDescriptor::number))
    }

    /// Nanoseconds since the Unix epoch.
    pub(crate) fn timestamp(&self, formats: Formats) -> Result<i128, Problem> {
        let text = self.text.as_str();
        if let Some(nanos) = time::parse_timestamp(text) {
            return Ok(nanos);
        }
        if formats.dates
            && let Some(nanos) = time::parse_date(text)
        {
            return Ok(nanos);
        }
        if formats.epoch_seconds
            && !self.quoted
            && let Some(nanos) = time::parse_epoch_seconds(text)
        {
            return Ok(nanos);
        }
        let message = format!("`{}` is no RFC 3339 timestamp", shown(text));
        Err(
            Problem::new(FilterErrorKind::BadTimestamp, self.span, message)
                .hint("write it like \"2024-01-02T03:04:05Z\", in quotes"),
        )
    }

    /// Nanoseconds.
    pub(crate) fn duration(&self) -> Result<i128, Problem> {
        time::parse_duration(&self.text).ok_or_else(|| {
            let message = format!("`{}` is no duration", shown(&self.text));
            Problem::new(FilterErrorKind::BadDuration, self.span, message)
                .hint("write seconds, like 20s or 1.2s")
        })
    }

    pub(crate) fn expected(&self, what: &str) -> Problem {
        let quotes = if self.quoted { "the string " } else { "" };
        self.mismatch(format!(
            "expected {what}, found {quotes}`{}`",
            shown(&self.text)
        ))
    }

    fn mismatch(&self, message: impl Into<String>) -> Problem {
        Problem::new(FilterErrorKind::TypeMismatch, self.span, message)
    }

    fn out_of_range(&self, range: &str) -> Problem {
        let message = format!("`{}` is beyond {range}", shown(&self.text));
        Problem::new(FilterErrorKind::OutOfRange, self.span, message)
    }
}

/// The names to choose from, for a hint; not more than a reader takes in.
pub(crate) fn choices(intro: &str, names: &[&str]) -> String {
    const SHOWN_MAX: usize = 16;
    let mut text = format!("{intro} ");
    for (index, name) in names.iter().take(SHOWN_MAX).enumerate() {
        let between = if index > 0 { ", " } else { "" };
        text.push_str(between);
        text.push_str(&shown(name));
    }
    if names.len() > SHOWN_MAX {
        text.push_str(", …");
    }
    text
}

/// `-?digits(.digits)?([eE][+-]?digits)?`, without leading zeros.
fn is_decimal(text: &str) -> bool {
    let digits = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
    let (mantissa, exponent) = match text.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => {
            let exponent = exponent.strip_prefix(['+', '-']).unwrap_or(exponent);
            (mantissa, Some(exponent))
        }
        None => (text, None),
    };
    let mantissa = mantissa.strip_prefix('-').unwrap_or(mantissa);
    let (whole, fraction) = match mantissa.split_once('.') {
        Some((whole, fraction)) => (whole, Some(fraction)),
        None => (mantissa, None),
    };
    time::is_plain_number(whole) && fraction.is_none_or(digits) && exponent.is_none_or(digits)
}
