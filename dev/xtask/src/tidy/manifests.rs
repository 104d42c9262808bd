//! The keys of every manifest, and the one place of versions.

use super::Findings;
use super::repo::{Crate, Repo};

/// The keys that come from `[workspace.package]`.
const INHERITED: &[&str] = &["version", "edition", "rust-version", "license"];

/// Crates that need one lint otherwise, which cannot be relaxed where the rest is inherited: their
/// own table has to be the workspace's but for that line.
const OTHER_LINT: &[(&str, &str, &str)] = &[
    // Its simulated disk under SQLite is a table of C functions.
    ("torture", "unsafe_code", "deny"),
];

pub(super) fn check(repo: &Repo) -> Findings {
    let mut findings = Vec::new();
    for this in &repo.crates {
        check_crate(this, &mut findings);
        check_publication(this, &mut findings);
        check_lints(this, repo, &mut findings);
    }
    let macros = repo
        .crates
        .iter()
        .flat_map(|this| &this.dependencies)
        .find(|dependency| dependency.name == "lro-macros");
    if let Some(macros) = macros
        && !macros.requirement.starts_with('=')
    {
        findings.push(
            "Cargo.toml: pin lro-macros with `=`: its output fits one version of lro-server"
                .to_owned(),
        );
    }
    findings
}

fn check_crate(this: &Crate, findings: &mut Findings) {
    let inherits = |table: &str, key: &str| {
        let value = match key {
            "" => this.manifest.get(table),
            key => this.manifest.get(table).and_then(|table| table.get(key)),
        };
        value.and_then(|value| value.get("workspace")?.as_bool()) == Some(true)
    };
    let dir = &this.dir;
    for key in INHERITED {
        if !inherits("package", key) {
            findings.push(format!("{dir}/Cargo.toml: write `{key}.workspace = true`"));
        }
    }
    let package = this.manifest.get("package");
    if package
        .and_then(|package| package.get("description"))
        .is_none()
    {
        findings.push(format!("{dir}/Cargo.toml: add a `description`"));
    }
    for table in ["dependencies", "dev-dependencies", "build-dependencies"] {
        let dependencies = this.manifest.get(table).and_then(toml::Value::as_table);
        for (name, value) in dependencies.into_iter().flatten() {
            let versioned = value.is_str() || value.get("version").is_some();
            if versioned {
                findings.push(format!(
                    "{dir}/Cargo.toml: write `{name}.workspace = true`; versions stand in the \
                     root manifest"
                ));
            }
        }
    }
}

/// The keys that crates.io and docs.rs show of a published crate.
fn check_publication(this: &Crate, findings: &mut Findings) {
    let Some(package) = this.manifest.get("package") else {
        return;
    };
    if package.get("publish").and_then(toml::Value::as_bool) != Some(true) {
        return;
    }
    let mut missing: Vec<&str> = ["categories", "keywords", "readme"]
        .into_iter()
        .filter(|key| package.get(key).is_none())
        .collect();
    let docs = |package: &toml::Value| {
        let docs = package.get("metadata")?.get("docs")?.get("rs")?;
        docs.get("all-features")?.as_bool()
    };
    if docs(package) != Some(true) {
        missing.push("metadata.docs.rs.all-features");
    }
    for key in missing {
        findings.push(format!(
            "{}/Cargo.toml: a published crate has `{key}`",
            this.dir
        ));
    }
}

