//! Leftovers in texts: marks of unfinished work, machine paths, stray white space.

use super::Findings;
use super::code::{code, lines_with};
use super::repo::{File, Repo};
use crate::markdown;

/// Not to be found in any text. In halves, so that they are not found here.
const NOWHERE: &[(&str, &str, &str)] = &[
    ("FIX", "ME", "do it now, or write down where it belongs"),
    ("/ho", "me/", "a path of one machine"),
    ("/ro", "ot/", "a path of one machine"),
    ("/wo", "rk/", "a path of one machine"),
    ("/Use", "rs/", "a path of one machine"),
];

/// Not to be found in code.
const NOT_IN_CODE: &[(&str, &str)] = &[
    ("#[ignore", "a test runs, or is deleted"),
    ("todo!(", "code is finished when it is merged"),
];

pub(super) fn check(repo: &Repo) -> Findings {
    let mut findings = Vec::new();
    for file in &repo.files {
        // Compiler messages and fuzzing seeds keep their bytes.
        let ours = !file.path.ends_with(".stderr") && !file.path.starts_with("dev/fuzz/seeds/");
        if ours {
            check_text(file, &mut findings);
        }
        if file.path.ends_with(".rs") {
            check_code(file, &mut findings);
        }
        if file.path.ends_with(".md") {
            check_fences(file, &markdown::fences(&file.text), &mut findings);
        }
    }
    findings
}

fn check_text(file: &File, findings: &mut Findings) {
    let path = &file.path;
    for (at, line) in file.text.lines().enumerate() {
        let at = at + 1;
        for (head, tail, reason) in NOWHERE {
            let word = [*head, *tail].concat();
            // As the beginning of a path, not as a part of one.
            let starts = |found: usize| {
                !line[..found].ends_with(|c: char| c.is_alphanumeric() || "_-.}".contains(c))
            };
            if line.match_indices(&word).any(|(found, _)| starts(found)) {
                findings.push(format!("{path}:{at}: `{word}`: {reason}"));
            }
        }
        if line.ends_with([' ', '\t', '\r']) {
            findings.push(format!("{path}:{at}: white space at the end of the line"));
        }
        if line.contains('\t') {
            findings.push(format!("{path}:{at}: a tab; indent with spaces"));
        }
    }
    if !file.text.is_empty() && !file.text.ends_with('\n') {
        findings.push(format!("{path}: the last line does not end"));
    }
}

fn check_code(file: &File, findings: &mut Findings) {
    let code = code(&file.text);
    for (word, reason) in NOT_IN_CODE {
        findings.extend(
            lines_with(&code, word).map(|line| format!("{}:{line}: `{word}`: {reason}", file.path)),
        );
    }
    check_fences(file, &markdown::doc_fences(&file.text), findings);
}

fn check_fences(file: &File, fences: &[markdown::Fence], findings: &mut Findings) {
    for fence in fences {
        if fence.info.split([',', ' ']).any(|word| word == "ignore") {
            findings.push(format!(
                "{}:{}: an example that is never compiled: use `no_run` and hidden lines",
                file.path, fence.line
            ));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check_one(path: &str, text: &str, found: &str) {
        let findings = check(&Repo::of_files(&[(path, text)]));
        assert_eq!(
            findings.len(),
            usize::from(!found.is_empty()),
            "{text:?}: {findings:?}"
        );
        assert!(
            findings.iter().all(|finding| finding.contains(found)),
            "{findings:?}"
        );
    }

    #[test]
    fn leftovers() {
        let unfinished = ["// FIX", "ME: later\n"].concat();
        check_one("a.rs", &format!("\n{unfinished}"), "a.rs:2: `FIX");
        check_one(
            "a.sh",
            &["cd /ho", "me/me\n"].concat(),
            "a path of one machine",
        );
        check_one(
            "a.md",
            &["(/wo", "rk/main)\n"].concat(),
            "a path of one machine",
        );
        check_one("a.md", &["https://example.com/ho", "me/\n"].concat(), "");
        check_one("a.rs", "a \n", "a.rs:1: white space");
        check_one("a.toml", "\ta = 1\n", "a tab");
        check_one("a.md", "a", "does not end");
        check_one("a.stderr", "a \n", "");
    }

    #[test]
    fn unfinished_code() {
        check_one(
            "a.rs",
            "#[test]\n#[ignore = \"slow\"]\nfn a() {}\n",
            "a.rs:2: `#[ignore`",
        );
        check_one("a.rs", "fn a() { todo!() }\n", "a.rs:1: `todo!(`");
        check_one("a.rs", "// todo!()\nlet a = \"#[ignore]\";\n", "");
    }

    #[test]
    fn examples_that_are_not_compiled() {
        check_one(
            "a.rs",
            "//! ```rust,ignore\n//! a\n//! ```\n",
            "a.rs:1: an example",
        );
        check_one("a.rs", "/// ```no_run\n/// a\n/// ```\n", "");
        check_one("a.md", "a\n\n```ignore\na\n```\n", "a.md:3: an example");
    }
}
