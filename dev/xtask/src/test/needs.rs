//! Programs that some tests need. Without it they are skipped, and nextest shows nothing of
//! that: so it is asked for once, before them, and said.

use std::process::Command;

use anyhow::{Result, bail};
use test_programs::Environment;
use test_programs::postgres::{Cluster, Pooler};

/// Something that tests need.
pub(super) struct Need {
    what: &'static str,
    /// The tests that are skipped without it.
    tests: &'static str,
    /// Asks the code that the tests ask, so that what is installed is there for them.
    ask: fn() -> Result<()>,
}

pub(super) const NEEDS: &[Need] = &[
    Need {
        what: "PostgreSQL",
        tests: "all of lro-postgres with its conformance, all of test-programs and of \
                examples/fleet, the fleets of torture",
        ask: || Ok(test_programs::postgres::shared().map(drop)?),
    },
    Need {
        what: "PgBouncer",
        tests: "those of lro-postgres through a pooler",
        ask: || Ok(Pooler::start(&Cluster::start()?).map(drop)?),
    },
    Need {
        what: "Python with grpcio",
        tests: "lro-client against a server that is not ours",
        ask: || make(&Environment::GRPCIO),
    },
    Need {
        what: "Python with google-api-core",
        tests: "the archiver by Google's clients for Python, over gRPC and over REST",
        ask: || make(&Environment::GOOGLE_API_CORE),
    },
    Need {
        what: "Node with google-gax",
        tests: "the archiver by google-gax",
        ask: || make(&Environment::GOOGLE_GAX),
    },
    Need {
        what: "Python with schemathesis",
        tests: "the gateway by requests that its OpenAPI document describes",
        ask: || make(&Environment::SCHEMATHESIS),
    },
    Need {
        what: "Node with eventsource",
        tests: "watches over HTTP by a client of server-sent events",
        ask: || make(&Environment::EVENT_SOURCE),
    },
    Need {
        what: "Node with playwright-core and axe-core",
        tests: "the console in a browser",
        ask: || make(&Environment::CONSOLE),
    },
    Need {
        what: "Chromium",
        tests: "watches over HTTP by a browser, requests by pages of other sites, and the console",
        ask: || {
            let version = Command::new("chromium").arg("--version").output();
            Ok(version.map(drop)?)
        },
    },
    Need {
        what: "Google's protos from npm",
        tests: "all of them through lro-build, twenty packages through rustc, and a published API \
                served to its own client",
        ask: || make(&Environment::GOOGLE_PROTO_FILES),
    },
    Need {
        what: "Python with google-cloud-redis",
        tests: "a published API served to its own client",
        ask: || make(&Environment::GOOGLE_CLOUD_REDIS),
    },
];

fn make(environment: &Environment) -> Result<()> {
    // Where cargo lets the tests write.
    Ok(environment.make(&crate::target()?.join("tmp")).map(drop)?)
}

/// Asks for each, and says, a line each, which tests are skipped.
///
/// # Errors
///
/// In CI, when one is missing: nothing may be skipped there.
pub(super) fn ask(needs: &[Need], ci: bool) -> Result<Vec<String>> {
    let mut skipped = Vec::new();
    for need in needs {
        let Need { what, tests, ask } = need;
        match ask() {
            Ok(()) => println!("{what} is there"),
            Err(error) => {
                let said = format!("without {what} these tests are skipped: {tests} ({error:#})");
                println!("{said}");
                skipped.push(said);
            }
        }
    }
    match ci && !skipped.is_empty() {
        true => bail!("in CI no test may be skipped"),
        false => Ok(skipped),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const THERE: Need = Need {
        what: "water",
        tests: "those that swim",
        ask: || Ok(()),
    };
    const MISSING: Need = Need {
        what: "wings",
        tests: "those that fly",
        ask: || bail!("there are none"),
    };

    #[test]
    fn missing_programs_are_reported_and_fail_in_ci() {
        assert!(ask(&[THERE], true).unwrap().is_empty());
        let skipped = ask(&[MISSING, THERE], false).unwrap();
        let [skipped] = &*skipped else {
            panic!("{skipped:?}");
        };
        for word in ["wings", "those that fly", "there are none"] {
            assert!(skipped.contains(word), "{skipped}");
        }
        ask(&[THERE, MISSING], true).unwrap_err();
    }
}
