//! `cargo xtask protos`: compiles protos of others, and puts some of the code through rustc.

mod check;
mod packages;

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use anyhow::{Context, Result, bail};

pub(crate) use check::{Selection, run as check};
pub(crate) use packages::{Package, Packages};

/// Arguments of `cargo xtask protos`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Put this many packages through rustc, and their comments through `cargo test --doc`.
    #[arg(long, value_name = "N", default_value_t = 0)]
    check: usize,
    /// Choose the packages for `--check` by this number instead of the commit.
    #[arg(long)]
    seed: Option<u64>,
    /// Put this package through rustc.
    #[arg(long, value_name = "NAME")]
    package: Vec<String>,
    /// Leave out the files in this folder, written from a root.
    #[arg(long, value_name = "FOLDER")]
    without: Vec<String>,
    /// Compile only what goes through rustc.
    #[arg(long)]
    only_check: bool,
    /// The folders that imports start from, separated by colons.
    #[arg(value_name = "ROOT[:ROOT..]")]
    roots: String,
    /// Protos, or folders of protos, below a root.
    #[arg(required = true, value_name = "FILE-OR-FOLDER")]
    protos: Vec<PathBuf>,
}

/// `cargo xtask protos`.
///
/// # Errors
///
/// When a proto does not compile, or the code of one.
pub(crate) fn run(args: &Args) -> Result<()> {
    let without: Vec<&str> = args.without.iter().map(String::as_str).collect();
    let packages = Packages::find(args.roots.split(':'), &args.protos, &without)?;
    let seed = match args.seed {
        Some(seed) => seed,
        None => commit_seed()?,
    };
    let mut failed = 0;
    if !args.only_check {
        failed += generate_files(&packages)?;
        failed += generate(&packages)?;
        failed += generate_all(&packages)?;
    }
    let mut selection = Selection::of(args.package.clone());
    if args.check > 0 {
        println!("{} packages are chosen by `--seed {seed}`", args.check);
        selection = selection.and(Selection::random(&packages, args.check, seed));
    }
    failed += check(&packages, &selection)?;
    if failed > 0 {
        bail!("{failed} failures");
    }
    Ok(())
}

/// A number that is the same for the same commit.
///
/// # Errors
///
/// When git does not answer.
pub(crate) fn commit_seed() -> Result<u64> {
    let mut git = std::process::Command::new("git");
    let commit = crate::process::output(git.current_dir(crate::root()).args([
        "rev-parse",
        "--short=12",
        "HEAD",
    ]))?;
    u64::from_str_radix(commit.trim(), 16).context("the commit is no number")
}

/// Compiles each file on its own, prints the failures, and returns how many there are.
fn generate_files(packages: &Packages) -> Result<usize> {
    let builds: Vec<Build<'_>> = packages
        .iter()
        .flat_map(|package| package.files().iter().map(|file| Build::one(package, file)))
        .collect();
    compile_all("files, each on its own", packages, &builds)
}

/// Compiles each package, prints the failures, and returns how many there are.
///
/// # Errors
///
/// When nothing can be written.
pub(crate) fn generate(packages: &Packages) -> Result<usize> {
    let builds: Vec<Build<'_>> = packages.iter().map(Build::package).collect();
    compile_all("packages, all files of each at once", packages, &builds)
}

/// Compiles all packages in one build, prints the failures, and returns how many there are.
fn generate_all(packages: &Packages) -> Result<usize> {
    compile_all("build of all packages", packages, &[Build::all(packages)])
}

/// The files of one call of lro-build.
struct Build<'a> {
    name: String,
    files: Vec<&'a str>,
}

impl<'a> Build<'a> {
    fn one(package: &Package, file: &'a str) -> Self {
        Self {
            name: format!("{package}: {file}"),
            files: vec![file],
        }
    }

    fn package(package: &'a Package) -> Self {
        Self {
            name: package.to_string(),
            files: package.files().iter().map(String::as_str).collect(),
        }
    }

    /// All packages but those with an edition, which the compiler does not know.
    fn all(packages: &'a Packages) -> Self {
        let packages = packages.iter().filter(|package| !package.has_edition());
        let files = packages.flat_map(Package::files);
        Self {
            name: "all".to_owned(),
            files: files.map(String::as_str).collect(),
        }
    }
}

/// Runs the builds on all cores. Prints the failures and the sum, and returns how many failed.
fn compile_all(what: &str, packages: &Packages, builds: &[Build<'_>]) -> Result<usize> {
    let scratch = crate::target()?.join("protos/generated");
    let began = Instant::now();
    let next = AtomicUsize::new(0);
    let sum = Mutex::new(Sum::default());
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        let workers: Vec<_> = (0..threads.min(builds.len()))
            .map(|thread| {
                let (next, sum) = (&next, &sum);
                let out = scratch.join(thread.to_string());
                scope.spawn(move || -> Result<()> {
                    while let Some(build) = builds.get(next.fetch_add(1, Ordering::Relaxed)) {
                        let outcome = compile(packages, build, &out)?;
                        sum.lock().expect("no thread panics").add(build, outcome);
                    }
                    Ok(())
                })
            })
            .collect();
        for worker in workers {
            worker.join().expect("no thread panics")?;
        }
        anyhow::Ok(())
    })?;
    let sum = sum.into_inner().expect("no thread panics");
    println!(
        "{} {what}: {sum} ({:.1} s)",
        builds.len(),
        began.elapsed().as_secs_f64()
    );
    Ok(sum.failed)
}

enum Outcome {
    /// Compiles, with this number of operation rpcs.
    Compiles(usize),
    /// The compiler knows no editions, and says so.
    Edition,
    Fails(String),
}

fn compile(packages: &Packages, build: &Build<'_>, out: &Path) -> Result<Outcome> {
    if out.exists() {
        std::fs::remove_dir_all(out).with_context(|| format!("remove {}", out.display()))?;
    }
    let result = lro_build::configure()
        .out_dir(out)
        .emit_cargo_lines(false)
        .compile_protos(&build.files, packages.roots());
    match result {
        Ok(()) => Ok(Outcome::Compiles(operations(out)?)),
        Err(error) if error.is_edition() => Ok(Outcome::Edition),
        Err(error) => Ok(Outcome::Fails(error.to_string())),
    }
}

/// How many operation rpcs the generated code has.
fn operations(out: &Path) -> Result<usize> {
    let mut found = 0;
    for entry in std::fs::read_dir(out)? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "rs") {
            let code = std::fs::read_to_string(path)?;
            found += code.matches("LongRunningMethod for").count();
        }
    }
    Ok(found)
}

#[derive(Default)]
struct Sum {
    compile: usize,
    editions: usize,
    failed: usize,
    operations: usize,
}

impl Sum {
    fn add(&mut self, build: &Build<'_>, outcome: Outcome) {
        match outcome {
            Outcome::Compiles(operations) => {
                self.compile += 1;
                self.operations += operations;
            }
            Outcome::Edition => self.editions += 1,
            Outcome::Fails(error) => {
                self.failed += 1;
                println!(
                    "FAILED {}:\n    {}",
                    build.name,
                    error.replace('\n', "\n    ")
                );
            }
        }
    }
}

impl fmt::Display for Sum {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} compile with {} operation rpcs, {} need an edition, {} fail",
            self.compile, self.operations, self.editions, self.failed,
        )
    }
}
