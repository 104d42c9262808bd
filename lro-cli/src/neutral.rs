//! Makes text from a server harmless on a terminal.
//!
//! Control characters move the cursor, write the clipboard and forge output; bidirectional controls
//! reorder what is read. On a terminal they are shown as escapes. Off a terminal nothing is changed.

use std::borrow::Cow;
use std::fmt::Write as _;

/// One line of text: what is unsafe on a terminal, line breaks and tabs among it, becomes `\u{..}`.
#[must_use]
pub fn line(text: &str) -> Cow<'_, str> {
    escaped(text, is_unsafe, |out, char| {
        let _ = write!(out, "\\u{{{:x}}}", u32::from(char));
    })
}

/// Text of several lines: as [`line()`], with the line feeds kept.
#[must_use]
pub fn lines(text: &str) -> Cow<'_, str> {
    let is_unsafe = |char| char != '\n' && is_unsafe(char);
    escaped(text, is_unsafe, |out, char| {
        let _ = write!(out, "\\u{{{:x}}}", u32::from(char));
    })
}

/// A JSON document: what is unsafe becomes the escape of JSON, so that the document stays the same.
/// The line feeds and spaces between its tokens are kept.
#[must_use]
pub fn json(text: &str) -> Cow<'_, str> {
    let is_unsafe = |char| char != '\n' && is_unsafe(char);
    escaped(text, is_unsafe, |out, char| {
        for unit in char.encode_utf16(&mut [0; 2]) {
            let _ = write!(out, "\\u{unit:04x}");
        }
    })
}

/// Whether a terminal may do anything but show this character in its place.
#[must_use]
pub fn is_unsafe(char: char) -> bool {
    // C0, DEL and C1.
    char.is_control()
        || matches!(char,
            // Bidirectional controls.
            '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}'
            // Separators of lines and paragraphs; characters without any width.
            | '\u{2028}' | '\u{2029}' | '\u{200b}'..='\u{200d}' | '\u{2060}' | '\u{feff}'
            // Annotations, and the tags that hide text.
            | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

fn escaped(
    text: &str,
    is_unsafe: impl Fn(char) -> bool,
    escape: impl Fn(&mut String, char),
) -> Cow<'_, str> {
    if !text.chars().any(&is_unsafe) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 16);
    for char in text.chars() {
        if is_unsafe(char) {
            escape(&mut out, char);
        } else {
            out.push(char);
        }
    }
    Cow::Owned(out)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_clipboard_and_the_cursor_are_out_of_reach() {
        assert_eq!(line("\u{1b}]52;c;aGk=\u{7}"), "\\u{1b}]52;c;aGk=\\u{7}");
        assert_eq!(line("a\r\nb\tc"), "a\\u{d}\\u{a}b\\u{9}c");
        assert_eq!(line("\u{9b}2J"), "\\u{9b}2J");
        assert_eq!(line("x\u{202e}gpj.exe"), "x\\u{202e}gpj.exe");
        assert_eq!(lines("a\nb\u{7f}"), "a\nb\\u{7f}");
        assert_eq!(json("\"\u{9b}\u{e0041}\""), "\"\\u009b\\udb40\\udc41\"");
        assert!(matches!(line("ö 表 [##]"), Cow::Borrowed(_)));
    }

    proptest! {
        #[test]
        fn no_unsafe_character_passes(text in any::<String>()) {
            prop_assert!(!line(&text).chars().any(is_unsafe));
            prop_assert!(!lines(&text).chars().any(|it| it != '\n' && is_unsafe(it)));
        }

        #[test]
        fn json_stays_the_same_document(text in any::<String>()) {
            let document = serde_json::to_string(&text).unwrap();
            let safe = json(&document);
            prop_assert!(!safe.chars().any(is_unsafe));
            prop_assert_eq!(serde_json::from_str::<String>(&safe).unwrap(), text);
        }
    }
}
