//! As much of Markdown as the checks need.

/// A fenced block.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Fence {
    /// The line of its opening, from 1.
    pub(crate) line: usize,
    /// The text behind the opening.
    pub(crate) info: String,
    /// Its contents.
    pub(crate) text: String,
}

/// The fenced blocks of a Markdown text.
pub(crate) fn fences(text: &str) -> Vec<Fence> {
    fences_in(text.lines().enumerate().map(|(at, line)| (at + 1, line)))
}

/// The fenced blocks in the doc comments of a Rust source.
pub(crate) fn doc_fences(source: &str) -> Vec<Fence> {
    let docs = source.lines().enumerate().filter_map(|(at, line)| {
        let line = line.trim_start();
        let doc = line
            .strip_prefix("//!")
            .or_else(|| line.strip_prefix("///"))?;
        Some((at + 1, doc.strip_prefix(' ').unwrap_or(doc)))
    });
    fences_in(docs)
}

/// A text without its fenced blocks and its `code`, lines kept.
pub(crate) fn prose(text: &str) -> String {
    let mut prose = String::new();
    let mut inside = false;
    for line in text.lines() {
        let mark = line.trim_start().starts_with("```");
        if !inside && !mark {
            let parts = line.split('`').enumerate();
            prose.extend(parts.filter(|(at, _)| at % 2 == 0).map(|(_, part)| part));
        }
        inside ^= mark;
        prose.push('\n');
    }
    prose
}

/// The anchors of a text's headings, as GitHub makes them.
pub(crate) fn anchors(text: &str) -> impl Iterator<Item = String> {
    let mut inside = false;
    text.lines().filter_map(move |line| {
        inside ^= line.trim_start().starts_with("```");
        let heading = line.strip_prefix('#').filter(|_| !inside)?;
        let heading = heading.trim_start_matches('#').strip_prefix(' ')?.trim();
        let kept = heading
            .chars()
            .filter(|c| c.is_alphanumeric() || "-_ ".contains(*c));
        Some(kept.collect::<String>().to_lowercase().replace(' ', "-"))
    })
}

/// The cells of the rows of a text's tables, with the line of each row.
pub(crate) fn rows(text: &str) -> impl Iterator<Item = (usize, Vec<&str>)> {
    text.lines().enumerate().filter_map(|(at, line)| {
        let row = line.trim().strip_prefix('|')?.strip_suffix('|')?;
        Some((at + 1, row.split('|').map(str::trim).collect()))
    })
}

fn fences_in<'a>(lines: impl Iterator<Item = (usize, &'a str)>) -> Vec<Fence> {
    let mut fences = Vec::new();
    let mut open: Option<Fence> = None;
    for (line, text) in lines {
        match (text.trim_start().strip_prefix("```"), &mut open) {
            (Some(info), None) => {
                open = Some(Fence {
                    line,
                    info: info.trim().to_owned(),
                    text: String::new(),
                });
            }
            (Some(_), Some(_)) => fences.extend(open.take()),
            (None, Some(fence)) => {
                fence.text += text;
                fence.text.push('\n');
            }
            (None, None) => {}
        }
    }
    fences
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_are_found_in_texts_and_in_docs() {
        let fence = |line, info: &str, text: &str| Fence {
            line,
            info: info.to_owned(),
            text: text.to_owned(),
        };
        let text = "a\n```rust\nb\n\n  c\n```\nd\n```\ne\n```\n";
        let found = [fence(2, "rust", "b\n\n  c\n"), fence(8, "", "e\n")];
        assert_eq!(fences(text), found);
        let source = "//! ```\n//! a\n//!\n//!   b\n//! ```\nfn c() {}\n";
        assert_eq!(doc_fences(source), [fence(1, "", "a\n\n  b\n")]);
    }

    #[test]
    fn prose_has_no_code() {
        assert_eq!(prose("a `b` c\n```\nd\n```\ne"), "a  c\n\n\n\ne\n");
    }

    #[test]
    fn headings_have_anchors() {
        let text = "# What it is\n```\n# not this\n```\n## `a`, and b-c\n#no heading\n";
        assert_eq!(
            anchors(text).collect::<Vec<_>>(),
            ["what-it-is", "a-and-b-c"]
        );
    }

    #[test]
    fn tables_have_rows() {
        let found: Vec<_> = rows("a\n| b | c |\n| - | - |\n").collect();
        assert_eq!(found, [(2, vec!["b", "c"]), (3, vec!["-", "-"])]);
    }
}
