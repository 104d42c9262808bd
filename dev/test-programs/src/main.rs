//! Installs the programs that some tests need, and says which tests are skipped without them.
//!
//! ```text
//! test-programs check FOLDER
//! test-programs google-proto-files FOLDER
//! ```
//!
//! FOLDER is `CARGO_TARGET_TMPDIR` of the tests. The first command prints a line for each program: a test runner
//! shows nothing of a test that is skipped. In CI it fails when one is missing. The second command installs the
//! protos that Google publishes, and prints their folder.

use std::path::Path;
use std::process::{Command, ExitCode};

use test_programs::postgres::{self, Cluster, Pooler};
use test_programs::{Environment, in_ci};

type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

/// Something that tests need.
struct Need {
    what: &'static str,
    /// The tests that are skipped without it.
    tests: &'static str,
    /// Asks the code that the tests ask, so that what is installed is there for them.
    ask: fn(&Path) -> Result<()>,
}

const NEEDS: &[Need] = &[
    Need {
        what: "PostgreSQL",
        tests: "all of lro-postgres with its conformance, all of test-programs and of \
                examples/fleet, the fleets of torture",
        ask: |_| Ok(postgres::shared().map(drop)?),
    },
    Need {
        what: "PgBouncer",
        tests: "those of lro-postgres through a pooler",
        ask: |_| Ok(Pooler::start(&Cluster::start()?).map(drop)?),
    },
    Need {
        what: "Python with grpcio",
        tests: "lro-client against a server that is not ours",
        ask: |tests| make(&Environment::GRPCIO, tests),
    },
    Need {
        what: "Python with google-api-core",
        tests: "the archiver by Google's clients for Python, over gRPC and over REST",
        ask: |tests| make(&Environment::GOOGLE_API_CORE, tests),
    },
    Need {
        what: "Node with google-gax",
        tests: "the archiver by google-gax",
        ask: |tests| make(&Environment::GOOGLE_GAX, tests),
    },
    Need {
        what: "Python with schemathesis",
        tests: "the gateway by requests that its OpenAPI document describes",
        ask: |tests| make(&Environment::SCHEMATHESIS, tests),
    },
    Need {
        what: "Node with eventsource",
        tests: "watches over HTTP by a client of server-sent events",
        ask: |tests| make(&Environment::EVENT_SOURCE, tests),
    },
    Need {
        what: "Node with playwright-core and axe-core",
        tests: "the console in a browser",
        ask: |tests| make(&Environment::CONSOLE, tests),
    },
    Need {
        what: "Chromium",
        tests: "watches over HTTP by a browser, requests by pages of other sites, and the console",
        ask: |_| {
            let version = Command::new("chromium").arg("--version").output();
            Ok(version.map(drop)?)
        },
    },
    Need {
        what: "Google's protos from npm",
        tests: "all of them through lro-build, twenty packages through rustc, and a published API \
                served to its own client",
        ask: |tests| make(&Environment::GOOGLE_PROTO_FILES, tests),
    },
    Need {
        what: "Python with google-cloud-redis",
        tests: "a published API served to its own client",
        ask: |tests| make(&Environment::GOOGLE_CLOUD_REDIS, tests),
    },
];

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let done = match arguments[..] {
        ["check", tests] => check(NEEDS, tests.as_ref(), in_ci()).map(drop),
        ["google-proto-files", tests] => print_protos(tests.as_ref()),
        _ => Err("usage: test-programs check|google-proto-files FOLDER".into()),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

/// Looks for each program, and prints and returns a line for each that is missing.
///
/// # Errors
///
/// In CI, when a program is missing.
fn check(needs: &[Need], tests: &Path, ci: bool) -> Result<Vec<String>> {
    let mut missing = Vec::new();
    for need in needs {
        let Need {
            what,
            tests: skipped,
            ask,
        } = need;
        match ask(tests) {
            Ok(()) => println!("{what} is there"),
            Err(error) => {
                let line = format!("without {what} these tests are skipped: {skipped} ({error})");
                println!("{line}");
                missing.push(line);
            }
        }
    }
    if ci && !missing.is_empty() {
        return Err("in CI no test may be skipped".into());
    }
    Ok(missing)
}

fn make(environment: &Environment, tests: &Path) -> Result<()> {
    Ok(environment.make(tests).map(drop)?)
}

fn print_protos(tests: &Path) -> Result<()> {
    let folder = Environment::GOOGLE_PROTO_FILES.make(tests)?;
    println!(
        "{}",
        folder.join("node_modules/google-proto-files").display()
    );
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const THERE: Need = Need {
        what: "water",
        tests: "those that swim",
        ask: |_| Ok(()),
    };
    const MISSING: Need = Need {
        what: "wings",
        tests: "those that fly",
        ask: |_| Err("there are none".into()),
    };

    #[test]
    fn missing_programs_are_reported_and_fail_in_ci() {
        let tests = Path::new("");
        assert!(check(&[THERE], tests, true).unwrap().is_empty());
        let missing = check(&[MISSING, THERE], tests, false).unwrap();
        let [missing] = &*missing else {
            panic!("{missing:?}");
        };
        for word in ["wings", "those that fly", "there are none"] {
            assert!(missing.contains(word), "{missing}");
        }
        check(&[THERE, MISSING], tests, true).unwrap_err();
    }
}
