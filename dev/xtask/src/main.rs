//! The commands of this repository: `cargo xtask test`, `tidy`, `codegen`, `bench`, `torture`,
//! `simulate`, `fuzz`, `gateway-cases`, `filter-cases`, `guarantees`, `words`, `quickstart`, `package`,
//! `protos`, `console-shots`, `build-cost` and `compile-cost`.

mod build_cost;
mod codegen;
mod compile_cost;
mod fuzz;
mod markdown;
mod package;
mod process;
mod protos;
mod quickstart;
mod test;
mod tidy;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context as _;
use clap::{Parser, Subcommand};

/// The commands of this repository.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Does everything that CI does, the quick steps first.
    Test(test::Args),
    /// Checks what the compiler does not: crate arrows, invariants, file lengths, documents.
    Tidy(tidy::Args),
    /// Generates the committed code of the google.longrunning protos.
    Codegen {
        /// Only say whether the committed code is fresh.
        #[arg(long)]
        check: bool,
    },
    /// Runs the benchmarks.
    Bench {
        /// The arguments of the program of the benchmarks.
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        args: Vec<String>,
    },
    /// Breaks the store and the server: power losses, kills, pauses. Takes `--help`.
    Torture {
        /// The arguments of the program: a subcommand, `--seed`, `--hours`.
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        args: Vec<String>,
    },
    /// Simulates the engine from seeds. Takes `--help`.
    Simulate {
        /// The arguments of the program: `--seed`, `--seeds`, `--hours`.
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        args: Vec<String>,
    },
    /// Feeds the parsers with arbitrary input: the targets of the folder fuzz.
    ///
    /// Needs a C++ compiler for libFuzzer; neither nightly nor cargo-fuzz.
    Fuzz(fuzz::Args),
    /// Runs a file of gateway cases against the gateway, over real sockets.
    GatewayCases {
        /// A file in the format of `tests/tests/gateway/cases.json`.
        file: PathBuf,
    },
    /// Lists the guarantees and the items of the standard with the tests that cite them.
    Guarantees {
        /// Only the row with this tag, such as `spec:27`.
        tag: Option<String>,
    },
    /// Lists the words that plain technical English replaces, and what to write instead.
    Words {
        /// Only in files whose paths begin with this, such as `lro-core/src`.
        #[arg(default_value = "")]
        path: String,
    },
    /// Does the quick start of the README in an empty folder, and compares its output.
    Quickstart,
    /// Makes the packages of a release, without uploading them.
    Package {
        /// Compile each package from its own files, in one target folder.
        #[arg(long)]
        verify: bool,
    },
    /// Compiles protos of others, and puts some of the code through rustc.
    Protos(protos::Args),
    /// Runs a table of filter cases and prints a line for each case that fails.
    FilterCases {
        /// A file in the format of `lro-core/tests/data/filter_cases.json`.
        file: PathBuf,
    },
    /// Takes pictures of every page of the console, in both themes and three widths.
    ConsoleShots {
        /// The folder for the pictures.
        folder: PathBuf,
    },
    /// Measures what a user's own clean build costs, and prints README's table.
    BuildCost,
    /// Measures the compile time of typed operations.
    CompileCost,
}

fn main() -> ExitCode {
    let result = match Cli::parse().command {
        Command::Test(args) => test::run(&args),
        Command::Tidy(args) => tidy::run(&args),
        Command::Codegen { check } => codegen::run(check),
        Command::Bench { args } => run_bench("benches", &args),
        Command::Torture { args } => run_bench("torture", &args),
        Command::Simulate { args } => run_simulation(&args),
        Command::Fuzz(args) => fuzz::run_targets(&args),
        Command::GatewayCases { file } => gateway_cases(&file),
        Command::Guarantees { tag } => tidy::list_guarantees(tag.as_deref()),
        Command::Words { path } => tidy::list_words(&path),
        Command::Quickstart => quickstart::run(),
        Command::Package { verify } => package::run(verify),
        Command::Protos(args) => protos::run(&args),
        Command::FilterCases { file } => run_filter_cases(&file),
        Command::ConsoleShots { folder } => console_shots(&folder),
        Command::BuildCost => build_cost::run(),
        Command::CompileCost => compile_cost::run(),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Runs a file of gateway cases; the path is the caller's.
fn gateway_cases(file: &std::path::Path) -> anyhow::Result<()> {
    let file = std::path::absolute(file)?;
    let args = [
        "run",
        "--quiet",
        "--package",
        "lro-tests",
        "--example",
        "gateway_cases",
        "--",
    ];
    process::run(process::cargo().args(args).arg(file))
}

/// Runs a program that is a benchmark to cargo, and has the name of its package.
fn run_bench(name: &str, args: &[String]) -> anyhow::Result<()> {
    process::run(
        process::cargo()
            .args(["bench", "-p", name, "--bench", name, "--"])
            .args(args),
    )
}

fn run_simulation(args: &[String]) -> anyhow::Result<()> {
    process::run(
        process::cargo()
            .args(["run", "--release", "-p", "simulation", "--"])
            .args(args),
    )
}

/// Takes the pictures with the browser test of the console.
fn console_shots(folder: &Path) -> anyhow::Result<()> {
    process::run(
        process::cargo()
            .env("LRO_CONSOLE_SHOTS", std::path::absolute(folder)?)
            .args(["test", "-p", "lro-console", "--all-features"])
            .args(["--test", "console", "pictures"]),
    )
}

/// The target folder.
fn target() -> anyhow::Result<PathBuf> {
    let metadata = cargo_metadata::MetadataCommand::new()
        .manifest_path(root().join("Cargo.toml"))
        .no_deps()
        .exec()
        .context("the target folder")?;
    Ok(metadata.target_directory.into_std_path_buf())
}

fn run_filter_cases(file: &Path) -> anyhow::Result<()> {
    let file = std::path::absolute(file)?;
    let example = ["--all-features", "--example", "filter_cases", "--"];
    process::run(
        process::cargo()
            .args(["run", "--quiet", "-p", "lro-core"])
            .args(example)
            .arg(file),
    )
}

/// The root of the repository.
fn root() -> PathBuf {
    let xtask = std::env::var_os("CARGO_MANIFEST_DIR")
        .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")), PathBuf::from);
    match xtask.ancestors().nth(2) {
        Some(root) => root.to_owned(),
        None => xtask,
    }
}
