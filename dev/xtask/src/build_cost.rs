//! `cargo xtask build-cost`: what a user's own clean build costs.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};

use crate::process::{self, cargo};

/// A program as a user may have it.
struct Scratch {
    title: &'static str,
    name: &'static str,
    /// Crates of this workspace that it depends on.
    ours: &'static [&'static str],
    /// tonic's features that it adds, if it uses tonic itself.
    tonic: Option<&'static str>,
}

const SCRATCHES: &[Scratch] = &[
    Scratch {
        title: "server with SQLite (`lro-server`, `lro-sqlite`, tonic's server)",
        name: "cost-of-server",
        ours: &["lro-server", "lro-sqlite"],
        tonic: Some(r#""server", "router", "codegen""#),
    },
    Scratch {
        title: "client alone (`lro-client`, tonic's channel)",
        name: "cost-of-client",
        ours: &["lro-client"],
        tonic: Some(r#""channel", "codegen""#),
    },
    Scratch {
        title: "build script (`lro-build`)",
        name: "cost-of-build-script",
        ours: &["lro-build"],
        tonic: None,
    },
];

/// `cargo xtask build-cost`.
///
/// # Errors
///
/// When a scratch crate does not build, or cannot be written.
pub(crate) fn run() -> Result<()> {
    let dir = std::env::temp_dir().join(format!("lro-build-cost-{}", std::process::id()));
    let table = measure(&crate::root(), &dir);
    if dir.exists() {
        fs::remove_dir_all(&dir).with_context(|| format!("remove {}", dir.display()))?;
    }
    println!("{}", table?);
    Ok(())
}

/// Builds each scratch crate from nothing, in a folder of its own, and prints README's table.
///
/// # Errors
///
/// When one does not build.
fn measure(root: &Path, dir: &Path) -> Result<String> {
    let mut rows = Vec::new();
    for scratch in SCRATCHES {
        eprintln!("==> {}", scratch.title);
        let home = dir.join(scratch.name);
        write(scratch, root, &home).with_context(|| scratch.name)?;
        process::run(scoped(&home).arg("fetch"))?;
        let crates = crates(&process::output(scoped(&home).args([
            "tree",
            "--edges",
            "normal,build",
            "--prefix",
            "none",
            "--format",
            "{p}",
        ]))?);
        let began = Instant::now();
        process::run(scoped(&home).arg("build"))?;
        rows.push((scratch.title, crates, began.elapsed()));
    }
    Ok(table(&rows))
}

fn write(scratch: &Scratch, root: &Path, home: &Path) -> Result<()> {
    fs::create_dir_all(home.join("src"))?;
    let workspace: toml::Table = fs::read_to_string(root.join("Cargo.toml"))?.parse()?;
    fs::write(home.join("Cargo.toml"), manifest(scratch, root, &workspace))?;
    fs::write(home.join("src/main.rs"), program(scratch))?;
    // The versions that this workspace is tested with.
    fs::copy(root.join("Cargo.lock"), home.join("Cargo.lock"))?;
    Ok(())
}

fn manifest(scratch: &Scratch, root: &Path, workspace: &toml::Table) -> String {
    let mut manifest = format!(
        "[package]\nname = \"{}\"\nedition = \"2024\"\n\n[workspace]\n\n[dependencies]\n",
        scratch.name
    );
    for name in scratch.ours {
        manifest += &format!("{name} = {{ path = {:?} }}\n", root.join(name));
    }
    if let Some(features) = scratch.tonic {
        let tonic = &workspace["workspace"]["dependencies"]["tonic"]["version"];
        manifest += &format!(
            "tonic = {{ version = {tonic}, default-features = false, features = [{features}] }}\n"
        );
    }
    manifest
}

fn program(scratch: &Scratch) -> String {
    let uses = scratch.ours.iter().map(|name| {
        let name = name.replace('-', "_");
        format!("use {name} as _;\n")
    });
    uses.collect::<String>() + "\nfn main() {}\n"
}

/// cargo in that folder, with an empty target folder in it.
fn scoped(home: &Path) -> Command {
    let mut command = cargo();
    command
        .current_dir(home)
        .env("CARGO_TARGET_DIR", home.join("target"))
        .env_remove("CARGO_MANIFEST_DIR");
    command
}

/// How many crates `cargo tree` names, besides its root.
fn crates(tree: &str) -> usize {
    let names: BTreeSet<&str> = tree
        .lines()
        .map(|line| line.trim_end_matches(" (*)"))
        .filter(|line| !line.is_empty())
        .collect();
    names.len().saturating_sub(1)
}

fn table(rows: &[(&str, usize, Duration)]) -> String {
    let mut table = "| what | crates | clean debug build |\n| --- | --: | --: |\n".to_owned();
    for (title, crates, took) in rows {
        table += &format!("| {title} | {crates} | {:.0} s |\n", took.as_secs_f64());
    }
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    table + &format!("\nMeasured on {cores} cores, with every crate downloaded before.")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_crate_is_counted_once_and_the_root_not_at_all() {
        let tree = "root v0.0.0 (/somewhere)\na v1.0.0\nb v1.0.0\na v1.0.0 (*)\na v2.0.0\n\n";
        assert_eq!(crates(tree), 3);
        assert_eq!(crates(""), 0);
    }

    #[test]
    fn a_scratch_crate_depends_on_ours_by_path() {
        let workspace = "workspace.dependencies.tonic = { version = \"9.1\" }";
        let root = Path::new("/repository");
        let manifest = manifest(&SCRATCHES[0], root, &workspace.parse().unwrap());
        assert!(manifest.contains(r#"lro-sqlite = { path = "/repository/lro-sqlite" }"#));
        assert!(manifest.contains(r#"tonic = { version = "9.1", default-features = false"#));
        let parsed: toml::Table = manifest.parse().unwrap();
        assert!(parsed.contains_key("workspace"));
    }

    #[test]
    fn the_table_is_markdown() {
        let table = table(&[("server", 99, Duration::from_millis(41_700))]);
        assert!(table.contains("\n| server | 99 | 42 s |\n"));
    }
}
