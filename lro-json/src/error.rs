//! Errors of reading and writing, and how they quote what a caller has sent.

use std::error::Error;
use std::fmt::{self, Write as _};

/// The longest excerpt of a caller's text in an error message, in characters.
const MAX_QUOTED: usize = 64;

/// Why a JSON text is not a message of the expected type.
///
/// ```
/// use prost_reflect::DescriptorPool;
///
/// let duration = DescriptorPool::global().get_message_by_name("google.protobuf.Duration").unwrap();
/// let error = lro_json::ReadOptions::new().read(&duration, br#""1m""#).unwrap_err();
/// assert_eq!(error.to_string(), r#"expected a duration such as "1.5s", found "1m""#);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReadError {
    field: String,
    reason: String,
}

impl ReadError {
    pub(crate) fn new(field: impl Into<String>, reason: impl Into<String>) -> Self {
        Self {
            field: field.into(),
            reason: reason.into(),
        }
    }

    /// The path of the field at fault, for example `parcel.items[2].weight`. Empty when the message as
    /// a whole is at fault, or the text is not JSON.
    pub fn field(&self) -> &str {
        &self.field
    }

    /// The reason, without the field's path.
    pub fn reason(&self) -> &str {
        &self.reason
    }
}

impl fmt::Display for ReadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.field.is_empty() {
            write!(f, "{}: ", self.field)?;
        }
        f.write_str(&self.reason)
    }
}

impl Error for ReadError {}

/// Why a message has no JSON form: a field of a well-known type holds a value out of its range.
///
/// Inside a `google.protobuf.Any` this is no error: the value is written as base64.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WriteError {
    field: String,
    reason: String,
}

impl WriteError {
    pub(crate) fn new(field: impl Into<String>, reason: impl Into<String>) -> Self {
        Self {
            field: field.into(),
            reason: reason.into(),
        }
    }

    /// The path of the field at fault. Empty when the message as a whole is at fault.
    pub fn field(&self) -> &str {
        &self.field
    }

    /// The reason, without the field's path.
    pub fn reason(&self) -> &str {
        &self.reason
    }
}

impl fmt::Display for WriteError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.field.is_empty() {
            write!(f, "{}: ", self.field)?;
        }
        f.write_str(&self.reason)
    }
}

impl Error for WriteError {}

/// A caller's text for an error message: in double quotes, at most [`MAX_QUOTED`] characters of it,
/// everything but printable characters escaped.
pub(crate) fn quoted(text: &str) -> String {
    let mut quoted = String::from('"');
    for (index, c) in text.chars().enumerate() {
        if index == MAX_QUOTED {
            quoted.push_str("..");
            break;
        }
        escape(c, &mut quoted);
    }
    quoted.push('"');
    quoted
}

/// A part of a path: as it is where it is a plain identifier, quoted otherwise.
pub(crate) fn path_part(text: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '_';
    if !text.is_empty() && text.len() <= MAX_QUOTED && text.chars().all(plain) {
        text.to_owned()
    } else {
        quoted(text)
    }
}

fn escape(c: char, into: &mut String) {
    match c {
        '"' => into.push_str("\\\""),
        // Letters of all scripts stay; controls and the characters that reorder or hide text do not.
        c if c.is_alphanumeric() || c == ' ' || c.is_ascii_punctuation() => into.push(c),
        c => {
            let _ = write!(into, "\\u{{{:x}}}", u32::from(c));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quoted_text_is_short_and_shows_no_control_character() {
        assert_eq!(quoted("a\"b"), r#""a\"b""#);
        assert_eq!(quoted("a\n\u{202e}b"), r#""a\u{a}\u{202e}b""#);
        assert_eq!(quoted(&"x".repeat(1_000)).len(), MAX_QUOTED + 4);
    }

    #[test]
    fn a_path_part_is_quoted_where_it_is_no_identifier() {
        assert_eq!(path_part("display_name"), "display_name");
        assert_eq!(path_part("a b"), "\"a b\"");
        assert_eq!(path_part(""), "\"\"");
    }
}
