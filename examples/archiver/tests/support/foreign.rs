//! Programs of other languages, and what they need, installed below the target folder on first use.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Where the scripts are, and what they require.
pub const SCRIPTS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/clients");

/// Says that a test is skipped. In CI nothing may be.
pub fn skip(test: &str, why: &str) {
    let said = format!("{why}: {test} is skipped");
    assert!(std::env::var_os("CI").is_none(), "{said}");
    eprintln!("{said}");
}

/// The virtual environment with what requirements.txt pins; `None` when it cannot be made.
pub fn python() -> Option<PathBuf> {
    let pinned = Path::new(SCRIPTS).join("requirements.txt");
    installed("python", &pinned, |folder| {
        let made = runs(
            Command::new("python3")
                .args(["-m", "venv", "--clear"])
                .arg(folder),
        );
        let mut pip = Command::new(folder.join("bin/python"));
        pip.args([
            "-m",
            "pip",
            "install",
            "--quiet",
            "--disable-pip-version-check",
            "-r",
        ]);
        made && runs(pip.arg(&pinned))
    })
}

/// The folder whose node_modules holds what package.json pins; `None` when it cannot be made.
pub fn node() -> Option<PathBuf> {
    let pinned = Path::new(SCRIPTS).join("package.json");
    installed("node", &pinned, |folder| {
        let copied = fs::create_dir_all(folder)
            .and_then(|()| fs::copy(&pinned, folder.join("package.json")));
        let mut npm = Command::new("npm");
        npm.args(["install", "--silent", "--no-audit", "--no-fund"]);
        copied.is_ok() && runs(npm.current_dir(folder))
    })
}

/// The folder of that name, made anew unless it was made from the same text before.
fn installed(name: &str, pinned: &Path, install: impl FnOnce(&Path) -> bool) -> Option<PathBuf> {
    let wanted = fs::read_to_string(pinned).unwrap();
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    let stamp = folder.join("installed.txt");
    if fs::read_to_string(&stamp).is_ok_and(|made_from| made_from == wanted) {
        return Some(folder);
    }
    eprintln!(
        "installing what {} names in {}",
        pinned.display(),
        folder.display()
    );
    if !install(&folder) {
        return None;
    }
    fs::write(&stamp, wanted).unwrap();
    Some(folder)
}

/// Whether the program is there and ends well.
pub fn runs(command: &mut Command) -> bool {
    let status = command.stdin(Stdio::null()).stdout(Stdio::null()).status();
    status.is_ok_and(|status| status.success())
}
