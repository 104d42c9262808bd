//! Relative links in Markdown lead somewhere, and the book has every page.

use super::Findings;
use super::repo::{File, Repo};
use crate::markdown::{anchors, prose};

const SUMMARY: &str = "docs/SUMMARY.md";

pub(super) fn check(repo: &Repo) -> Findings {
    let mut findings = Vec::new();
    for file in repo.files_with(".md") {
        for (at, line) in prose(&file.text).lines().enumerate() {
            for link in links(line).filter(|link| !leads_somewhere(repo, file, link)) {
                findings.push(format!("{}:{}: `{link}` leads nowhere", file.path, at + 1));
            }
        }
    }
    findings.extend(left_out(repo));
    findings
}

/// Pages that the summary does not name: mdBook leaves them out.
fn left_out(repo: &Repo) -> impl Iterator<Item = String> {
    let summary = repo.text(SUMMARY);
    let pages = repo.files_with(".md").filter_map(|file| {
        let page = file.path.strip_prefix("docs/")?;
        (file.path != SUMMARY).then_some(page)
    });
    pages.filter_map(move |page| {
        let is_named = summary?.contains(&format!("]({page})"));
        (!is_named).then(|| format!("{SUMMARY} does not name {page}"))
    })
}

/// The targets of `[text](target)` and of `[text]: target`.
fn links(line: &str) -> impl Iterator<Item = &str> {
    let inline = line
        .split("](")
        .skip(1)
        .filter_map(|rest| Some(rest.split_once(')')?.0));
    let definition = line
        .strip_prefix('[')
        .and_then(|line| Some(line.split_once("]: ")?.1));
    inline.chain(definition.map(str::trim))
}

fn leads_somewhere(repo: &Repo, from: &File, link: &str) -> bool {
    if link.contains("://") || link.starts_with("mailto:") {
        return true;
    }
    let (path, anchor) = link.split_once('#').unwrap_or((link, ""));
    let target = match path {
        "" => from.path.clone(),
        path => match resolve(&from.path, path) {
            Some(target) => target,
            None => return false,
        },
    };
    if anchor.is_empty() {
        let folder = format!("{target}/");
        return repo
            .files
            .iter()
            .any(|file| file.path == target || file.path.starts_with(&folder));
    }
    let text = repo.text(&target);
    text.is_some_and(|text| anchors(text).any(|it| it == anchor))
}

/// A path that is relative to a file, as one from the root; none outside of it.
fn resolve(from: &str, path: &str) -> Option<String> {
    let mut parts: Vec<&str> = from.split('/').collect();
    parts.pop();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop()?;
            }
            part => parts.push(part),
        }
    }
    Some(parts.join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_that_lead_nowhere_are_found() {
        let check = |text: &str, found: bool| {
            let files = [
                ("docs/a.md", text),
                ("docs/b.md", "# One thing\n"),
                ("README.md", "# Top\n"),
                ("lro-core/src/lib.rs", ""),
            ];
            let findings = check(&Repo::of_files(&files));
            assert_eq!(!findings.is_empty(), found, "{text}: {findings:?}");
        };
        for good in [
            "[b](b.md)",
            "[b](b.md#one-thing), [top](../README.md)",
            "[self](#here)\n# Here",
            "[folder](../lro-core)",
            "[web](https://example.com/none)",
            "`[code](none.md)`",
            "[b]: b.md",
            "an array[i](no link",
        ] {
            check(good, false);
        }
        for bad in [
            "[c](c.md)",
            "[b](b.md#another-thing)",
            "[self](#nowhere)",
            "[good](b.md) [bad](none.md)",
            "[outside](../../README.md)",
            "[c]: c.md",
        ] {
            check(bad, true);
        }
    }

    #[test]
    fn a_page_that_the_book_leaves_out_is_found() {
        let check = |summary: &str| {
            let pages = [("docs/SUMMARY.md", summary), ("docs/guide/a.md", "# A\n")];
            check(&Repo::of_files(&pages))
        };
        assert_eq!(check("[A](guide/a.md)"), Vec::<String>::new());
        assert_eq!(check("none"), ["docs/SUMMARY.md does not name guide/a.md"]);
    }
}
