//! The wire types of lro-core, generated from the protos of lro-build and committed.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

/// Generates `lro-core/src/pb`, or with `check` compares it with what would be generated.
///
/// # Errors
///
/// If `check` finds a difference, or if a file cannot be read or written.
pub(crate) fn run(check: bool) -> Result<()> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"))
        .ancestors()
        .nth(2)
        .context("xtask is not below the root")?;
    let committed = root.join("lro-core/src/pb");
    let fresh = target_dir(root).join("codegen");
    if fresh.exists() {
        fs::remove_dir_all(&fresh).with_context(|| format!("clear {}", fresh.display()))?;
    }
    lro_build::compile_core_types(&fresh, root.join("lro-core/proto"))?;

    let names: BTreeSet<String> = file_names(&committed)?
        .into_iter()
        .chain(file_names(&fresh)?)
        .collect();
    let stale: Vec<&str> = names
        .iter()
        .filter(|name| fs::read(committed.join(name)).ok() != fs::read(fresh.join(name)).ok())
        .map(String::as_str)
        .collect();
    if stale.is_empty() {
        return Ok(());
    }
    if check {
        bail!(
            "lro-core/src/pb is stale ({}): run `cargo xtask codegen`",
            stale.join(", ")
        );
    }
    fs::create_dir_all(&committed)?;
    for name in stale {
        let (from, to) = (fresh.join(name), committed.join(name));
        if from.exists() {
            fs::copy(&from, &to).with_context(|| format!("write {}", to.display()))?;
        } else {
            fs::remove_file(&to).with_context(|| format!("remove {}", to.display()))?;
        }
        println!("lro-core/src/pb/{name}");
    }
    Ok(())
}

fn target_dir(root: &Path) -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), PathBuf::from)
}

fn file_names(dir: &Path) -> Result<Vec<String>> {
    if !dir.exists() {
        return Ok(Vec::new());
    }
    let entries = fs::read_dir(dir).with_context(|| format!("read {}", dir.display()))?;
    entries
        .map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned()))
        .collect()
}

#[cfg(test)]
mod tests {
    #[test]
    fn committed_code_is_fresh() {
        if let Err(error) = super::run(true) {
            panic!("{error}");
        }
    }
}
