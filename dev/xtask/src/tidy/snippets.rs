//! The programs in README and in the guide are parts of programs that are compiled and run: of files,
//! or of doc examples without their hidden lines.

use super::Findings;
use super::repo::Repo;
use crate::markdown::{doc_fences, fences};

/// Where the blocks of each language may come from: the folder, and how the names of files end.
/// Whole files count, and of the published crates the examples in the documentation.
const SOURCES: &[(&str, &str, &str)] = &[
    ("rust", "examples/", ".rs"),
    ("rust", "lro-testing/tests/", ".rs"),
    ("rust", "lro-", "/tests/conformance.rs"),
    ("proto", "examples/", ".proto"),
    ("python", "examples/basics/clients/", ".py"),
    ("js", "examples/basics/clients/", ".js"),
];

pub(super) fn check(repo: &Repo) -> Findings {
    let pages = repo
        .files_with(".md")
        .filter(|file| file.path == "README.md" || file.path.starts_with("docs/guide/"));
    let mut findings = Vec::new();
    for page in pages {
        for block in fences(&page.text) {
            let language = block.info.split(',').next().unwrap_or_default();
            if !SOURCES.iter().any(|(of, _, _)| *of == language) {
                continue;
            }
            let wanted = lines(&block.text);
            if !sources(repo, language).any(|text| contains(&text, &wanted)) {
                findings.push(format!(
                    "{}:{}: no compiled program contains this block; take it from {}",
                    page.path,
                    block.line,
                    places(language)
                ));
            }
        }
    }
    findings
}

/// The lines of each text that a block of the language may be part of.
fn sources<'a>(repo: &'a Repo, language: &'a str) -> impl Iterator<Item = Vec<String>> + 'a {
    let whole = repo.files.iter().filter(move |file| {
        SOURCES.iter().any(|(of, folder, end)| {
            *of == language && file.path.starts_with(folder) && file.path.ends_with(end)
        })
    });
    let documented = repo.files_with(".rs").filter(move |file| {
        language == "rust" && file.path.starts_with("lro-") && file.path.contains("/src/")
    });
    let examples = documented.flat_map(|file| doc_fences(&file.text));
    let examples = examples.map(|fence| lines(&visible(&fence.text)));
    whole.map(|file| lines(&file.text)).chain(examples)
}

fn places(language: &str) -> String {
    let of_language = SOURCES.iter().filter(|(of, _, _)| *of == language);
    let places: Vec<_> = of_language
        .map(|(_, folder, end)| format!("{folder}..{end}"))
        .collect();
    places.join(", ")
}

/// A doc example as rustdoc shows it.
fn visible(example: &str) -> String {
    let shown = example.lines().filter(|line| {
        let line = line.trim_start();
        line != "#" && !line.starts_with("# ")
    });
    shown.flat_map(|line| [line, "\n"]).collect()
}

/// The lines of a text that are not blank. Their indentation does not count: what README shows may
/// stand deeper elsewhere.
fn lines(text: &str) -> Vec<String> {
    let lines = text.lines().map(|line| line.trim().to_owned());
    lines.filter(|line| !line.is_empty()).collect()
}

fn contains(text: &[String], part: &[String]) -> bool {
    !part.is_empty() && text.windows(part.len()).any(|window| window == part)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_that_is_not_compiled_is_found() {
        let docs = "//! ```\n//! # hidden();\n//! fn a() {\n//!     b();\n//!\n//! #   hidden();\n//!     c();\n//! }\n//! ```\n//! fn d() {}\n";
        let check = |readme: &str, found: bool| {
            let findings = check(&Repo::of_files(&[
                ("docs/guide/a.md", readme),
                ("lro-server/src/lib.rs", docs),
                (
                    "examples/quickstart/build.rs",
                    "//! Builds.\n\nfn main() {}\n",
                ),
                ("examples/quickstart/proto/exporter.proto", "rpc A() {\n}\n"),
            ]));
            assert_eq!(!findings.is_empty(), found, "{readme}: {findings:?}");
        };
        for good in [
            "```rust\nfn a() {\n    b();\n\n    c();\n}\n```\n",
            "```rust,no_run\nb();\nc();\n```\n",
            "```rust\nfn main() {}\n```\n",
            "```proto\nrpc A() {\n}\n```\n",
            "```text\nwhatever\n```\n",
        ] {
            check(good, false);
        }
        for bad in [
            "```rust\nfn a() {\n    c();\n}\n```\n",
            "```rust\nfn d() {}\n```\n",
            "```rust\n# hidden();\n```\n",
            "```rust\n```\n",
            "```proto\nfn main() {}\n```\n",
        ] {
            check(bad, true);
        }
    }
}
