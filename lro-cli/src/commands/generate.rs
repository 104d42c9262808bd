//! `lro completion` and `lro man`: files made of the arguments' definitions.

use std::path::Path;

use clap::CommandFactory as _;
use clap_complete::env::Shells;

use crate::args::Cli;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::terminal::Terminal;

/// The script that asks this program at each completion, or one that knows the options only.
pub(crate) fn completion(
    shell: clap_complete::Shell,
    is_static: bool,
    terminal: &Terminal,
) -> Result<Exit, Failure> {
    let mut script = Vec::new();
    if is_static {
        clap_complete::generate(shell, &mut Cli::command(), "lro", &mut script);
    } else {
        let shells = Shells::builtins();
        let name = shell.to_string();
        let completer = shells.completer(&name).ok_or_else(|| {
            Failure::usage(format!("there is no script for {name}"))
                .advise("write --static for one that completes options only")
        })?;
        let written = completer.write_registration("COMPLETE", "lro", "lro", "lro", &mut script);
        written.map_err(|error| Failure::new(Exit::Fault, format!("no script: {error}")))?;
    }
    let script = String::from_utf8_lossy(&script);
    terminal.data(&script)?;
    Ok(Exit::Done)
}

pub(crate) fn man(folder: &Path, terminal: &Terminal) -> Result<Exit, Failure> {
    clap_mangen::generate_to(Cli::command(), folder).map_err(|error| {
        Failure::new(
            Exit::Fault,
            format!("cannot write man pages to {}: {error}", folder.display()),
        )
        .advise("name a folder that exists")
    })?;
    terminal.say(&format!(
        "Man pages are in {}: man -l {}/lro.1",
        folder.display(),
        folder.display()
    ));
    Ok(Exit::Done)
}
