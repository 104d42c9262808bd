//! Rust sources with everything blanked out that is not code of the crate itself: comments, the
//! insides of literals, and what stands below `#[cfg(test)]`. Lines stay where they are.

/// The code of a source, without comments and literals.
pub(super) fn code(source: &str) -> String {
    Lexer {
        rest: source,
        out: String::with_capacity(source.len()),
    }
    .run()
}

/// The same, without its tests.
pub(super) fn code_without_tests(source: &str) -> String {
    let mut code = code(source);
    let mut from = 0;
    while let Some(start) = code[from..].find("#[cfg(test)]") {
        let start = from + start;
        let end = item_end(&code, start);
        let blank = blanked(&code[start..end]);
        code.replace_range(start..end, &blank);
        from = start + blank.len();
    }
    code
}

/// Whether a file is nothing but tests or trials of a crate, or runs at build time only.
pub(super) fn is_test_path(path: &str) -> bool {
    let mut folders = path.split('/');
    let name = folders.next_back().unwrap_or_default();
    // The root's `examples` are crates of their own, held to the same rules as all others.
    matches!(name, "tests.rs" | "build.rs")
        || folders
            .enumerate()
            .any(|(depth, it)| matches!(it, "tests" | "benches") || it == "examples" && depth > 0)
}

/// The lines that have this in them, counted from 1.
pub(super) fn lines_with<'a>(code: &'a str, word: &'a str) -> impl Iterator<Item = usize> + 'a {
    let lines = code.lines().enumerate();
    lines.filter_map(move |(at, line)| has_word(line, word).then_some(at + 1))
}

/// Whether a line has this in it, not as the tail of a longer name.
fn has_word(line: &str, word: &str) -> bool {
    let part_of_name = |c: char| c.is_alphanumeric() || c == '_';
    line.match_indices(word)
        .any(|(at, _)| !(word.starts_with(part_of_name) && line[..at].ends_with(part_of_name)))
}

/// Where the item ends that begins here: behind its braces, or its semicolon.
fn item_end(code: &str, start: usize) -> usize {
    let mut depth = 0_usize;
    for (at, c) in code[start..].char_indices() {
        match c {
            '{' => depth += 1,
            '}' if depth <= 1 => return start + at + 1,
            '}' => depth -= 1,
            ';' if depth == 0 => return start + at + 1,
            _ => {}
        }
    }
    code.len()
}

fn blanked(text: &str) -> String {
    text.chars()
        .map(|c| if c == '\n' { '\n' } else { ' ' })
        .collect()
}

struct Lexer<'a> {
    rest: &'a str,
    out: String,
}

impl Lexer<'_> {
    fn run(mut self) -> String {
        while let Some(c) = self.rest.chars().next() {
            match self.blank_len() {
                Some(len) => {
                    self.out += &blanked(&self.rest[..len]);
                    self.rest = &self.rest[len..];
                }
                None => {
                    self.out.push(c);
                    self.rest = &self.rest[c.len_utf8()..];
                }
            }
        }
        self.out
    }

    /// How much of what comes next is a comment or a literal.
    fn blank_len(&self) -> Option<usize> {
        let rest = self.rest;
        if rest.starts_with("//") {
            return Some(rest.find('\n').unwrap_or(rest.len()));
        }
        if rest.starts_with("/*") {
            return Some(block_comment_len(rest));
        }
        if rest.starts_with('"') {
            return Some(escaped_len(rest, '"'));
        }
        if rest.starts_with('\'') {
            return char_len(rest);
        }
        let in_name = self
            .out
            .ends_with(|c: char| c.is_alphanumeric() || c == '_');
        match in_name {
            true => None,
            false => raw_string_len(rest),
        }
    }
}