fn check_lints(this: &Crate, repo: &Repo, findings: &mut Findings) {
    let lints = this.manifest.get("lints");
    let dir = &this.dir;
    let Some((_, lint, level)) = OTHER_LINT.iter().find(|(name, ..)| *name == this.name) else {
        let inherited = lints.and_then(|lints| lints.get("workspace")?.as_bool());
        if inherited != Some(true) {
            findings.push(format!(
                "{dir}/Cargo.toml: add `[lints]` with `workspace = true`"
            ));
        }
        return;
    };
    let workspace = repo.workspace.get("workspace");
    let mut expected = workspace
        .and_then(|workspace| workspace.get("lints"))
        .cloned();
    let rust = expected.as_mut().and_then(|lints| lints.get_mut("rust"));
    if let Some(rust) = rust.and_then(toml::Value::as_table_mut) {
        rust.insert((*lint).to_owned(), toml::Value::from(*level));
    }
    if lints != expected.as_ref() {
        findings.push(format!(
            "{dir}/Cargo.toml: `[lints]` has to be the workspace's but for `{lint} = \"{level}\"`"
        ));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::repo::Dependency;
    use cargo_metadata::DependencyKind;

    const GOOD: &str = "
        package.description = 'a crate'
        package.version.workspace = true
        package.edition.workspace = true
        package.rust-version.workspace = true
        package.license.workspace = true
        dependencies.prost.workspace = true
        lints.workspace = true
    ";

    fn findings(manifest: &str, macros: &str) -> Findings {
        let this = Crate {
            name: "lro-server".to_owned(),
            dir: "lro-server".to_owned(),
            manifest: manifest.parse().unwrap(),
            dependencies: vec![Dependency {
                name: "lro-macros".to_owned(),
                kind: DependencyKind::Normal,
                requirement: macros.to_owned(),
            }],
            binaries: Vec::new(),
        };
        let crates = vec![this];
        check(&Repo {
            crates,
            ..Repo::default()
        })
    }

    #[test]
    fn a_published_crate_has_what_is_shown_of_it() {
        let published = format!("{GOOD}\npackage.publish = true\n");
        let shown = "package.keywords = []\npackage.categories = []\npackage.readme = 'README.md'\n\
                     package.metadata.docs.rs.all-features = true\n";
        assert_eq!(findings(&published, "=0.1.0").len(), 4);
        assert_eq!(findings(&(published + shown), "=0.1.0"), Findings::new());
    }

    #[test]
    fn a_table_of_its_own_differs_in_the_one_lint() {
        let root = "workspace.lints.rust = { unsafe_code = 'forbid', missing_docs = 'deny' }";
        let found = |lints: &str| {
            let this = Crate {
                name: "torture".to_owned(),
                manifest: lints.parse().unwrap(),
                ..Crate::default()
            };
            let repo = Repo {
                workspace: root.parse().unwrap(),
                ..Repo::default()
            };
            let mut findings = Findings::new();
            check_lints(&this, &repo, &mut findings);
            findings.len()
        };
        let good = "lints.rust = { unsafe_code = 'deny', missing_docs = 'deny' }";
        assert_eq!(found(good), 0);
        for bad in [
            "lints.rust = { unsafe_code = 'deny' }",
            "lints.rust = { unsafe_code = 'allow', missing_docs = 'deny' }",
            "lints.workspace = true",
            "",
        ] {
            assert_eq!(found(bad), 1, "{bad}");
        }
    }

    #[test]
    fn missing_and_repeated_fields_are_found() {
        assert_eq!(findings(GOOD, "=0.1.0"), [""; 0]);
        for (good, bad, told) in [
            ("lints.workspace = true", "", "add `[lints]`"),
            (
                "lints.workspace = true",
                "lints.workspace = false",
                "add `[lints]`",
            ),
            (
                "version.workspace = true",
                "version = '0.2.0'",
                "`version.workspace",
            ),
            (
                "package.edition.workspace = true",
                "package.edition = '2021'",
                "`edition.workspace",
            ),
            (
                "package.rust-version.workspace = true",
                "",
                "`rust-version.workspace",
            ),
            ("package.license.workspace = true", "", "`license.workspace"),
            ("package.description = 'a crate'", "", "add a `description`"),
            (
                "prost.workspace = true",
                "prost = '0.14'",
                "`prost.workspace",
            ),
            (
                "prost.workspace = true",
                "prost.version = '0.14'",
                "`prost.workspace",
            ),
        ] {
            let findings = findings(&GOOD.replacen(good, bad, 1), "=0.1.0");
            assert_eq!(findings.len(), 1, "{bad}: {findings:?}");
            assert!(findings[0].contains(told), "{bad}: {findings:?}");
        }
        assert!(findings(GOOD, "^0.1.0")[0].contains("pin lro-macros"));
    }
}
