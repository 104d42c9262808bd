//! Runs cargo and its like: without stdin, in the root of the repository.

use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Command, Stdio};
use std::sync::{Mutex, PoisonError};

use anyhow::{Context, Result, bail};

/// A file that is not there. Every build gets it as its `PROTOC`, so that one which needs the
/// protobuf compiler fails here, and not first on another machine.
const NO_PROTOC: &str = "/no-such-file/protoc";

/// The cargo that runs this.
pub(crate) fn cargo() -> Command {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    command
        .current_dir(crate::root())
        .env("PROTOC", NO_PROTOC)
        .stdin(Stdio::null());
    command
}

/// The target folder of this workspace, for programs that are built elsewhere.
pub(crate) fn target_dir() -> Result<std::path::PathBuf> {
    let mut metadata = cargo_metadata::MetadataCommand::new();
    let metadata = metadata
        .manifest_path(crate::root().join("Cargo.toml"))
        .no_deps()
        .exec()?;
    Ok(metadata.target_directory.into())
}

/// Runs it, its output going where ours goes.
pub(crate) fn run(command: &mut Command) -> Result<()> {
    let status = command.status().with_context(|| shown(command))?;
    if !status.success() {
        bail!("`{}` failed ({status})", shown(command));
    }
    Ok(())
}

/// Runs it and answers what it prints on stdout.
pub(crate) fn output(command: &mut Command) -> Result<String> {
    let output = command
        .stderr(Stdio::inherit())
        .output()
        .with_context(|| shown(command))?;
    if !output.status.success() {
        bail!("`{}` failed ({})", shown(command), output.status);
    }
    String::from_utf8(output.stdout).with_context(|| shown(command))
}

/// Whether it can be run at all.
pub(crate) fn works(command: &mut Command) -> bool {
    let quiet = command.stdout(Stdio::null()).stderr(Stdio::null());
    quiet.status().is_ok_and(|status| status.success())
}

/// Runs it, hands every line that it prints to `each`, and prints it. Answers whether it succeeded.
pub(crate) fn run_watched(command: &mut Command, each: impl FnMut(&str) + Send) -> Result<bool> {
    let mut child = command
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .with_context(|| shown(command))?;
    let (out, err) = (child.stdout.take(), child.stderr.take());
    let each = Mutex::new(each);
    std::thread::scope(|scope| {
        let err = scope.spawn(|| tee(err, std::io::stderr(), &each));
        let out = tee(out, std::io::stdout(), &each);
        match err.join() {
            Ok(err) => out.and(err),
            Err(_) => bail!("reading the output of `{}` failed", shown(command)),
        }
    })?;
    Ok(child.wait().with_context(|| shown(command))?.success())
}

fn tee(from: Option<impl Read>, mut to: impl Write, each: &Mutex<impl FnMut(&str)>) -> Result<()> {
    let Some(from) = from else { return Ok(()) };
    let mut from = BufReader::new(from);
    let mut line = Vec::new();
    while from.read_until(b'\n', &mut line)? > 0 {
        to.write_all(&line)?;
        let mut each = each.lock().unwrap_or_else(PoisonError::into_inner);
        each(String::from_utf8_lossy(&line).trim_end());
        line.clear();
    }
    Ok(())
}

fn shown(command: &Command) -> String {
    let program = std::path::Path::new(command.get_program());
    let name = program.file_name().unwrap_or_default().to_string_lossy();
    command.get_args().fold(name.into_owned(), |shown, arg| {
        shown + " " + &arg.to_string_lossy()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failures_and_both_outputs_are_seen() {
        let mut seen = Vec::new();
        let succeeded = run_watched(cargo().arg("no-such-command"), |line| {
            seen.push(line.to_owned());
        });
        assert!(!succeeded.unwrap());
        assert!(
            seen.iter().any(|line| line.contains("no-such-command")),
            "{seen:?}"
        );
        let error = run(cargo().arg("no-such-command")).unwrap_err();
        assert!(error.to_string().contains("no-such-command` failed"));
        assert!(!works(cargo().arg("no-such-command")));
        assert!(works(cargo().arg("--version")));
    }
}
