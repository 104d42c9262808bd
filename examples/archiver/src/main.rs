//! The program `archiver`: packs directory trees into `.tar.zst` archives.
//!
//! ```text
//! archiver demo SOURCE_DIR                  # a server and a call of it, in one process
//! archiver serve --data DIR                 # the server
//! archiver create SOURCE_DIR --name photos  # calls of it
//! archiver list
//! ```

use std::process::ExitCode;

fn main() -> ExitCode {
    archiver::cli::main()
}
