//! Which crates are built together, over however many arrows and with the features that join them.

use anyhow::Result;

use super::Findings;
use super::repo::{Repo, Tree};
use crate::process::{cargo, output};

/// A build, and a crate that it must not have.
struct Row {
    package: &'static str,
    /// The features, as cargo takes them.
    features: &'static [&'static str],
    refused: &'static str,
    reason: &'static str,
}

const ROWS: &[Row] = &[
    Row {
        package: "lro-cli",
        features: &["--all-features"],
        refused: "lro-server",
        reason: "it calls any server, and knows none",
    },
    Row {
        package: "lro-client",
        features: &["--all-features"],
        refused: "lro-server",
        reason: "callers do not pull the server",
    },
    Row {
        package: "lro-console",
        features: &["--no-default-features", "--features", "remote"],
        refused: "lro-server",
        reason: "the console of `lro ui` is part of the command line",
    },
    Row {
        package: "lro-console",
        features: &["--no-default-features", "--features", "server"],
        refused: "lro-client",
        reason: "a server with a console calls no other server",
    },
    Row {
        package: "lro-server",
        features: &["--all-features"],
        refused: "lro-client",
        reason: "a server calls no other server",
    },
];

/// The crates that each build of [`ROWS`] has.
///
/// # Errors
///
/// When cargo cannot say.
pub(super) fn load() -> Result<Vec<Tree>> {
    ROWS.iter().map(tree).collect()
}

fn tree(row: &Row) -> Result<Tree> {
    let mut command = cargo();
    command
        .args(["tree", "--locked", "--quiet", "--edges", "normal,build"])
        .args(["--prefix", "none", "--format", "{p}"])
        .args(["--package", row.package])
        .args(row.features);
    let listed = output(&mut command)?;
    let names = listed.lines().filter_map(|line| line.split(' ').next());
    Ok(Tree {
        package: row.package,
        features: row.features,
        crates: names.map(str::to_owned).collect(),
    })
}

pub(super) fn check(repo: &Repo) -> Findings {
    let mut findings = Vec::new();
    for row in ROWS {
        let of_row = |tree: &&Tree| (tree.package, tree.features) == (row.package, row.features);
        let Some(tree) = repo.trees.iter().find(of_row) else {
            continue;
        };
        let features = row.features.join(" ");
        if !tree.crates.contains(row.package) {
            findings.push(format!("cargo tree does not tell what {} has", row.package));
        }
        if tree.crates.contains(row.refused) {
            let (package, refused) = (row.package, row.refused);
            findings.push(format!(
                "{package} with {features} is built with {refused}: {}; `cargo tree -p {package} \
                 {features} -e normal,build -i {refused}` shows by which way",
                row.reason
            ));
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    fn repo(crates: &[&str]) -> Repo {
        let row = &ROWS[0];
        let tree = Tree {
            package: row.package,
            features: row.features,
            crates: crates.iter().map(|it| (*it).to_owned()).collect(),
        };
        Repo {
            trees: vec![tree],
            ..Repo::default()
        }
    }

    #[test]
    fn a_crate_that_comes_over_another_one_is_found() {
        assert!(check(&repo(&["lro-cli", "lro-console", "lro-client"])).is_empty());
        let found = check(&repo(&["lro-cli", "lro-console", "lro-server"]));
        assert!(found[0].contains("lro-cli with --all-features is built with lro-server"));
        let found = check(&repo(&[]));
        assert!(
            found[0].contains("does not tell what lro-cli has"),
            "{found:?}"
        );
    }

    #[test]
    fn features_decide_what_is_built() {
        // The console has both with all features, so the rows above can fail.
        let row = Row {
            features: &["--all-features"],
            ..ROWS[3]
        };
        let both = tree(&row).unwrap().crates;
        assert!(both.contains("lro-client") && both.contains("lro-server"));
        let all = load().unwrap();
        assert!(all.iter().all(|tree| tree.crates.contains(tree.package)));
    }
}
