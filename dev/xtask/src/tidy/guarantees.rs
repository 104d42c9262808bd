//! Tags such as `spec:~27` and `guarantee:~P1`: docs/reference/guarantees.md defines them, and the
//! comments of the tests cite them.

use std::collections::{BTreeMap, BTreeSet};

use super::Findings;
use super::repo::{File, Repo};
use crate::markdown::rows;

const GUARANTEES: &str = "docs/reference/guarantees.md";

/// The kinds of tags. Every row of the standard, of the gateway and of steps needs a test.
const KINDS: [(&str, bool); 5] = [
    ("spec", true),
    ("gateway", true),
    ("steps", true),
    ("guarantee", false),
    ("report", false),
];

/// How the text of a row begins that no test proves yet.
const PLANNED: &str = "Planned: ";

pub(super) fn check(repo: &Repo) -> Findings {
    let Some(text) = repo.text(GUARANTEES) else {
        return vec![format!("{GUARANTEES} is missing")];
    };
    let mut findings = Vec::new();
    let mut defined = BTreeSet::new();
    for (line, tag, _) in definitions(text) {
        if !defined.insert(tag.clone()) {
            findings.push(format!("{GUARANTEES}:{line}: a second row of {tag}"));
        }
    }
    for file in sources(repo) {
        for (at, line) in file.text.lines().enumerate() {
            let unknown = tags(line).into_iter().filter(|tag| !defined.contains(tag));
            findings.extend(unknown.map(|tag| {
                let path = &file.path;
                format!("{path}:{}: {GUARANTEES} has no row {tag}", at + 1)
            }));
            if let Some(name) = numbered_test(line) {
                findings.push(format!(
                    "{}:{}: the name of the test {name} has numbers; cite them in its doc comment",
                    file.path,
                    at + 1
                ));
            }
        }
    }
    let cited = citations(repo);
    for (line, tag, row) in definitions(text) {
        let kind = KINDS.iter().find(|(kind, _)| tag.starts_with(kind));
        let is_planned = row.iter().any(|cell| cell.starts_with(PLANNED));
        if kind.is_some_and(|(_, needs_test)| *needs_test) && is_planned == cited.contains_key(&tag)
        {
            findings.push(if is_planned {
                format!("{GUARANTEES}:{line}: {tag} has a test: remove `{PLANNED}`")
            } else {
                format!("{GUARANTEES}:{line}: no test cites {tag}")
            });
        }
    }
    for (at, line) in text.lines().enumerate() {
        let code = line.split('`').skip(1).step_by(2);
        findings.extend(
            code.filter(|path| path.contains('/') && path.ends_with(".rs"))
                .filter(|path| !repo.files.iter().any(|file| file.path.ends_with(path)))
                .map(|path| format!("{GUARANTEES}:{}: there is no file `{path}`", at + 1)),
        );
    }
    findings
}

/// `cargo xtask guarantees`: every row, or those of one tag, each with its tests.
pub(crate) fn list(repo: &Repo, only: Option<&str>) -> String {
    let cited = citations(repo);
    let text = repo.text(GUARANTEES).unwrap_or_default();
    let mut listed = String::new();
    for (_, tag, row) in definitions(text) {
        if only.is_none_or(|only| only == tag) {
            listed += &format!("{tag}  {}\n", row.join(" | "));
            for test in cited.get(&tag).into_iter().flatten() {
                listed += &format!("    {test}\n");
            }
        }
    }
    listed
}

/// The rows of the tables that begin with a tag: line, tag, and the other cells.
fn definitions(text: &str) -> impl Iterator<Item = (usize, String, Vec<&str>)> {
    rows(text).filter_map(|(line, cells)| {
        let (tag, rest) = cells.split_first()?;
        let is_tag = tags(tag).first().is_some_and(|found| found == tag);
        is_tag.then(|| (line, (*tag).to_owned(), rest.to_vec()))
    })
}

/// The files in which tags mean something.
fn sources(repo: &Repo) -> impl Iterator<Item = &File> {
    let read = |path: &str| path.ends_with(".rs") || path.ends_with(".md");
    repo.files.iter().filter(move |file| read(&file.path))
}

/// Where comments of Rust sources cite each tag, as `path:line name`.
fn citations(repo: &Repo) -> BTreeMap<String, Vec<String>> {
    let mut cited: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for file in repo.files_with(".rs") {
        let lines: Vec<&str> = file.text.lines().collect();
        for (at, line) in lines.iter().enumerate() {
            let Some((_, comment)) = line.split_once("//") else {
                continue;
            };
            let is_header = comment.starts_with('!');
            let name = lines[at..]
                .iter()
                .find_map(|line| function(line).filter(|_| !is_header))
                .unwrap_or_default();
            for tag in tags(comment) {
                let place = format!("{}:{} {name}", file.path, at + 1);
                cited.entry(tag).or_default().push(place.trim().to_owned());
            }
        }
    }
    cited
}

