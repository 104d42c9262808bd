//! `lro completion` and `lro man`: files made of the arguments' definitions.

use std::path::Path;

use clap::CommandFactory as _;

use crate::args::Cli;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::terminal::Terminal;

pub(crate) fn completion(
    shell: clap_complete::Shell,
    terminal: &Terminal,
) -> Result<Exit, Failure> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "lro", &mut script);
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
