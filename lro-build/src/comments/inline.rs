//! Markdown within a line.

/// The line of text with everything escaped that would be HTML, a link or the begin of code.
///
/// Code spans that begin and end in the line stay, and so do links to web pages and mail
/// addresses; a bare URL becomes a link, as rustdoc advises.
// Input:  -     see <b>[Table]</b>, `a<b>` or https://example.com.
// Output: - see \<b>\[Table\]\</b>, `a<b>` or <https://example.com>.
pub(super) fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 8);
    let mut rest = text;
    // After the mark of a list or a quotation, more than four spaces would be code.
    while let Some((mark, after)) = container(rest) {
        out.push_str(mark);
        out.push(' ');
        rest = after;
    }
    if rest.starts_with("~~~") {
        out.push('\\');
    }
    let mut before = ' ';
    while let Some(letter) = rest.chars().next() {
        let taken = match letter {
            '`' => backticks(rest, &mut out),
            '\\' => backslash(rest, &mut out),
            '<' => angle(rest, &mut out),
            '[' => bracket(rest, &mut out),
            ']' => {
                out.push_str("\\]");
                1
            }
            'h' if !before.is_alphanumeric() => match url(rest) {
                Some(url) => {
                    out.extend(["<", url, ">"]);
                    url.len()
                }
                None => {
                    out.push('h');
                    1
                }
            },
            _ => {
                out.push(letter);
                letter.len_utf8()
            }
        };
        let (done, after) = rest.split_at(taken);
        before = done.chars().next_back().unwrap_or(letter);
        rest = after;
    }
    out
}

/// The mark of a list item or of a quotation, and the text behind it.
fn container(text: &str) -> Option<(&str, &str)> {
    let digits = text.len() - text.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    let length = match text.as_bytes().get(digits)? {
        b'-' | b'*' | b'+' | b'>' if digits == 0 => 1,
        b'.' | b')' if digits > 0 => digits + 1,
        _ => return None,
    };
    let (mark, rest) = text.split_at(length);
    let after = rest.trim_start();
    let is_apart = rest.len() > after.len() || mark == ">";
    (is_apart && !after.is_empty()).then_some((mark, after))
}

/// A code span that ends in the line, or backticks that mean themselves.
fn backticks(text: &str, out: &mut String) -> usize {
    let length = run(text);
    let span = (length < 3)
        .then(|| span(text, length))
        .flatten()
        // The cells of a table are taken apart before their code is seen.
        .filter(|span| !(span.contains('|') && span.contains(['<', '['])));
    if let Some(span) = span {
        out.push_str(span);
        return span.len();
    }
    out.push_str(&"\\`".repeat(length));
    length
}

/// The code span that this many backticks open.
fn span(text: &str, length: usize) -> Option<&str> {
    let mut at = length;
    loop {
        at += text.get(at..)?.find('`')?;
        let closing = run(&text[at..]);
        at += closing;
        if closing == length {
            return Some(&text[..at]);
        }
    }
}

fn run(text: &str) -> usize {
    text.len() - text.trim_start_matches('`').len()
}

/// An escape that is there already.
fn backslash(text: &str, out: &mut String) -> usize {
    let next = text[1..].chars().next();
    match next.filter(char::is_ascii_punctuation) {
        // The rest of a run is not to become a delimiter of its own.
        Some('`') => {
            let length = run(&text[1..]);
            out.push_str(&"\\`".repeat(length));
            1 + length
        }
        Some(next) => {
            out.extend(['\\', next]);
            2
        }
        None => {
            out.push_str("\\\\");
            1
        }
    }
}

/// A link in angle brackets, or no HTML.
fn angle(text: &str, out: &mut String) -> usize {
    let inner = &text[1..];
    if let Some(url) = url(inner)
        && inner[url.len()..].starts_with('>')
    {
        out.extend(["<", url, ">"]);
        return url.len() + 2;
    }
    out.push_str("\\<");
    1
}

/// A link to somewhere else than into Rust's documentation, or brackets that mean themselves.
fn bracket(text: &str, out: &mut String) -> usize {
    if let Some(link) = link(text) {
        out.push_str(link);
        return link.len();
    }
    out.push_str("\\[");
    1
}

// Input:  [the guide](https://example.com) says
// Output: [the guide](https://example.com)
fn link(text: &str) -> Option<&str> {
    let (label, rest) = text.get(1..)?.split_once(']')?;
    let (target, _) = rest.strip_prefix('(')?.split_once(')')?;
    let is_plain = |text: &str| !text.contains(['[', ']', '<', '>', '`', '\\', '(']);
    let is_elsewhere = ["https://", "http://", "mailto:"]
        .iter()
        .any(|scheme| target.starts_with(scheme) && target.len() > scheme.len());
    let is_link = is_plain(label)
        && !label.trim().is_empty()
        && url(label).is_none()
        && !label.contains("://")
        && is_plain(target)
        && is_elsewhere
        && !target.contains(char::is_whitespace);
    is_link.then(|| &text[..label.len() + target.len() + 4])
}

/// The URL of a web page that the text begins with, without the punctuation of the sentence.
fn url(text: &str) -> Option<&str> {
    let host = text
        .strip_prefix("https://")
        .or_else(|| text.strip_prefix("http://"))?;
    let end = host
        .find(|c: char| c.is_whitespace() || c.is_control() || "<>`\"()[]{}|\\".contains(c))
        .unwrap_or(host.len());
    let host = host[..end].trim_end_matches(['.', ',', ';', ':', '!', '?', '\'', '*', '_']);
    let scheme = text.find("://")? + "://".len();
    (!host.is_empty()).then(|| &text[..scheme + host.len()])
}
