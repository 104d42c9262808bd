//! Comments of protos as documentation of the generated code.
//!
//! rustdoc runs code blocks, resolves links, and warns about HTML. The comments of a proto are
//! none of these: [`Comments`] takes all comments out of the descriptors, so that neither prost-build nor
//! tonic-build changes them, and puts them into the generated code with everything escaped that
//! rustdoc would act on. Code blocks become blocks of plain text, links to `http:`, `https:` and
//! `mailto:` stay.

use std::fmt::Write;

use prost_types::FileDescriptorProto;

mod inline;

/// Stands in the descriptors for a comment, with the comment's index and an `@` behind it.
const PLACEHOLDER: &str = "@lro-build-comment-";
/// A text line may stand this much to the right: enough for nested lists, and too little for code.
const MAX_INDENT: usize = 2;
const TAB: usize = 4;

/// The comments of a build, ready to be put into the generated code.
#[derive(Debug, Default)]
pub(crate) struct Comments {
    /// The lines of each, which are empty or begin with a space.
    texts: Vec<Vec<String>>,
}

impl Comments {
    /// Takes the comments of the file, and leaves placeholders.
    pub(crate) fn take(&mut self, file: &mut FileDescriptorProto) {
        let Some(info) = &mut file.source_code_info else {
            return;
        };
        for location in &mut info.location {
            // They belong to nothing that is generated.
            location.leading_detached_comments.clear();
            for comment in [
                &mut location.leading_comments,
                &mut location.trailing_comments,
            ] {
                *comment = comment.take().and_then(|text| self.keep(&text));
            }
        }
    }

    /// The placeholder of a comment, if it says something.
    fn keep(&mut self, text: &str) -> Option<String> {
        let lines = markdown(text);
        if lines.iter().all(String::is_empty) {
            return None;
        }
        self.texts.push(lines);
        Some(format!(" {PLACEHOLDER}{}@\n", self.texts.len() - 1))
    }

    // Input:      /// @lro-build-comment-0@
    // Output:     /// The lines
    //             /// of the comment.
    /// Puts the comments in the place of their placeholders.
    pub(crate) fn put_back(&self, code: &str) -> String {
        let mut out = String::with_capacity(code.len());
        for line in code.lines() {
            match self.find(line) {
                Some((before, text)) => {
                    for line in text {
                        // Writing to a string does not fail.
                        let _ = writeln!(out, "{before}{line}");
                    }
                }
                None => {
                    let _ = writeln!(out, "{line}");
                }
            }
        }
        out
    }

    /// The comment that the line stands for, and what stands before it.
    fn find<'a>(&'a self, line: &'a str) -> Option<(&'a str, &'a [String])> {
        let (before, rest) = line.split_once(PLACEHOLDER)?;
        let (index, _) = rest.split_once('@')?;
        let text = self.texts.get(index.parse::<usize>().ok()?)?;
        Some((before.trim_end(), text))
    }
}

/// The text as Markdown whose only code blocks are plain text, and which has no HTML and no links
/// but to web pages and mail addresses.
///
/// No two lines make one construct unless this function wrote both: that is why it needs no parser,
/// and no other reader of Markdown can understand a line in another way.
// Input:
//
//     Such as
//
//         a - b
//
//     for <key> of [Table].
//
// Output:
//
//     Such as
//
//     ```text
//     a - b
//     ```
//
//     for \<key> of \[Table\].
fn markdown(comment: &str) -> Vec<String> {
    let mut out = Output::default();
    let mut state = State::Text { after_blank: true };
    for line in comment.split('\n') {
        let line = printable(line);
        let (indent, text) = indent(&line);
        // The space after `//` belongs to every line.
        let looks_like_code =
            !text.is_empty() && (indent > 4 || line.trim_start_matches(' ').starts_with('\t'));
        if let State::Code(code) = &mut state {
            if text.is_empty() || looks_like_code {
                code.push(line);
                continue;
            }
            out.code(code);
            state = State::Text {
                after_blank: out.ends_blank(),
            };
        }
        match &mut state {
            State::Fence { fence, code } => {
                if fence.is_closed_by(text) {
                    out.code(code);
                    state = State::Text { after_blank: false };
                } else {
                    code.push(line);
                }
            }
            State::Text { after_blank } => {
                if let Some(fence) = Fence::open(text) {
                    state = State::Fence {
                        fence,
                        code: vec![],
                    };
                } else if looks_like_code && *after_blank {
                    state = State::Code(vec![line]);
                } else {
                    *after_blank = text.is_empty();
                    out.text(indent.saturating_sub(1), text);
                }
            }
            State::Code(_) => {}
        }
    }
    if let State::Code(code) | State::Fence { code, .. } = state {
        out.code(&code);
    }
    out.finish()
}

