//! The programs in README are those that are compiled: as doc examples, without their hidden lines,
//! or as files.

use super::Findings;
use super::markdown::{doc_fences, fences};
use super::repo::Repo;

/// Where each language's blocks may come from: sources whose doc examples count, and whole files.
const DOCS: &[&str] = &[
    "lro-server/src/lib.rs",
    "lro-server/src/serve.rs",
    "lro-client/src/lib.rs",
];
const FILES: &[(&str, &[&str])] = &[
    ("rust", &["examples/exporter/build.rs"]),
    ("proto", &["examples/exporter/proto/exporter.proto"]),
];

pub(super) fn check(repo: &Repo) -> Findings {
    let readme = repo.text("README.md").unwrap_or_default();
    let mut findings = Vec::new();
    for block in fences(readme) {
        let language = block.info.split(',').next().unwrap_or_default();
        let Some((_, files)) = FILES.iter().find(|it| it.0 == language) else {
            continue;
        };
        let files = files.iter().filter_map(|path| repo.text(path)).map(lines);
        let docs = DOCS.iter().filter(|_| language == "rust");
        let docs = docs
            .filter_map(|path| repo.text(path))
            .flat_map(doc_fences)
            .map(|fence| lines(&visible(&fence.text)));
        let wanted = lines(&block.text);
        let found = files.chain(docs).any(|text| contains(&text, &wanted));
        if !found {
            findings.push(format!(
                "README.md:{}: this block is no part of what is compiled: {}",
                block.line,
                [DOCS, files_of(language)].concat().join(", ")
            ));
        }
    }
    findings
}

fn files_of(language: &str) -> &'static [&'static str] {
    let files = FILES.iter().find(|it| it.0 == language);
    files.map_or(&[], |(_, files)| files)
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
                ("README.md", readme),
                ("lro-server/src/lib.rs", docs),
                (
                    "examples/exporter/build.rs",
                    "//! Builds.\n\nfn main() {}\n",
                ),
                ("examples/exporter/proto/exporter.proto", "rpc A() {\n}\n"),
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
