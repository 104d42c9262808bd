//! `cargo xtask package`: the published crates can be packaged and published.

use anyhow::{Result, bail};

use crate::process::{cargo, run_watched, target_dir};

/// The crates that a release publishes.
pub(crate) const PUBLISHED: [&str; 10] = [
    "lro-build",
    "lro-cli",
    "lro-client",
    "lro-core",
    "lro-json",
    "lro-macros",
    "lro-postgres",
    "lro-server",
    "lro-sqlite",
    "lro-testing",
];

/// Makes the packages of a release, without uploading them. With `verify`, also compiles each
/// package from its own files, all in one target folder.
///
/// # Errors
///
/// When a package cannot be made or compiled, or when one is missing or not expected.
pub(crate) fn run(verify: bool) -> Result<()> {
    let mut command = cargo();
    command.args(["publish", "--workspace", "--dry-run", "--allow-dirty"]);
    if verify {
        let target = target_dir()?.join("packaged");
        command.arg("--target-dir").arg(target);
    } else {
        command.arg("--no-verify");
    }
    let mut named = Vec::new();
    let succeeded = run_watched(&mut command, |line| named.extend(uploaded(line)))?;
    if !succeeded {
        bail!("`cargo publish --dry-run` failed");
    }
    compare(named)
}

/// The crate in a line such as `Uploading lro-core v0.1.0 (/checkout/lro-core)`.
fn uploaded(line: &str) -> Option<String> {
    let rest = line.trim_start().strip_prefix("Uploading ")?;
    rest.split(' ').next().map(str::to_owned)
}

fn compare(mut named: Vec<String>) -> Result<()> {
    named.sort();
    if named != PUBLISHED {
        bail!("a release would publish {named:?}, and should publish {PUBLISHED:?}");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_crate_is_an_error() {
        let line = "   Uploading lro-core v0.1.0 (/checkout/lro-core)";
        assert_eq!(uploaded(line).as_deref(), Some("lro-core"));
        assert_eq!(uploaded("   Packaging lro-core v0.1.0"), None);
        let all: Vec<String> = PUBLISHED.map(str::to_owned).into();
        compare(all.iter().rev().cloned().collect()).unwrap();
        compare(all[1..].to_vec()).unwrap_err();
        compare([&all[..], &["archiver".to_owned()]].concat()).unwrap_err();
    }
}
