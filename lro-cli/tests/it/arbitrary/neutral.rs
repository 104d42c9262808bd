// Arbitrary text on a terminal: nothing unsafe is left, JSON stays the same document.

use lro_cli::neutral::{is_unsafe, json, line, lines};

pub(crate) fn ask(input: &[u8]) {
    let text = String::from_utf8_lossy(input);
    assert!(!line(&text).chars().any(is_unsafe));
    assert!(!lines(&text).chars().any(|it| it != '\n' && is_unsafe(it)));
    assert!(!json(&text).chars().any(|it| it != '\n' && is_unsafe(it)));
    // Safe text is not changed.
    assert_eq!(line(&line(&text)), line(&text));
    if let Ok(before) = serde_json::from_str::<serde_json::Value>(&text)
        && !text.contains(['\r', '\t'])
    {
        let after: serde_json::Value = serde_json::from_str(&json(&text)).unwrap();
        assert_eq!(after, before);
    }
}