/// Where in a comment a line is.
enum State {
    Text {
        after_blank: bool,
    },
    /// In a block that is code because it is indented.
    Code(Vec<String>),
    Fence {
        fence: Fence,
        code: Vec<String>,
    },
}

/// The marks that open and close a code block.
struct Fence {
    letter: char,
    length: usize,
}

impl Fence {
    fn open(text: &str) -> Option<Self> {
        let letter = text.chars().next().filter(|first| "`~".contains(*first))?;
        let rest = text.trim_start_matches(letter);
        let length = text.len() - rest.len();
        let is_span = letter == '`' && rest.contains('`');
        (length >= 3 && !is_span).then_some(Self { letter, length })
    }

    fn is_closed_by(&self, text: &str) -> bool {
        let text = text.trim_end();
        text.len() >= self.length && text.chars().all(|letter| letter == self.letter)
    }
}

/// The lines so far.
#[derive(Default)]
struct Output {
    lines: Vec<String>,
}

impl Output {
    fn text(&mut self, indent: usize, text: &str) {
        if text.is_empty() {
            self.lines.push(String::new());
            return;
        }
        let indent = indent.min(MAX_INDENT);
        self.lines
            .push(format!(" {:indent$}{}", "", inline::escape(text)));
    }

    /// A block of plain text, behind which the blank lines at its end stand.
    fn code(&mut self, code: &[String]) {
        let used = code
            .iter()
            .rposition(|line| !line.trim().is_empty())
            .map_or(0, |last| last + 1);
        let (code, blank) = code.split_at(used);
        let left = code.iter().filter(|line| !line.trim().is_empty());
        let left = left.map(|line| indent(line).0).min().unwrap_or_default();
        let ticks = code.iter().map(|line| longest_run(line, '`')).max();
        let fence = "`".repeat((ticks.unwrap_or_default() + 1).max(3));
        if !code.is_empty() {
            self.lines.push(format!(" {fence}text"));
            for line in code {
                let (indent, text) = indent(line);
                let indent = indent.saturating_sub(left);
                let line = format!(" {:indent$}{text}", "");
                self.lines.push(line.trim_end().to_owned());
            }
            self.lines.push(format!(" {fence}"));
        }
        self.lines.extend(blank.iter().map(|_| String::new()));
    }

    fn ends_blank(&self) -> bool {
        self.lines.last().is_none_or(String::is_empty)
    }

    fn finish(mut self) -> Vec<String> {
        while self.lines.last().is_some_and(String::is_empty) {
            self.lines.pop();
        }
        self.lines
    }
}

/// The line without what Rust refuses in a comment: control characters, and those that turn the
/// direction of a text around.
fn printable(line: &str) -> String {
    let line = line.strip_suffix('\r').unwrap_or(line);
    line.chars()
        .filter_map(|letter| match letter {
            '\t' => Some('\t'),
            '\r' => Some(' '),
            '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => None,
            _ => Some(letter).filter(|letter| !letter.is_control()),
        })
        .collect()
}

/// How many columns the text is to the right, and the text.
fn indent(line: &str) -> (usize, &str) {
    let text = line.trim_start_matches([' ', '\t']);
    let mut column = 0;
    for letter in line[..line.len() - text.len()].chars() {
        column += if letter == '\t' {
            TAB - column % TAB
        } else {
            1
        };
    }
    (column, text.trim_end())
}

fn longest_run(line: &str, letter: char) -> usize {
    let mut longest = 0;
    let mut run = 0;
    for next in line.chars() {
        run = if next == letter { run + 1 } else { 0 };
        longest = longest.max(run);
    }
    longest
}

#[cfg(test)]
mod tests;
