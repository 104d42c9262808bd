//! `cargo xtask tidy`: what the compiler does not check.
//!
//! Each check is a function from a [`Repo`], a value, to findings; its tests hand it bad ones.

mod arrows;
mod builds;
mod code;
mod code_map;
mod defaults;
mod dependencies;
mod guarantees;
mod invariants;
mod lengths;
mod licenses;
mod links;
mod manifests;
mod ratchet;
mod readme;
mod repo;
mod snippets;
mod text;
mod type_examples;
mod words;

use anyhow::{Result, bail};

use repo::Repo;

/// The arguments of `cargo xtask tidy`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Lower the numbers of long files, words and types without an example to the present ones.
    #[arg(long)]
    lower: bool,
    /// List the public types without an example.
    #[arg(long)]
    types: bool,
}

/// Mistakes, a line each: the place, the mistake, and the cure.
type Findings = Vec<String>;

type Check = fn(&Repo) -> Findings;

const CHECKS: &[(&str, Check)] = &[
    ("crate arrows", arrows::check),
    ("builds", builds::check),
    ("manifests", manifests::check),
    ("dependencies", dependencies::check),
    ("invariants of the sources", invariants::check),
    ("file lengths", lengths::check),
    ("text", text::check),
    ("links", links::check),
    ("code map", code_map::check),
    ("guarantees", guarantees::check),
    ("README facts", readme::check),
    ("programs in README and guide", snippets::check),
    ("defaults", defaults::check),
    ("words", words::check),
    ("examples of types", type_examples::check),
];

/// `cargo xtask tidy`.
///
/// # Errors
///
/// When a check has a finding.
pub(crate) fn run(args: &Args) -> Result<()> {
    if args.types {
        print!("{}", type_examples::list(&Repo::load()?));
    }
    if args.lower {
        let repo = Repo::load()?;
        lengths::lower(&repo)?;
        words::lower(&repo)?;
        type_examples::lower(&repo)?;
    }
    check()
}

/// `cargo xtask guarantees`: prints the rows of docs/reference/guarantees.md with their tests.
///
/// # Errors
///
/// When the repository cannot be read, or there is no row with that tag.
pub(crate) fn list_guarantees(tag: Option<&str>) -> Result<()> {
    let listed = guarantees::list(&Repo::load()?, tag);
    if listed.is_empty() {
        bail!(
            "there is no row {}; tags look like spec:27",
            tag.unwrap_or("at all")
        );
    }
    print!("{listed}");
    Ok(())
}

/// `cargo xtask words`: prints the words to replace in files whose paths begin with `prefix`.
///
/// # Errors
///
/// When the repository cannot be read.
pub(crate) fn list_words(prefix: &str) -> Result<()> {
    print!("{}", words::list(&Repo::load()?, prefix));
    Ok(())
}

/// Runs every check.
///
/// # Errors
///
/// When one has a finding.
pub(crate) fn check() -> Result<()> {
    let repo = Repo::load()?;
    let mut count = 0;
    for (name, check) in CHECKS {
        for finding in check(&repo) {
            eprintln!("{name}: {finding}");
            count += 1;
        }
    }
    match count {
        0 => Ok(()),
        1 => bail!("tidy has a finding"),
        _ => bail!("tidy has {count} findings"),
    }
}

#[cfg(test)]
mod tests {
    /// So that plain `cargo test` tells it, too.
    #[test]
    fn this_repository_is_tidy() {
        super::check().unwrap();
    }
}
