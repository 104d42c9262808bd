//! Generated code in the hands of rustc: crates below the target folder, one for each package.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result, bail};

use super::{Package, Packages};
use crate::process;

/// A package of this many bytes of protos is left to those who name it: rustc takes a minute.
const MAX_BYTES: usize = 600_000;

/// The packages that are put through rustc.
#[derive(Debug)]
pub(crate) struct Selection {
    names: Vec<String>,
}

impl Selection {
    /// These packages.
    pub(crate) fn of(names: impl IntoIterator<Item = impl Into<String>>) -> Self {
        Self {
            names: names.into_iter().map(Into::into).collect(),
        }
    }

    /// As many packages as `count`, chosen by `seed`, among those with services.
    pub(crate) fn random(packages: &Packages, count: usize, seed: u64) -> Self {
        let mut candidates: Vec<&Package> = packages
            .iter()
            .filter(|package| !package.name().is_empty() && package.bytes() <= MAX_BYTES)
            .filter(|package| !package.has_edition())
            .collect();
        let mut state = seed;
        let mut names = vec![];
        while names.len() < count && !candidates.is_empty() {
            let index = usize::try_from(next(&mut state) % candidates.len() as u64);
            names.push(
                candidates
                    .swap_remove(index.unwrap_or_default())
                    .name()
                    .to_owned(),
            );
        }
        Self { names }
    }

    /// Both, each package once.
    pub(crate) fn and(mut self, other: Self) -> Self {
        let new = other
            .names
            .into_iter()
            .filter(|name| !self.names.contains(name));
        let new: Vec<String> = new.collect();
        self.names.extend(new);
        self
    }
}

/// SplitMix64.
fn next(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut mixed = *state;
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

/// Writes a crate for each package, and runs `cargo doc` and `cargo test --doc` on each of them.
/// Returns how many packages fail.
pub(crate) fn run(packages: &Packages, selection: &Selection) -> Result<usize> {
    let target = crate::target()?;
    let folder = target.join("protos/crates");
    if folder.exists() {
        fs::remove_dir_all(&folder).with_context(|| format!("remove {}", folder.display()))?;
    }
    let mut members = vec![];
    for name in &selection.names {
        let files: Vec<&str> = packages
            .iter()
            .filter(|package| package.name() == name)
            .flat_map(|package| package.files().iter().map(String::as_str))
            .collect();
        if files.is_empty() {
            bail!("there is no package {name}");
        }
        let member = name.replace(['.', '_'], "-");
        write_member(packages, &folder, &member, name, &files)?;
        members.push(member);
    }
    write_workspace(&folder, &members)?;
    if members.is_empty() {
        return Ok(0);
    }
    let cargo = |args: &[&str]| {
        let mut cargo = process::cargo();
        cargo
            .current_dir(&folder)
            .args(args)
            .env("CARGO_TARGET_DIR", target.join("protos/target"))
            .env("CARGO_INCREMENTAL", "0");
        process::run(&mut cargo).is_ok()
    };
    // On all cores; what fails is reported below, with the package that it belongs to.
    cargo(&["build", "--quiet", "--keep-going"]);
    let mut failed = 0;
    for member in &members {
        let began = std::time::Instant::now();
        let passed = cargo(&["doc", "--quiet", "--no-deps", "-p", member])
            && cargo(&["test", "--quiet", "--doc", "-p", member]);
        let word = if passed { "compiles" } else { "FAILED" };
        println!("{member}: {word} ({:.1} s)", began.elapsed().as_secs_f64());
        failed += usize::from(!passed);
    }
    Ok(failed)
}

fn write_member(
    packages: &Packages,
    folder: &Path,
    member: &str,
    package: &str,
    files: &[&str],
) -> Result<()> {
    let source = folder.join(member).join("src");
    lro_build::configure()
        .out_dir(&source)
        .emit_cargo_lines(false)
        .compile_protos(files, packages.roots())
        .with_context(|| format!("package {package}"))?;
    let manifest = format!(
        "[package]\nname = \"{member}\"\nedition = \"2024\"\n\n[dependencies]\n\
         lro-core.workspace = true\nprost.workspace = true\nprost-types.workspace = true\n\
         tonic.workspace = true\n"
    );
    fs::write(folder.join(member).join("Cargo.toml"), manifest)?;
    let code = format!(
        "//! The code that lro-build generates for `{package}`.\n\
         #![deny(rustdoc::all, text_direction_codepoint_in_comment)]\n\
         include!(\"protos.rs\");\n"
    );
    fs::write(source.join("lib.rs"), code)?;
    Ok(())
}

fn write_workspace(folder: &Path, members: &[String]) -> Result<()> {
    let root = crate::root();
    let text = fs::read_to_string(root.join("Cargo.toml"))?;
    let own: toml::Table = text.parse()?;
    let dependencies = own
        .get("workspace")
        .and_then(|workspace| workspace.get("dependencies"))
        .context("the workspace has dependencies")?;
    let version = |name: &str| -> Result<String> {
        let dependency = dependencies.get(name).context("a dependency")?;
        let version = dependency.get("version").unwrap_or(dependency);
        Ok(version.as_str().context("a version")?.to_owned())
    };
    let mut manifest = String::from("[workspace]\nresolver = \"3\"\nmembers = [\n");
    for member in members {
        writeln!(manifest, "    \"{member}\",")?;
    }
    let core = root.join("lro-core");
    writeln!(
        manifest,
        "]\n\n[workspace.dependencies]\nlro-core = {{ path = {:?} }}\nprost = \"{}\"\n\
         prost-types = \"{}\"\ntonic = {{ version = \"{}\", default-features = false, features = \
         [\"codegen\", \"channel\"] }}\n\n[profile.dev]\ndebug = false",
        core.display().to_string(),
        version("prost")?,
        version("prost-types")?,
        version("tonic")?,
    )?;
    fs::write(folder.join("Cargo.toml"), manifest)?;
    // The versions are those of the repository.
    fs::copy(root.join("Cargo.lock"), folder.join("Cargo.lock"))?;
    Ok(())
}
