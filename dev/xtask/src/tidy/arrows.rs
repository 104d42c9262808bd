//! Which crate may know which.

use cargo_metadata::DependencyKind;

use super::Findings;
use super::repo::{Crate, Repo};

/// The crates of the workspace that a crate may depend on.
struct Row {
    name: &'static str,
    /// To be built and used.
    built_with: &'static [&'static str],
    /// In its tests and doc examples, besides.
    tested_with: Tested,
    reason: &'static str,
}

#[derive(Clone, Copy)]
enum Tested {
    /// With these only.
    With(&'static [&'static str]),
    /// With the whole workspace.
    Freely,
}

const ROWS: &[Row] = &[
    Row {
        name: "lro-core",
        built_with: &[],
        tested_with: Tested::With(&["lro-testing"]),
        reason: "it is the contract that all others meet in",
    },
    Row {
        name: "lro-gateway",
        built_with: &["lro-core", "lro-json"],
        tested_with: Tested::With(&[]),
        reason: "it stands in front of any gRPC server",
    },
    Row {
        name: "lro-json",
        built_with: &[],
        tested_with: Tested::With(&["test-programs"]),
        reason: "it knows protobuf and JSON, and nothing of operations",
    },
    Row {
        name: "lro-macros",
        built_with: &[],
        tested_with: Tested::With(&[]),
        reason: "it turns tokens into tokens",
    },
    Row {
        name: "lro-server",
        // lro-json for the kit that tests bodies, which is a feature.
        built_with: &["lro-core", "lro-json", "lro-macros"],
        tested_with: Tested::Freely,
        reason: "the server and the client never see each other, nor any store",
    },
    Row {
        name: "lro-client",
        built_with: &["lro-core"],
        tested_with: Tested::Freely,
        reason: "callers do not pull the server",
    },
    Row {
        name: "lro-cli",
        built_with: &["lro-client", "lro-console", "lro-core", "lro-json"],
        tested_with: Tested::Freely,
        reason: "it calls any server, and knows none",
    },
    Row {
        name: "lro-console",
        built_with: &["lro-client", "lro-core", "lro-json", "lro-server"],
        tested_with: Tested::Freely,
        reason: "it shows operations, of this process or of another, and runs none",
    },
    Row {
        name: "lro-build",
        built_with: &[],
        // Its tests compile what it has written.
        tested_with: Tested::With(&["lro-core"]),
        reason: "it only writes the names of the others down",
    },
    Row {
        name: "lro-sqlite",
        built_with: &["lro-core"],
        tested_with: Tested::With(&["lro-testing"]),
        reason: "a store never sees the server or the client",
    },
    Row {
        name: "lro-postgres",
        built_with: &["lro-core"],
        tested_with: Tested::With(&["lro-testing", "test-programs"]),
        reason: "a store never sees the server or the client",
    },
    Row {
        name: "test-programs",
        built_with: &[],
        tested_with: Tested::With(&[]),
        reason: "it starts programs for tests, of whatever crate",
    },
    Row {
        name: "lro-testing",
        built_with: &["lro-core"],
        tested_with: Tested::With(&[]),
        reason: "strangers test their stores with it, and need nothing else for that",
    },
    Row {
        name: "exporter",
        built_with: &["lro-build", "lro-core"],
        tested_with: Tested::With(&[]),
        reason: "generated code needs lro-core only",
    },
    Row {
        name: "quickstart",
        built_with: &[
            "lro-build",
            "lro-client",
            "lro-console",
            "lro-core",
            "lro-server",
            "lro-sqlite",
        ],
        tested_with: Tested::With(&[]),
        reason: "it is the program of the README",
    },
    Row {
        name: "basics",
        built_with: &[
            "lro-build",
            "lro-client",
            "lro-console",
            "lro-core",
            "lro-gateway",
            "lro-postgres",
            "lro-server",
            "lro-sqlite",
        ],
        tested_with: Tested::Freely,
        reason: "its programs are examples of all crates",
    },
    Row {
        name: "archiver",
        built_with: &[
            "lro-build",
            "lro-client",
            "lro-console",
            "lro-core",
            "lro-gateway",
            "lro-server",
            "lro-sqlite",
        ],
        tested_with: Tested::Freely,
        reason: "it is an application",
    },
    Row {
        name: "cluster",
        built_with: &["lro-build", "lro-client", "lro-core", "lro-server"],
        tested_with: Tested::Freely,
        reason: "it is an application",
    },
    Row {
        name: "approval",
        built_with: &[
            "lro-build",
            "lro-client",
            "lro-core",
            "lro-server",
            "lro-sqlite",
        ],
        tested_with: Tested::Freely,
        reason: "it is an application",
    },
    Row {
        name: "nightly",
        built_with: &[
            "lro-build",
            "lro-client",
            "lro-core",
            "lro-server",
            "lro-sqlite",
        ],
        tested_with: Tested::Freely,
        reason: "it is an application",
    },
    Row {
        name: "fleet",
        built_with: &[
            "lro-build",
            "lro-client",
            "lro-console",
            "lro-core",
            "lro-postgres",
            "lro-server",
        ],
        tested_with: Tested::Freely,
        reason: "it is an application",
    },
    Row {
        name: "lro-tests",
        built_with: &[
            "lro-build",
            "lro-core",
            "lro-postgres",
            "lro-server",
            "lro-sqlite",
        ],
        tested_with: Tested::Freely,
        reason: "it is tests, the protos that they need, and a worker that they kill",
    },
    Row {
        name: "lro-renamed",
        built_with: &["lro-build", "lro-core", "lro-server"],
        tested_with: Tested::With(&[]),
        reason: "it is what a service author's crate is, under other names",
    },
    Row {
        name: "lro-ui",
        built_with: &[],
        tested_with: Tested::Freely,
        reason: "it is nothing but cases for the compiler",
    },
    Row {
        name: "benches",
        built_with: &[
            "lro-client",
            "lro-console",
            "lro-core",
            "lro-gateway",
            "lro-postgres",
            "lro-server",
            "lro-sqlite",
        ],
        tested_with: Tested::With(&["exporter", "test-programs"]),
        reason: "it measures what users have",
    },
    Row {
        name: "simulation",
        built_with: &["lro-core", "lro-server"],
        tested_with: Tested::With(&[]),
        reason: "it runs the engine over a store of its own",
    },
    Row {
        name: "torture",
        built_with: &[
            "lro-build",
            "lro-core",
            "lro-postgres",
            "lro-server",
            "lro-sqlite",
            "lro-testing",
        ],
        tested_with: Tested::With(&["test-programs"]),
        reason: "it breaks what users run: the server on the two stores",
    },
    Row {
        name: "xtask",
        built_with: &["lro-build"],
        tested_with: Tested::With(&[]),
        reason: "it generates code; whatever it needed more would be built before every command",
    },
];

