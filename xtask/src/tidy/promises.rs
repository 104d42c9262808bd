//! The numbers of promises and of the standard's items are defined in PROMISES.md, and the tests
//! that it names are there.

use std::collections::BTreeSet;

use super::Findings;
use super::markdown::rows;
use super::repo::{File, Repo};

const PROMISES: &str = "PROMISES.md";

pub(super) fn check(repo: &Repo) -> Findings {
    let Some(text) = repo.text(PROMISES) else {
        return vec![format!("{PROMISES} is missing")];
    };
    let defined: BTreeSet<&str> = rows(text)
        .filter_map(|(_, cells)| cells.first().copied())
        .collect();
    let mut findings = Vec::new();
    let others = repo.files.iter().filter(|file| file.path != PROMISES);
    for file in others.filter(|file| file.path.ends_with(".rs") || file.path.ends_with(".md")) {
        for (at, line) in file.text.lines().enumerate() {
            for number in used(line) {
                if !defined.contains(&*number) {
                    findings.push(format!(
                        "{}:{}: {number} is not in {PROMISES}",
                        file.path,
                        at + 1
                    ));
                }
            }
        }
    }
    for (at, line) in text.lines().enumerate() {
        let code = line.split('`').skip(1).step_by(2);
        findings.extend(
            code.filter(|word| !is_there(repo, word))
                .map(|word| format!("{PROMISES}:{}: there is no `{word}`", at + 1)),
        );
    }
    findings
}

/// The numbers in a line: `P1` and `R12` as words, `12` of a test's `r12_`, and `34` of an item's
/// `spec_034`, with those that follow it.
fn used(line: &str) -> Vec<String> {
    let is_word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let mut numbers = Vec::new();
    for word in line.split(|c: char| !is_word(c)) {
        if let Some(items) = word.strip_prefix("spec_") {
            let items = items.split('_').map_while(|part| match part.len() {
                3 => part.parse::<u32>().ok(),
                _ => None,
            });
            numbers.extend(items.map(|item| item.to_string()));
            continue;
        }
        let test = word.strip_prefix('r').and_then(|it| it.split_once('_'));
        let letter = |letter| word.strip_prefix(letter).map(|number| (letter, number));
        let found = letter('P')
            .or_else(|| letter('R'))
            .or(test.map(|(number, _)| ('R', number)));
        let short = |number: &str| {
            (1..=2).contains(&number.len()) && number.bytes().all(|b| b.is_ascii_digit())
        };
        if let Some((letter, number)) = found.filter(|(_, number)| short(number)) {
            numbers.push(format!("{letter}{number}"));
        }
    }
    numbers
}

/// What looks like the name of a test is in a source, and what looks like a source is a file.
fn is_there(repo: &Repo, word: &str) -> bool {
    let is_path = word.contains('/') && word.ends_with(".rs");
    let is_test = word.contains('_') && !used(word).is_empty() && word != "spec_NNN";
    let has = |file: &File| file.text.contains(word);
    match (is_path, is_test) {
        // "in `tests/conformance.rs` of these crates"
        (true, _) => repo.files.iter().any(|file| file.path.ends_with(word)),
        (_, true) => repo.files_with(".rs").any(has),
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// In halves, so that the numbers are not found here.
    fn with(text: &str) -> String {
        text.replace('~', "")
    }

    #[test]
    fn numbers_in_words_and_names() {
        for (line, wanted) in [
            ("/// P~1 and R~12, not P~123 or XR~1", &["P1", "R12"][..]),
            ("fn spec_~034_035_a_start() {", &["34", "35"]),
            ("fn spec_~104_to_121_all() {", &["104"]),
            ("assert!(true, \"spec_~066: why\")", &["66"]),
            ("fn r~15_a_caller() {", &["R15"]),
            ("spec_NNN, ripe_fruit, r_x, PI, Rust", &[]),
        ] {
            assert_eq!(used(&with(line)), wanted, "{line}");
        }
    }

    #[test]
    fn what_is_not_defined_or_not_there_is_found() {
        let check = |promises: &str, source: &str, found: Option<&str>| {
            let (promises, source) = (with(promises), with(source));
            let findings = check(&Repo::of_files(&[
                (PROMISES, &promises),
                ("a/tests/b.rs", &source),
            ]));
            match found {
                Some(found) => {
                    assert_eq!(findings.len(), 1, "{findings:?}");
                    assert!(findings[0].contains(found), "{findings:?}");
                }
                None => assert_eq!(findings, [""; 0]),
            }
        };
        let promises = "| R~1 | `a/tests/b.rs`, `spec_NNN` |\n| 7 | `spec_~007_it_holds` |\n";
        let source = "//! R~1\nfn spec_~007_it_holds() {}\n";
        check(promises, source, None);
        check(promises, &format!("{source}// P~1\n"), Some("P1 is not"));
        check(
            promises,
            &format!("{source}fn spec_~007_008_more() {{}}\n"),
            Some("b.rs:3: 8 is not"),
        );
        check(promises, "//! R~1\n", Some("no `spec"));
        check(
            &promises.replace("b.rs", "c.rs"),
            source,
            Some("no `a/tests/c.rs`"),
        );
    }

    #[test]
    fn without_the_document_it_is_missing() {
        assert!(check(&Repo::default())[0].contains("missing"));
    }
}
