//! The command `lro`.

use std::process::ExitCode;

fn main() -> ExitCode {
    lro_cli::main()
}
