//! Words and turns of phrase that CONTRIBUTING.md replaces by plain technical English.
//!
//! Each top-level folder has a number of hits that may only fall.

use std::sync::LazyLock;

use regex::Regex;

use super::Findings;
use super::ratchet::Ratchet;
use super::repo::{File, Repo};

const RATCHET: Ratchet = Ratchet {
    path: "dev/xtask/words.toml",
    noun: "words to replace",
    advice: "`cargo xtask words FOLDER` lists them with what to write instead",
};

/// Patterns, without regard to case, and what to write instead.
const PATTERNS: [(&str, &str); 23] = [
    (r"\bnobody\b", "name the subject: `no caller`, `no worker`"),
    (
        r"\bsomebody\b",
        "name the subject: `a caller`, `another process`",
    ),
    (r"\bwho(m)?ever\b", "name the subject: `a caller that`"),
    (r"\bgone\b", "lost, removed, closed, disconnected"),
    (r"\bso many\b", "a number, or `that number of`"),
    (r"\bas well\b", "also, too"),
    (
        r"\b(is|are|was|were|be|been|being) told\b",
        "receives a notification, gets, learns",
    ),
    (r"\b(is|are|was|were) to be\b", "must be, should be"),
    (r"\b(go|goes|going|went) on\b", "continues, resumes from"),
    (r"\bwho waits?\b", "waiter"),
    (r"\bhears? of\b", "receives a notification of"),
    (
        r"\bcom(e|es|ing) to an end\b|\bcame to an end\b",
        "finishes",
    ),
    (
        r"\b(give|gives|gave|given|giving) (it |them )?back\b",
        "releases",
    ),
    (r"\bturn(s|ed|ing)? back\b", "expires and requeues"),
    (r"\bleases? (is|are) over\b", "the lease expires"),
    (r"\bstretch(es)?\b", "index range"),
    (r"\bdamaged\b", "corrupt"),
    (r"\borderly end\b", "graceful shutdown"),
    (r"\b(sit|sits|sat) out\b", "tolerates, retries"),
    (r"\bwhat is there\b", "contents, status"),
    (r"\bin vain\b", "without effect, fails to"),
    // The beginning of a comment or of a paragraph, heading or list item, unless it asks.
    (
        r"^\s*(//[/!]?|#+|\*|-|\|)?\s*(Who|What)\s[^?]*$",
        "begin with the noun: `The settings of ..`, `A caller that ..`",
    ),
    // The beginning of a sentence within a comment.
    (
        r"^\s*//.*[.:;] (Who|What) [^?]*$",
        "begin with the noun: `The settings of ..`, `A caller that ..`",
    ),
];

static COMPILED: LazyLock<Vec<(Regex, &str)>> = LazyLock::new(|| {
    let compiled = PATTERNS.iter().zip(0..).map(|((pattern, instead), at)| {
        // The last two distinguish `What` from `what`.
        let flags = if at < PATTERNS.len() - 2 { "(?i)" } else { "" };
        let regex = Regex::new(&format!("{flags}{pattern}"));
        (regex.expect("a pattern of the list is valid"), *instead)
    });
    compiled.collect()
});

pub(super) fn check(repo: &Repo) -> Findings {
    RATCHET.check(repo, hits(repo).map(|hit| hit.folder))
}

/// Lowers the numbers of the table to the present ones.
///
/// # Errors
///
/// When the table cannot be read or written.
pub(super) fn lower(repo: &Repo) -> anyhow::Result<()> {
    RATCHET.lower(repo, hits(repo).map(|hit| hit.folder))
}

/// `cargo xtask words`: the hits of all files whose paths begin with `prefix`, a line each.
pub(super) fn list(repo: &Repo, prefix: &str) -> String {
    let found = hits(repo).filter(|hit| hit.path.starts_with(prefix));
    found
        .map(|hit| {
            let Hit {
                path,
                line,
                word,
                instead,
                ..
            } = hit;
            format!("{path}:{line}: {word}  ->  {instead}\n")
        })
        .collect()
}

struct Hit<'a> {
    folder: &'a str,
    path: &'a str,
    line: usize,
    word: &'a str,
    instead: &'static str,
}

fn hits(repo: &Repo) -> impl Iterator<Item = Hit<'_>> {
    let read = |path: &str| {
        [".rs", ".md", ".proto"]
            .iter()
            .any(|end| path.ends_with(end))
    };
    let files = repo.files.iter().filter(move |file| {
        // This file holds the patterns.
        read(&file.path) && file.path != "dev/xtask/src/tidy/words.rs"
    });
    files.flat_map(hits_in)
}

fn hits_in(file: &File) -> impl Iterator<Item = Hit<'_>> {
    let folder = file.path.split_once('/').map_or(".", |(folder, _)| folder);
    let lines = file.text.lines().enumerate();
    lines.flat_map(move |(at, line)| {
        COMPILED.iter().flat_map(move |(regex, instead)| {
            regex.find_iter(line).map(move |found| Hit {
                folder,
                path: &file.path,
                line: at + 1,
                word: found.as_str().trim(),
                instead,
            })
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_pattern_is_found_and_plain_text_is_not() {
        for (line, count) in [
            ("Nobody, somebody and whomever: so many as well", 5),
            ("who waits is told when they are gone", 3),
            ("it is to be kept; it goes on", 2),
            ("/// What a caller may do.", 1),
            ("## Who it is", 1),
            ("/// The lease. What it holds.", 1),
            ("/// What is a lease?", 0),
            ("/// It keeps what a caller wrote.", 0),
            ("fn who_is_gone() {} // so_many", 0),
            ("a damaged row turned back", 2),
        ] {
            let repo = Repo::of_files(&[("a/b.rs", line)]);
            assert_eq!(hits(&repo).count(), count, "{line}");
        }
        let repo = Repo::of_files(&[("a/b.toml", "nobody"), ("c.md", "nobody")]);
        assert_eq!(hits(&repo).map(|hit| hit.folder).collect::<Vec<_>>(), ["."]);
        assert!(list(&repo, "c").starts_with("c.md:1: nobody  ->  name the subject"));
        assert_eq!(list(&repo, "a/"), "");
    }
}
