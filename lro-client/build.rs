//! Tells the crate which compiler builds it, for the header `x-goog-api-client`.

use std::process::Command;

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-env-changed=RUSTC");
    let version = version().unwrap_or_else(|| "unknown".to_owned());
    println!("cargo::rustc-env=LRO_CLIENT_RUSTC={version}");
}

/// `1.89.0` of `rustc 1.89.0 (29483883e 2025-08-04)`.
fn version() -> Option<String> {
    let rustc = std::env::var_os("RUSTC")?;
    let output = Command::new(rustc).arg("--version").output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    text.split_whitespace().nth(1).map(str::to_owned)
}
