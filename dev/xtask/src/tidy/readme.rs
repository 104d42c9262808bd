//! The versions and commands in README are correct.

use super::Findings;
use super::repo::Repo;
use crate::markdown::{fences, rows};

/// The package whose demonstration is the main job.
const DEMONSTRATION: &str = "archiver";

/// The command that passes the tests, which CI also runs.
const TEST: &str = "cargo xtask test";

pub(super) fn check(repo: &Repo) -> Findings {
    let Some(readme) = repo.text("README.md") else {
        return vec!["README.md is missing".to_owned()];
    };
    let mut findings = Vec::new();
    check_commands(repo, readme, &mut findings);
    check_rust_version(repo, readme, &mut findings);
    check_versions(repo, readme, &mut findings);
    check_crates(repo, readme, &mut findings);
    findings
}

fn check_commands(repo: &Repo, readme: &str, findings: &mut Findings) {
    let blocks = fences(readme);
    let shown = |command: &str| {
        let mut lines = blocks.iter().flat_map(|block| block.text.lines());
        lines.any(|line| line.trim().starts_with(command))
    };
    for command in [
        format!("cargo run --release -p {DEMONSTRATION} -- demo "),
        TEST.to_owned(),
    ] {
        if !shown(&command) {
            findings.push(format!("README.md does not show the command `{command}`"));
        }
    }
    let demonstration = repo.crates.iter().find(|this| this.name == DEMONSTRATION);
    if demonstration.is_none_or(|this| this.binaries.is_empty()) {
        findings.push(format!(
            "README.md shows `cargo run -p {DEMONSTRATION}`, which has no binary"
        ));
    }
    let ci = repo.text(".ci/run").unwrap_or_default();
    let run: Vec<&str> = ci
        .lines()
        .map(str::trim)
        .filter(|line| line.starts_with("cargo ") || line.starts_with("exec cargo "))
        .collect();
    if run != [format!("exec {TEST}")] {
        findings.push(format!(
            ".ci/run is to end with `exec {TEST}` and run no other cargo"
        ));
    }
}

/// Every `Rust 1.x` is the oldest that works, or the one that this repository uses.
fn check_rust_version(repo: &Repo, readme: &str, findings: &mut Findings) {
    let oldest = repo.workspace_package("rust-version").unwrap_or_default();
    let toolchain = repo.text("rust-toolchain.toml").unwrap_or_default();
    let toolchain = toolchain.parse::<toml::Table>().unwrap_or_default();
    let used = toolchain
        .get("toolchain")
        .and_then(|it| it.get("channel")?.as_str());
    let mut named = false;
    for rest in readme.split("Rust 1.").skip(1) {
        let end = rest
            .find(|c: char| !c.is_ascii_digit() && c != '.')
            .unwrap_or(rest.len());
        let version = format!("1.{}", rest[..end].trim_end_matches('.'));
        named |= version == oldest;
        if version != oldest && Some(&*version) != used {
            findings.push(format!(
                "README.md says Rust {version}; rust-version is {oldest}, the toolchain {}",
                used.unwrap_or("unknown")
            ));
        }
    }
    if !named {
        findings.push(format!(
            "README.md does not say `Rust {oldest}`, the rust-version"
        ));
    }
}

/// Versions in manifests that README shows are those of the root manifest.
fn check_versions(repo: &Repo, readme: &str, findings: &mut Findings) {
    let own = repo.workspace_package("version").unwrap_or_default();
    for block in fences(readme).iter().filter(|block| block.info == "toml") {
        let Ok(manifest) = block.text.parse::<toml::Table>() else {
            findings.push(format!("README.md:{}: this is no TOML", block.line));
            continue;
        };
        let tables = manifest
            .iter()
            .filter(|(name, _)| name.ends_with("dependencies"));
        for (name, value) in tables.filter_map(|(_, table)| table.as_table()).flatten() {
            let version = value.as_str().or_else(|| value.get("version")?.as_str());
            let ours = repo.crates.iter().any(|this| this.name == *name);
            let expected = match ours {
                true => Some(own),
                false => locked_version(repo, name),
            };
            let Some(version) = version else { continue };
            let fits = |expected: &str| {
                expected == version || expected.starts_with(&format!("{version}."))
            };
            if !expected.is_some_and(fits) {
                findings.push(format!(
                    "README.md:{}: {name} {version}; this workspace uses {}",
                    block.line,
                    expected.unwrap_or("none")
                ));
            }
        }
    }
}

