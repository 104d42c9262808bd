//! `cargo xtask package`: the published crates can be packaged and published.

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

/// Makes a package of each member of the workspace, and those of a release with their lock files,
/// without uploading them. With `verify`, also compiles each package of a release from its own files,
/// all in one target folder.
///
/// Packaging asks nothing of the network: what the lock file names is fetched before, once.
///
/// # Errors
///
/// When a package cannot be made or compiled, or when a crate that would be published is missing
/// or not expected.
pub(crate) fn run(verify: bool) -> Result<()> {
    compare(published()?)?;
    process::run(cargo().args(["fetch", "--locked"]))?;
    let package = || {
        let mut command = cargo();
        command.args(["package", "--offline", "--allow-dirty"]);
        command
    };
    // Cargo resolves lock files against published crates, and finds no member there that another one
    // needs and that is not published.
    process::run(package().args(["--workspace", "--no-verify", "--exclude-lockfile"]))?;
    let mut command = package();
    for name in PUBLISHED {
        command.args(["--package", name]);
    }
    if verify {
        let target = target_dir()?.join("packaged");
        command.arg("--target-dir").arg(target);
    } else {
        command.arg("--no-verify");
    }
    process::run(&mut command)
}

/// The crates of this workspace that `cargo publish --workspace` uploads.
fn published() -> Result<Vec<String>> {
    let metadata = cargo_metadata::MetadataCommand::new()
        .manifest_path(crate::root().join("Cargo.toml"))
        .no_deps()
        .exec()?;
    let packages = metadata.packages.into_iter();
    Ok(packages
        .filter(|package| package.publish.is_none())
        .map(|package| package.name.to_string())
        .collect())
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
}