fn function(line: &str) -> Option<&str> {
    let (before, name) = line.split_once("fn ")?;
    let is_head = before
        .split_whitespace()
        .all(|word| ["pub", "async", "const"].contains(&word) || word.starts_with("pub("));
    let end = name.find(|c: char| !c.is_alphanumeric() && c != '_');
    is_head.then(|| &name[..end.unwrap_or(name.len())])
}

/// The name of a test in the form that tags replace: `spec_~027_..`, `r~15_..`, `p~1_..`.
fn numbered_test(line: &str) -> Option<&str> {
    let name = function(line)?;
    let number = name
        .strip_prefix("spec_")
        .or_else(|| name.strip_prefix(['r', 'p']))?;
    let digits = number.find(|c: char| !c.is_ascii_digit())?;
    (digits > 0 && number[digits..].starts_with('_')).then_some(name)
}

/// The tags in a line; a range such as `spec:~104-121` is all of its numbers.
fn tags(line: &str) -> Vec<String> {
    let is_word = |c: char| c.is_ascii_alphanumeric() || c == ':' || c == '-';
    let mut tags = Vec::new();
    for word in line.split(|c: char| !is_word(c)) {
        let Some((kind, id)) = word.split_once(':') else {
            continue;
        };
        let id = id.trim_end_matches(['-', ':']);
        let digits = id.trim_start_matches(|c: char| c.is_ascii_uppercase());
        let letters = &id[..id.len() - digits.len()];
        if letters.len() > 1 || !KINDS.iter().any(|(known, _)| *known == kind) {
            continue;
        }
        let (first, last) = digits.split_once('-').unwrap_or((digits, digits));
        if let (Ok(first), Ok(last)) = (first.parse::<u16>(), last.parse::<u16>()) {
            tags.extend((first..=last).map(|number| format!("{kind}:{letters}{number}")));
        }
    }
    tags
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The tags of the examples contain a `~`, so that the check does not find them in this file.
    fn with(text: &str) -> String {
        text.replace('~', "")
    }

    #[test]
    fn tags_in_a_line() {
        for (line, wanted) in [
            ("/// spec:~34 spec:~35", &["spec:34", "spec:35"][..]),
            (
                "// guarantee:~P1, report:~N2.",
                &["guarantee:P1", "report:N2"],
            ),
            ("/// spec:~104-106", &["spec:104", "spec:105", "spec:106"]),
            ("| report:~M1 | a |", &["report:M1"]),
            ("spec:x, spec::y, guarantee:PP1, http://a:80, other:1", &[]),
        ] {
            assert_eq!(tags(&with(line)), wanted, "{line}");
        }
    }

    #[test]
    fn every_mistake_is_found() {
        let check = |guarantees: &str, source: &str, found: Option<&str>| {
            let (guarantees, source) = (with(guarantees), with(source));
            let findings = check(&Repo::of_files(&[
                (GUARANTEES, &guarantees),
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
        let rows = "| guarantee:~R1 | `a/tests/b.rs` |\n| spec:~7 | must | It holds. |\n";
        let source = "//! guarantee:~R1\n/// spec:~7\n#[test]\nfn it_holds() {}\n";
        check(rows, source, None);
        check(
            rows,
            &format!("{source}// report:~P1\n"),
            Some("no row report:P1"),
        );
        check(rows, "//! guarantee:~R1\n", Some("no test cites spec:7"));
        check(
            &format!("{rows}| spec:~8 | Planned: more |\n"),
            source,
            None,
        );
        check(
            &rows.replace("It holds", "Planned: it"),
            source,
            Some("remove `Planned"),
        );
        check(
            &format!("{rows}| spec:~7 | again |\n"),
            source,
            Some("a second row"),
        );
        check(
            &rows.replace("b.rs", "c.rs"),
            source,
            Some("no file `a/tests/c.rs`"),
        );
        for name in ["spec_~007_it_holds", "r~15_it_holds", "p~1_it_holds"] {
            let source = source.replace("it_holds", name);
            check(rows, &source, Some("has numbers"));
        }
    }

    #[test]
    fn a_missing_document_is_a_finding() {
        assert!(check(&Repo::default())[0].contains("missing"));
    }

    #[test]
    fn tests_are_listed_by_tag() {
        let repo = Repo::of_files(&[
            (
                GUARANTEES,
                &with("| spec:~7 | It holds. |\n| spec:~8 | More. |\n"),
            ),
            ("a/b.rs", &with("/// spec:~7\n#[test]\nfn it_holds() {}\n")),
        ]);
        let all = with("spec:~7  It holds.\n    a/b.rs:1 it_holds\nspec:~8  More.\n");
        assert_eq!(list(&repo, None), all);
        assert_eq!(
            list(&repo, Some(&with("spec:~8"))),
            with("spec:~8  More.\n")
        );
    }
}
