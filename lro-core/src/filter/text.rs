use std::borrow::Cow;

use unicode_normalization::{IsNormalized, UnicodeNormalization as _, is_nfc_quick};

use super::condition::Comparison;

/// The text in the Unicode normal form C: texts are compared in it.
///
/// ```
/// assert_eq!(lro_core::filter::nfc("cafe\u{301}"), "café");
/// ```
pub fn nfc(text: &str) -> Cow<'_, str> {
    if text.is_ascii() || is_nfc_quick(text.chars()) == IsNormalized::Yes {
        Cow::Borrowed(text)
    } else {
        Cow::Owned(text.nfc().collect())
    }
}

/// A test of a text.
///
/// ```
/// use lro_core::filter::{TextTest, Wildcard};
///
/// let test = TextTest::Like { pattern: Wildcard::Prefix("a_".into()), negated: false };
/// assert!(test.accepts("a_b") && !test.accepts("aXb"));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TextTest {
    /// It compares so with this text, by code point.
    Compare {
        /// How.
        comparison: Comparison,
        /// With what, normalized.
        value: String,
    },
    /// It matches the pattern, or does not.
    Like {
        /// The pattern.
        pattern: Wildcard,
        /// Whether it must not match.
        negated: bool,
    },
}

/// A text with a wildcard at one end or both. The text is normalized, and all of it is literal.
///
/// ```
/// use lro_core::filter::{TextTest, Wildcard};
///
/// let test = TextTest::Like { pattern: Wildcard::Contains("port".into()), negated: false };
/// assert!(test.accepts("exporter"));
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Wildcard {
    /// `*`: any text, the empty one included.
    Any,
    /// `text*`
    Prefix(String),
    /// `*text`
    Suffix(String),
    /// `*text*`
    Contains(String),
}

impl TextTest {
    /// Whether it accepts the text.
    pub fn accepts(&self, text: &str) -> bool {
        let text = nfc(text);
        match self {
            Self::Compare { comparison, value } => comparison.holds(&*text, value.as_str()),
            Self::Like { pattern, negated } => pattern.matches(&text) != *negated,
        }
    }

    /// A substring of every ASCII text that the test accepts; `None` if none is known.
    ///
    /// ```
    /// use lro_core::filter::{TextTest, Wildcard};
    ///
    /// let test = TextTest::Like { pattern: Wildcard::Prefix("a.b".into()), negated: false };
    /// assert_eq!(test.part(), Some("a.b"));
    /// ```
    pub fn part(&self) -> Option<&str> {
        let part = match self {
            Self::Compare {
                comparison: Comparison::Equal,
                value,
            } => value,
            Self::Like {
                pattern: Wildcard::Prefix(part) | Wildcard::Suffix(part) | Wildcard::Contains(part),
                negated: false,
            } => part,
            Self::Compare { .. } | Self::Like { .. } => return None,
        };
        (!part.is_empty() && part.is_ascii()).then_some(part)
    }

    pub(crate) fn any() -> Self {
        Self::Like {
            pattern: Wildcard::Any,
            negated: false,
        }
    }

    pub(crate) fn not_empty() -> Self {
        Self::Compare {
            comparison: Comparison::NotEqual,
            value: String::new(),
        }
    }
}

impl Wildcard {
    fn matches(&self, text: &str) -> bool {
        match self {
            Self::Any => true,
            Self::Prefix(prefix) => text.starts_with(prefix.as_str()),
            Self::Suffix(suffix) => text.ends_with(suffix.as_str()),
            Self::Contains(part) => text.contains(part.as_str()),
        }
    }
}
