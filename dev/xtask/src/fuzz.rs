//! `cargo xtask fuzz`: the targets of the folder fuzz, with libFuzzer.
//!
//! No nightly and no cargo-fuzz: the coverage that libFuzzer follows is a pass of the stable
//! compiler's LLVM. That leaves out the address sanitizer, which finds nothing in a
//! repository without unsafe code; `cargo +nightly fuzz run TARGET` has it.

use std::fs;
use std::path::Path;
use std::time::Instant;

use anyhow::{Context, Result, bail};

use crate::process::{cargo, output, run, run_watched, works};
use crate::root;

/// The arguments of `cargo xtask fuzz`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// How long each target runs. With 0, only what was found before is repeated.
    #[arg(long, default_value_t = 60)]
    seconds: u32,
    /// Only these targets; all by default.
    targets: Vec<String>,
}

/// As cargo-fuzz has them, without its sanitizer.
const FLAGS: &str = "--cfg fuzzing -Cpasses=sancov-module \
    -Cllvm-args=-sanitizer-coverage-level=4 \
    -Cllvm-args=-sanitizer-coverage-inline-8bit-counters \
    -Cllvm-args=-sanitizer-coverage-pc-table \
    -Cllvm-args=-sanitizer-coverage-trace-compares";

/// An input that takes longer is a finding.
const TIMEOUT: &str = "-timeout=10";

/// `cargo xtask fuzz`.
///
/// # Errors
///
/// When the targets cannot be built, or one has found something.
pub(crate) fn run_targets(args: &Args) -> Result<()> {
    let all = targets(&root())?;
    if let Some(unknown) = args.targets.iter().find(|it| !all.contains(it)) {
        bail!(
            "there is no target `{unknown}`; there are {}",
            all.join(", ")
        );
    }
    let chosen = match args.targets.is_empty() {
        true => &all,
        false => &args.targets,
    };
    let compiler = std::env::var_os("CXX").unwrap_or_else(|| "c++".into());
    if !works(std::process::Command::new(&compiler).arg("--version")) {
        bail!(
            "libFuzzer is C++, and there is no compiler `{}`; install one (Debian: g++), or name \
             yours by CXX",
            compiler.display()
        );
    }
    let host = host()?;
    let bins = chosen.iter().flat_map(|target| ["--bin", target]);
    run(cargo()
        .args([
            "build",
            "--release",
            "--manifest-path",
            "dev/fuzz/Cargo.toml",
        ])
        .args(["--target-dir", "target/fuzz", "--target", &host])
        .args(bins)
        .env("RUSTFLAGS", FLAGS))?;
    let mut failed = Vec::new();
    let mut lines = Vec::new();
    for target in chosen {
        println!("==> {target}");
        let began = Instant::now();
        let (succeeded, runs) = fuzz(target, &host, args.seconds)?;
        let took = began.elapsed().as_secs_f64();
        let word = if succeeded { "ok" } else { "FAILED" };
        lines.push(format!("{word:>8} {took:>7.1} s {runs:>10} runs  {target}"));
        if !succeeded {
            failed.push(&**target);
        }
    }
    println!("==> summary\n{}", lines.join("\n"));
    println!(
        "{} passed, {} failed",
        chosen.len() - failed.len(),
        failed.len()
    );
    if !failed.is_empty() {
        bail!(
            "{} found something: the input is named above, in target/fuzz/found; give it to \
             target/fuzz/{host}/release/TARGET to see it again, and once corrected put it into \
             dev/fuzz/seeds/TARGET",
            failed.join(", ")
        );
    }
    Ok(())
}

/// Runs one. New inputs go to a corpus of this machine; the seeds stay as they are.
fn fuzz(target: &str, host: &str, seconds: u32) -> Result<(bool, u64)> {
    let folder = root().join("target/fuzz");
    let (corpus, found) = (folder.join("corpus").join(target), folder.join("found"));
    for folder in [&corpus, &found] {
        fs::create_dir_all(folder).with_context(|| folder.display().to_string())?;
    }
    let program = folder.join(host).join("release").join(target);
    let mut command = std::process::Command::new(program);
    command.arg(match seconds {
        0 => "-runs=0".to_owned(),
        seconds => format!("-max_total_time={seconds}"),
    });
    command
        .args([TIMEOUT, "-verbosity=0", "-print_final_stats=1"])
        .arg(format!("-artifact_prefix={}/{target}-", found.display()))
        .arg(corpus)
        .arg(root().join("dev/fuzz/seeds").join(target));
    let mut runs = 0;
    let succeeded = run_watched(&mut command, |line| {
        if let Some(count) = executed(line) {
            runs = count;
        }
    })?;
    Ok((succeeded, runs))
}

fn executed(line: &str) -> Option<u64> {
    let count = line.strip_prefix("stat::number_of_executed_units:")?;
    count.trim().parse().ok()
}

/// The targets, by the names of their sources.
fn targets(root: &Path) -> Result<Vec<String>> {
    let folder = root.join("dev/fuzz/fuzz_targets");
    let files = fs::read_dir(&folder).with_context(|| folder.display().to_string())?;
    let mut names = Vec::new();
    for file in files {
        let path = file?.path();
        names.extend(
            path.file_stem()
                .map(|name| name.to_string_lossy().into_owned()),
        );
    }
    names.sort();
    Ok(names)
}

/// The target that the compiler is for. A build for a named one keeps the flags from build scripts
/// and macros.
fn host() -> Result<String> {
    let version = output(
        std::process::Command::new("rustc")
            .arg("-vV")
            .current_dir(root()),
    )?;
    let host = version.lines().find_map(|line| line.strip_prefix("host: "));
    Ok(host.context("`rustc -vV` names no host")?.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_target_is_built_and_begins_with_something() {
        let manifest = fs::read_to_string(root().join("dev/fuzz/Cargo.toml")).unwrap();
        let targets = targets(&root()).unwrap();
        assert!(targets.len() > 1, "{targets:?}");
        assert_eq!(manifest.matches("[[bin]]").count(), targets.len());
        for target in targets {
            assert!(
                manifest.contains(&format!("name = \"{target}\"")),
                "{target}"
            );
            let seeds = fs::read_dir(root().join("dev/fuzz/seeds").join(&target)).unwrap();
            assert!(seeds.count() > 0, "{target}");
        }
    }

    #[test]
    fn the_tests_hold_the_seeds_of_every_target() {
        let mut sources = String::new();
        for krate in fs::read_dir(root()).unwrap() {
            read_sources(&krate.unwrap().path().join("tests"), &mut sources);
        }
        for target in targets(&root()).unwrap() {
            let call = format!("replay::each(\"{target}\", ");
            assert!(sources.contains(&call), "nothing replays {target}");
        }
    }

    fn read_sources(folder: &Path, sources: &mut String) {
        for file in fs::read_dir(folder).into_iter().flatten() {
            let path = file.unwrap().path();
            if path.is_dir() {
                read_sources(&path, sources);
            } else if path.extension().is_some_and(|it| it == "rs") {
                *sources += &fs::read_to_string(path).unwrap();
            }
        }
    }

    #[test]
    fn runs_are_counted_by_libfuzzers_own_words() {
        assert_eq!(
            executed("stat::number_of_executed_units: 129963"),
            Some(129_963)
        );
        assert_eq!(executed("stat::average_exec_per_sec:     1074"), None);
        assert_eq!(executed("INFO: Seed: 1"), None);
    }

    #[test]
    fn the_host_is_known() {
        assert!(host().unwrap().contains('-'));
    }
}