/// Crates from elsewhere that only these of ours may be built with.
const RESERVED: &[(&str, &[&str], &str)] = &[
    (
        "rusqlite",
        // The benches compare with what the disk itself can do; the torture reads the file with
        // its own eyes and is the disk under it.
        &["lro-sqlite", "benches", "torture"],
        "only the two store crates know SQL",
    ),
    (
        "libsqlite3-sys",
        &["lro-sqlite"],
        "only the two store crates know SQL",
    ),
    (
        "tokio-postgres",
        // The benches compare with what the server itself can do.
        &["lro-postgres", "benches"],
        "only the two store crates know SQL",
    ),
    (
        "deadpool-postgres",
        &["lro-postgres"],
        "only the two store crates know SQL",
    ),
    (
        "serde_json",
        &["lro-json", "lro-gateway", "lro-cli", "lro-console"],
        "only lro-json and the faces that stand on it know JSON",
    ),
    (
        "axum",
        &["lro-gateway"],
        "gRPC users refuse an HTTP framework",
    ),
];

/// Crates from elsewhere that one of ours may not be built with.
const REFUSED: &[(&str, &str, &str)] = &[
    ("lro-core", "tokio", "it starts no task and opens no socket"),
    ("lro-macros", "tokio", "it turns tokens into tokens"),
    ("lro-build", "tokio", "it runs in build scripts"),
];

pub(super) fn check(repo: &Repo) -> Findings {
    let mut findings = Vec::new();
    for this in &repo.crates {
        match ROWS.iter().find(|row| row.name == this.name) {
            Some(row) => check_row(repo, this, row, &mut findings),
            None => findings.push(format!(
                "{} has no row in dev/xtask/src/tidy/arrows.rs: say there what it may depend on",
                this.name
            )),
        }
        for dependency in this.built_with() {
            let name = &*dependency.name;
            for (_, allowed, reason) in RESERVED.iter().filter(|it| it.0 == name) {
                if !allowed.contains(&&*this.name) {
                    findings.push(format!("{} may not depend on {name}: {reason}", this.name));
                }
            }
            for (_, _, reason) in REFUSED
                .iter()
                .filter(|it| it.0 == this.name && it.1 == name)
            {
                findings.push(format!("{} may not depend on {name}: {reason}", this.name));
            }
        }
    }
    for row in ROWS {
        if !repo.crates.iter().any(|this| this.name == row.name) {
            findings.push(format!(
                "dev/xtask/src/tidy/arrows.rs has a row for {}, which is no crate here",
                row.name
            ));
        }
    }
    findings
}

fn check_row(repo: &Repo, this: &Crate, row: &Row, findings: &mut Findings) {
    for dependency in &this.dependencies {
        let name = &*dependency.name;
        let allowed = row.built_with.contains(&name)
            || dependency.kind == DependencyKind::Development
                && match row.tested_with {
                    Tested::With(these) => these.contains(&name),
                    Tested::Freely => true,
                };
        if !allowed && repo.crates.iter().any(|ours| ours.name == name) {
            let how = match dependency.kind {
                DependencyKind::Development => "be tested with",
                _ => "depend on",
            };
            findings.push(format!(
                "{} may not {how} {name}: {}",
                this.name, row.reason
            ));
        }
    }
}

#[cfg(test)]
mod tests;
