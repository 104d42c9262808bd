//! `cargo xtask package`: the published crates can be packaged and published.

use std::process::Command;

use anyhow::{Result, bail};

use crate::process::{self, cargo, target_dir};

/// The crates that a release publishes.
pub(crate) const PUBLISHED: [&str; 12] = [
    "lro-build",
    "lro-cli",
    "lro-client",
    "lro-console",
    "lro-core",
    "lro-gateway",
    "lro-json",
    "lro-macros",
    "lro-postgres",
    "lro-server",
    "lro-sqlite",
    "lro-testing",
];

/// Makes a package of each member of the workspace without uploading it, and lets `cargo publish` say
/// which crates it would upload. With `verify`, also compiles the packages of a release from their own
/// files, all in one target folder.
///
/// # Errors
///
/// When a package cannot be made or compiled, or when a crate that would be published is missing
/// or not expected.
pub(crate) fn run(verify: bool) -> Result<()> {
    process::run(cargo().args(["fetch", "--locked"]))?;
    process::run(package().args(["--workspace", "--no-verify"]))?;
    for name in PUBLISHED {
        check_texts(name)?;
    }
    compare(published()?)?;
    if !verify {
        return Ok(());
    }
    let mut verified = package();
    for name in PUBLISHED {
        verified.args(["--package", name]);
    }
    let target = target_dir()?.join("packaged");
    process::run(verified.arg("--target-dir").arg(target))
}

/// Packaging asks nothing of the network: what the lock file names is there.
fn package() -> Command {
    let mut command = cargo();
    command.args(["package", "--offline", "--allow-dirty"]);
    command
}

/// The texts that a package of a release has.
fn check_texts(name: &str) -> Result<()> {
    for text in ["LICENSE", "README.md"] {
        if !crate::root().join(name).join(text).is_file() {
            bail!("{name} has no {text}");
        }
    }
    Ok(())
}

/// The crates that `cargo publish --workspace` would upload.
fn published() -> Result<Vec<String>> {
    let mut publish = cargo();
    publish.args(["publish", "--dry-run", "--workspace"]);
    publish.args(["--no-verify", "--allow-dirty", "--color=never"]);
    let mut named = Vec::new();
    if !process::run_watched(&mut publish, |line| named.extend(uploaded(line)))? {
        bail!("`cargo publish --dry-run` failed");
    }
    Ok(named)
}

/// The crate of a line such as `   Uploading lro-core v0.1.0 (/lro/lro-core)`.
fn uploaded(line: &str) -> Option<String> {
    let (name, _) = line
        .trim_start()
        .strip_prefix("Uploading ")?
        .split_once(' ')?;
    Some(name.to_owned())
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
        let all: Vec<String> = PUBLISHED.map(str::to_owned).into();
        compare(all.iter().rev().cloned().collect()).unwrap();
        compare(all[1..].to_vec()).unwrap_err();
        compare([&all[..], &["archiver".to_owned()]].concat()).unwrap_err();
    }

    #[test]
    fn a_package_without_a_licence_is_an_error() {
        check_texts("lro-core").unwrap();
        check_texts("dev/xtask").unwrap_err();
    }

    #[test]
    fn an_uploaded_crate_is_read_from_its_line() {
        let line = "   Uploading lro-core v0.1.0 (/lro/lro-core)";
        assert_eq!(uploaded(line).as_deref(), Some("lro-core"));
        assert_eq!(
            uploaded("   Packaging lro-core v0.1.0 (/lro/lro-core)"),
            None
        );
    }
}