fn locked_version<'a>(repo: &'a Repo, name: &str) -> Option<&'a str> {
    let value = repo
        .workspace
        .get("workspace")?
        .get("dependencies")?
        .get(name)?;
    value.as_str().or_else(|| value.get("version")?.as_str())
}

/// Crates in the first column of a table are crates, unless the row says that they are planned.
fn check_crates(repo: &Repo, readme: &str, findings: &mut Findings) {
    for (line, cells) in rows(readme) {
        let Some(name) = cells
            .first()
            .and_then(|cell| cell.strip_prefix('`')?.strip_suffix('`'))
        else {
            continue;
        };
        let planned = cells.iter().any(|cell| cell.contains("planned"));
        let there = repo.crates.iter().any(|this| this.name == name);
        if name.starts_with("lro-") && there == planned {
            let is = if there {
                "is a crate, and not planned"
            } else {
                "is no crate"
            };
            findings.push(format!("README.md:{line}: `{name}` {is}"));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::repo::Crate;

    const README: &str = "\
Needs Rust 1.89; built with Rust 1.95.0.

```sh
cargo run --release -p archiver -- demo src
cargo xtask test
```

```toml
[dependencies]
lro-server = \"0.1.0\"
tonic = { version = \"0.14\" }
```

| `lro-server` | serves |
| `lro-gateway` | planned |
";

    fn findings(good: &str, bad: &str) -> Findings {
        assert!(README.contains(good), "{good}");
        let files = [
            ("README.md", &*README.replacen(good, bad, 1)),
            (".ci/run", "set -e\nexec cargo xtask test\n"),
            ("rust-toolchain.toml", "toolchain.channel = '1.95.0'"),
        ];
        check(&repo(&files))
    }

    fn repo(files: &[(&str, &str)]) -> Repo {
        let this = |name: &str| Crate {
            name: name.to_owned(),
            binaries: vec![name.to_owned()],
            ..Crate::default()
        };
        let workspace = "
            workspace.package.version = '0.1.0'
            workspace.package.rust-version = '1.89'
            workspace.dependencies.tonic.version = '0.14.9'
        ";
        Repo {
            crates: vec![this("archiver"), this("lro-server")],
            workspace: workspace.parse().unwrap(),
            ..Repo::of_files(files)
        }
    }

    #[test]
    fn untrue_facts_are_found() {
        assert_eq!(findings("", ""), [""; 0]);
        for (good, bad, found) in [
            ("cargo xtask test", "cargo test", "`cargo xtask test`"),
            ("-p archiver -- demo", "-p archiver -- show", "demo"),
            ("Rust 1.89", "Rust", "does not say `Rust 1.89`"),
            ("Rust 1.95.0", "Rust 1.94", "says Rust 1.94"),
            (
                "lro-server = \"0.1.0\"",
                "lro-server = \"0.2.0\"",
                "lro-server 0.2.0",
            ),
            ("version = \"0.14\"", "version = \"0.13\"", "tonic 0.13"),
            ("tonic = {", "other = {", "other 0.14"),
            ("[dependencies]", "[dependencies", "no TOML"),
            (
                "| `lro-server`",
                "| `lro-servant`",
                "`lro-servant` is no crate",
            ),
            ("| serves |", "| planned |", "`lro-server` is a crate"),
        ] {
            let findings = findings(good, bad);
            assert_eq!(findings.len(), 1, "{bad}: {findings:?}");
            assert!(findings[0].contains(found), "{bad}: {findings:?}");
        }
    }

    #[test]
    fn ci_runs_the_same_command() {
        for ci in [
            "",
            "cargo test",
            "exec cargo xtask test --fast",
            "cargo fmt\nexec cargo xtask test",
        ] {
            let files = [
                ("README.md", README),
                (".ci/run", ci),
                ("rust-toolchain.toml", "toolchain.channel = '1.95.0'"),
            ];
            let findings = check(&repo(&files));
            assert!(findings[0].contains(".ci/run"), "{ci}: {findings:?}");
        }
    }
}
