//! The time that `lro` takes before its first call to a server: the median and the fastest of 50
//! runs of commands that call none. The aim is 20 ms.
//!
//! ```sh
//! cargo build --release -p lro-cli
//! cargo run --release -p lro-cli --example start_up
//! ```
//!
//! It takes the path of the binary as its argument, and finds it beside itself without one.

use std::error::Error;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// How often each command runs.
const RUNS: usize = 50;

fn main() -> Result<(), Box<dyn Error>> {
    let binary = match std::env::args_os().nth(1) {
        Some(path) => PathBuf::from(path),
        None => std::env::current_exe()?.with_file_name("../lro"),
    };
    // The last two set up all that a call needs, and refuse its name; `-s https:` with TLS, unless the
    // binary has none.
    for words in [
        &["--version"][..],
        &["config", "path"],
        &["get", "42"],
        &["get", "42", "-s", "https://localhost"],
    ] {
        let mut times = Vec::with_capacity(RUNS);
        for _ in 0..RUNS {
            let began = Instant::now();
            let mut command = Command::new(&binary);
            command
                .args(words)
                .stdin(Stdio::null())
                .stdout(Stdio::null())
                .stderr(Stdio::null());
            command.status()?;
            times.push(began.elapsed());
        }
        times.sort();
        let millis = |time: Duration| time.as_secs_f64() * 1_000.0;
        println!(
            "lro {:<27} median {:5.1} ms, fastest {:5.1} ms",
            words.join(" "),
            millis(times[RUNS / 2]),
            millis(times[0])
        );
    }
    Ok(())
}
