//! `cargo xtask quickstart`: the quick start of the README, done as it is written, in an empty
//! folder.
//!
//! Blocks with a file name in front are written to that file, shell blocks are run, and the last
//! block is what they print. Only the dependencies on crates of this repository become paths.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::markdown::{Fence, fences};
use crate::process::{output, target_dir};

/// A step of the quick start.
#[derive(Debug, PartialEq, Eq)]
enum Step {
    /// Lines for a shell.
    Run(String),
    /// A file, and its contents or, for the manifest, its end.
    Write(PathBuf, String),
    /// The output of the last shell block.
    Expect(String),
}

/// Does what the README says, and compares the output.
///
/// # Errors
///
/// When a step fails, or the program prints something else.
pub(crate) fn run() -> Result<()> {
    let root = crate::root();
    let readme = fs::read_to_string(root.join("README.md"))?;
    let folder = tempfile::tempdir()?;
    // The versions that this workspace is tested with.
    let lock = root.join("Cargo.lock");
    perform(&steps(&readme)?, &root, &lock, folder.path())
}

fn perform(steps: &[Step], root: &Path, lock: &Path, folder: &Path) -> Result<()> {
    let mut folder = folder.to_owned();
    let mut printed = String::new();
    let mut compared = false;
    for step in steps {
        match step {
            Step::Run(script) => {
                println!("{}", script.trim_end());
                (printed, folder) = shell(script, &folder)?;
            }
            Step::Write(path, text) if path == Path::new("Cargo.toml") => {
                let path = folder.join(path);
                let manifest = fs::read_to_string(&path).context("cargo new wrote a manifest")?;
                let kept = manifest.trim_end().strip_suffix("[dependencies]");
                let kept = kept.context("the manifest ends with `[dependencies]`")?;
                fs::write(&path, format!("{kept}{}", with_paths(text, root)))?;
                fs::copy(lock, folder.join("Cargo.lock"))?;
            }
            Step::Write(path, text) => fs::write(folder.join(path), text)?,
            Step::Expect(text) => {
                if printed != *text {
                    bail!(
                        "README.md says that the quick start prints\n{text}but it prints\n{printed}"
                    );
                }
                compared = true;
            }
        }
    }
    if !compared {
        bail!("the quick start of README.md does not say what it prints");
    }
    Ok(())
}

/// Runs a script; answers what it printed, and the folder that it ended in.
fn shell(script: &str, folder: &Path) -> Result<(String, PathBuf)> {
    const END: &str = "\u{1}folder ";
    let printed = output(
        Command::new("sh")
            .args([
                "-ec",
                &format!("{script}\nprintf '\\001folder %s' \"$PWD\""),
            ])
            .current_dir(folder)
            .env("CARGO_TARGET_DIR", target_dir()?)
            .env_remove("CARGO_MANIFEST_DIR"),
    )?;
    let (printed, folder) = printed.rsplit_once(END).context("the script ended early")?;
    Ok((printed.to_owned(), folder.into()))
}

fn steps(readme: &str) -> Result<Vec<Step>> {
    let start = readme
        .find("\n## Quick start\n")
        .context("README.md has no quick start")?;
    let section = &readme[start + 1..];
    let end = section[2..]
        .find("\n## ")
        .map_or(section.len(), |at| at + 2);
    let section = &section[..end];
    let lines: Vec<&str> = section.lines().collect();
    fences(section)
        .into_iter()
        .map(|Fence { line, info, text }| {
            let before = lines[..line - 1].iter().rev();
            let caption = before
                .copied()
                .find(|line| !line.is_empty())
                .unwrap_or_default();
            let file = caption
                .strip_prefix('`')
                .and_then(|rest| rest.split_once('`'));
            Ok(match (&*info, file) {
                ("sh", _) => Step::Run(text),
                ("text", _) => Step::Expect(text),
                (_, Some((file, _))) => Step::Write(file.into(), text),
                (_, None) => bail!("README.md: no file name in front of the block `{info}`"),
            })
        })
        .collect()
}

/// The dependencies on our crates by path.
fn with_paths(manifest: &str, root: &Path) -> String {
    let lines = manifest.lines().map(|line| match line.split_once(" = ") {
        Some((name, _)) if name.starts_with("lro-") => {
            format!("{name} = {{ path = {:?} }}\n", root.join(name))
        }
        _ => format!("{line}\n"),
    });
    lines.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const README: &str = "\
# A

## Quick start

First:

```sh
mkdir a
cd a
printf '[package]\\n\\n[dependencies]\\n' > Cargo.toml
```

`Cargo.toml`, instead:

```toml
[dependencies]
lro-core = \"0.1\"
tonic = \"0.14\"
```

`b.txt`:

```rust
fn main() {}
```

```sh
cat Cargo.toml b.txt
```

It prints:

```text
PRINTS
```

## Later

```sh
false
```
";

    #[test]
    fn a_quick_start_is_done_as_it_is_written() {
        let folder = tempfile::tempdir().unwrap();
        let lock = folder.path().join("Cargo.lock");
        fs::write(&lock, "").unwrap();
        let root = Path::new("/checkout");
        let prints = "[package]\n\n[dependencies]\nlro-core = { path = \"/checkout/lro-core\" }\n\
                      tonic = \"0.14\"\nfn main() {}";
        let right = README.replace("PRINTS", prints);
        let try_in = |name: &str, readme: &str| {
            let empty = folder.path().join(name);
            fs::create_dir(&empty).unwrap();
            perform(&steps(readme)?, root, &lock, &empty)
        };
        try_in("1", &right).unwrap();
        for (name, good, bad, error) in [
            (
                "2",
                "tonic = \"0.14\"\nfn",
                "tonic = \"0.13\"\nfn",
                "but it prints",
            ),
            ("3", "cat Cargo.toml", "cat missing.toml", "failed"),
            ("4", "## Quick start", "## Slow start", "no quick start"),
            ("5", "`b.txt`:", "b.txt:", "no file name"),
            (
                "6",
                "```text\n",
                "`c.txt`:\n```txt\n",
                "does not say what it prints",
            ),
        ] {
            assert!(right.contains(good), "{good}");
            let found = format!("{:#}", try_in(name, &right.replace(good, bad)).unwrap_err());
            assert!(found.contains(error), "{bad}: {found}");
        }
    }
}
