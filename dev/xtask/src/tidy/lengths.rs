//! File lengths as a ratchet: long files are listed, and may only get shorter.

use std::collections::BTreeMap;
use std::fs;

use anyhow::{Context, Result};

use super::Findings;
use super::repo::{File, Repo};

/// Longer files must be split, or listed.
const LINES_MAX: usize = 400;

/// The list, with the length that each file may have.
const TABLE: &str = "dev/xtask/file_lengths.toml";

pub(super) fn check(repo: &Repo) -> Findings {
    let Some(Ok(table)) = repo.text(TABLE).map(parse) else {
        return vec![format!("{TABLE} cannot be read")];
    };
    let mut findings = Vec::new();
    for file in repo.files_with(".rs").filter(|file| counts(file)) {
        let (path, lines) = (&file.path, file.text.lines().count());
        match table.get(path) {
            None if lines > LINES_MAX => findings.push(format!(
                "{path} has {lines} lines, more than {LINES_MAX}: split it by its nouns"
            )),
            None => {}
            Some(max) if lines > *max => findings.push(format!(
                "{path} has {lines} lines, more than the {max} it had: long files only get shorter"
            )),
            Some(max) if lines < *max => findings.push(format!(
                "{path} has {lines} lines, fewer than the {max} it had: well done; run `cargo \
                 xtask tidy --lower`, so that it stays so"
            )),
            Some(_) if lines <= LINES_MAX => {
                findings.push(format!("{path} is not long: take it from {TABLE}"));
            }
            Some(_) => {}
        }
    }
    for path in table.keys() {
        if !repo
            .files
            .iter()
            .any(|file| file.path == *path && counts(file))
        {
            findings.push(format!("{TABLE}: there is no source {path}"));
        }
    }
    findings
}

/// Lowers the entries of the list to what the files have; never raises one.
///
/// # Errors
///
/// When the list cannot be read or written.
pub(super) fn lower(repo: &Repo) -> Result<()> {
    let text = repo.text(TABLE).context(TABLE)?;
    let lowered = lowered(repo, text)?;
    if lowered != text {
        fs::write(crate::root().join(TABLE), lowered).context(TABLE)?;
        println!("{TABLE}");
    }
    Ok(())
}

fn lowered(repo: &Repo, text: &str) -> Result<String> {
    let table = parse(text)?;
    let comments = text.lines().take_while(|line| line.starts_with('#'));
    let mut lowered: String = comments.flat_map(|line| [line, "\n"]).collect();
    for (path, max) in &table {
        let file = repo.files.iter().find(|file| file.path == *path);
        let lines = file.map_or(0, |file| file.text.lines().count());
        if lines > LINES_MAX {
            lowered += &format!("\"{path}\" = {}\n", lines.min(*max));
        }
    }
    Ok(lowered)
}

fn parse(text: &str) -> Result<BTreeMap<String, usize>> {
    let table: toml::Table = text.parse()?;
    let entry = |(path, max): (String, toml::Value)| {
        let max = max.as_integer().and_then(|max| usize::try_from(max).ok());
        let max = max.with_context(|| format!("{path}: not a number of lines"))?;
        Ok((path, max))
    };
    table.into_iter().map(entry).collect()
}

/// Generated code, and what tests compare with, is as long as it is.
fn counts(file: &File) -> bool {
    let kept = ["/golden/", "/ui/"]
        .iter()
        .any(|folder| file.path.contains(folder));
    let head = file.text.lines().next().unwrap_or_default();
    !kept && !head.contains("@generated")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn repo(path: &str, lines: usize, table: &str) -> Repo {
        Repo::of_files(&[(path, &"//\n".repeat(lines)), (TABLE, table)])
    }

    #[test]
    fn a_long_file_is_listed_and_does_not_grow() {
        let check = |lines, table, found: Option<&str>| {
            let findings = check(&repo("a.rs", lines, table));
            match found {
                Some(found) => assert!(findings[0].contains(found), "{lines}: {findings:?}"),
                None => assert_eq!(findings, [""; 0], "{lines}"),
            }
            assert!(findings.len() <= 1, "{findings:?}");
        };
        let listed = "'a.rs' = 500";
        check(400, "", None);
        check(401, "", Some("split it"));
        check(500, listed, None);
        check(501, listed, Some("only get shorter"));
        check(499, listed, Some("tidy --lower"));
        check(400, listed, Some("tidy --lower"));
        check(400, "'a.rs' = 400", Some("take it from"));
        check(9, "'b.rs' = 500", Some("no source b.rs"));
        check(9, "'a.rs' = 'long'", Some("cannot be read"));
    }

    #[test]
    fn generated_files_may_be_long() {
        assert_eq!(
            check(&repo("lro-build/tests/golden/a.rs", 900, "")),
            [""; 0]
        );
        assert_eq!(
            check(&repo("tests/ui/tests/cases/types/a.rs", 900, "")),
            [""; 0]
        );
        let text = format!("// This file is @generated.\n{}", "\n".repeat(900));
        assert_eq!(
            check(&Repo::of_files(&[("a.rs", &text), (TABLE, "")])),
            [""; 0]
        );
    }

    #[test]
    fn entries_are_lowered_and_never_raised() {
        let lowered = |lines, table| lowered(&repo("a.rs", lines, table), table).unwrap();
        assert_eq!(
            lowered(450, "# why\n'a.rs' = 500\n"),
            "# why\n\"a.rs\" = 450\n"
        );
        assert_eq!(lowered(600, "'a.rs' = 500"), "\"a.rs\" = 500\n");
        assert_eq!(lowered(300, "'a.rs' = 500"), "");
        assert_eq!(lowered(300, "'lost.rs' = 500"), "");
    }
}