fn block_comment_len(text: &str) -> usize {
    let mut depth = 0_usize;
    let mut at = 0;
    while at < text.len() {
        let rest = &text[at..];
        if rest.starts_with("/*") {
            depth += 1;
            at += 2;
        } else if rest.starts_with("*/") {
            depth -= 1;
            at += 2;
            if depth == 0 {
                return at;
            }
        } else {
            at += rest.chars().next().map_or(1, char::len_utf8);
        }
    }
    text.len()
}

/// The length of a literal that ends at the first `quote` which no backslash escapes.
fn escaped_len(text: &str, quote: char) -> usize {
    let mut escaped = false;
    for (at, c) in text.char_indices().skip(1) {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            c if c == quote => return at + c.len_utf8(),
            _ => {}
        }
    }
    text.len()
}

/// The length of a character; a lifetime is none.
fn char_len(text: &str) -> Option<usize> {
    let mut chars = text.chars().skip(1);
    match (chars.next()?, chars.next()?) {
        ('\\', _) => Some(escaped_len(text, '\'')),
        (c, '\'') => Some(c.len_utf8() + 2),
        _ => None,
    }
}

fn raw_string_len(text: &str) -> Option<usize> {
    let prefix = ["r", "br", "cr"].into_iter().find(|prefix| {
        let rest = text.strip_prefix(prefix);
        rest.is_some_and(|rest| rest.trim_start_matches('#').starts_with('"'))
    })?;
    let rest = &text[prefix.len()..];
    let hashes = rest.len() - rest.trim_start_matches('#').len();
    let open = prefix.len() + hashes + 1;
    let close = format!("\"{}", "#".repeat(hashes));
    let end = text[open..].find(&close);
    Some(end.map_or(text.len(), |end| open + end + close.len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_and_literals_are_blank() {
        let check = |source: &str, left: &str| {
            let code = code(source);
            assert_eq!(
                code.split_whitespace().collect::<Vec<_>>().join(" "),
                left,
                "{source}"
            );
            assert_eq!(code.lines().count(), source.lines().count());
        };
        check("a(); // b()\n/// c()\nd();", "a(); d();");
        check("a(); /* b() /* c() */ d() */ e();", "a(); e();");
        check(r#"a("b() \" c()"); d();"#, "a( ); d();");
        check("a(r#\"b() \" c()\"#); d();", "a( ); d();");
        check("a(br\"b()\"); d();", "a( ); d();");
        check(
            "fn a<'b>(c: &'b str) { '\"'; '\\''; 'x' }",
            "fn a<'b>(c: &'b str) { ; ; }",
        );
        check("number\"b()\"", "number");
        check("a(\"not\nended", "a(");
    }

    #[test]
    fn tests_are_blank() {
        let source =
            "a();\n#[cfg(test)]\nmod tests {\n fn b() { c() }\n}\nd();\n#[cfg(test)]\nmod e;\nf();";
        let code = code_without_tests(source);
        assert_eq!(code.split_whitespace().collect::<String>(), "a();d();f();");
        assert_eq!(code.lines().count(), source.lines().count());
    }

    #[test]
    fn words_are_found_whole() {
        let lines = |code: &str, word: &str| lines_with(code, word).collect::<Vec<_>>();
        assert_eq!(
            lines(
                "x\nMySystemTime::now()\nSystemTime::now()",
                "SystemTime::now"
            ),
            [3]
        );
        assert_eq!(lines("a.tokio::b", "tokio::"), [1]);
    }

    #[test]
    fn test_paths() {
        for (path, is_test) in [
            ("lro-core/src/clock.rs", false),
            ("lro-testing/src/store.rs", false),
            ("lro-macros/src/tests.rs", true),
            ("lro-macros/src/tests/expansion.rs", true),
            ("tests/src/lib.rs", true),
            ("examples/exporter/build.rs", true),
            ("examples/archiver/src/main.rs", false),
            ("lro-sqlite/examples/throughput.rs", true),
        ] {
            assert_eq!(is_test_path(path), is_test, "{path}");
        }
    }
}
