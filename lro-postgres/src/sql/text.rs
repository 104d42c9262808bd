//! Text that PostgreSQL takes.

use std::borrow::Cow;

/// NUL, and line ends for the sake of notifications, as two characters each.
pub(crate) fn escape(text: &str) -> Cow<'_, str> {
    if !text.contains(['\\', '\0', '\n']) {
        return Cow::Borrowed(text);
    }
    let mut escaped = String::with_capacity(text.len() + 8);
    for char in text.chars() {
        match char {
            '\\' => escaped.push_str("\\\\"),
            '\0' => escaped.push_str("\\0"),
            '\n' => escaped.push_str("\\n"),
            other => escaped.push(other),
        }
    }
    Cow::Owned(escaped)
}

/// Reverses [`escape`]. `None`: the text is not its output.
pub(crate) fn unescape(text: &str) -> Option<String> {
    let mut plain = String::with_capacity(text.len());
    let mut chars = text.chars();
    while let Some(char) = chars.next() {
        plain.push(match char {
            '\\' => match chars.next()? {
                '\\' => '\\',
                '0' => '\0',
                'n' => '\n',
                _ => return None,
            },
            other => other,
        });
    }
    Some(plain)
}

/// An SQL identifier. The name holds no NUL.
pub(crate) fn quote(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_text_comes_back() {
        for text in ["", "plain", "nul\0", "\\0", "\\", "a\nb\\n", "ü\u{1f680}"] {
            let escaped = escape(text);
            assert!(!escaped.contains(['\0', '\n']), "{escaped:?}");
            assert_eq!(unescape(&escaped).as_deref(), Some(text));
        }
        assert_eq!(unescape("\\x"), None);
        assert_eq!(unescape("\\"), None);
    }

    #[test]
    fn an_identifier_is_one_token() {
        assert_eq!(quote("Lro \"x\""), "\"Lro \"\"x\"\"\"");
    }
}
