//! Python and Node with packages.

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::there_or_skip;

/// An interpreter with packages.
#[derive(Clone, Copy, Debug)]
pub struct Environment {
    /// Its folder below the one for tests.
    folder: &'static str,
    language: Language,
    /// The list of packages, from the root of the repository.
    pinned: &'static str,
}

#[derive(Clone, Copy, Debug)]
enum Language {
    Python,
    Node,
}

impl Environment {
    /// Python with grpcio, for a server to test lro-client with.
    pub const GRPCIO: Self = Self {
        folder: "grpcio",
        language: Language::Python,
        pinned: "lro-client/tests/python/requirements.txt",
    };

    /// Python with google-api-core and gapic-generator, for a client of the archiver.
    pub const GOOGLE_API_CORE: Self = Self {
        folder: "python",
        language: Language::Python,
        pinned: "examples/archiver/tests/clients/requirements.txt",
    };

    /// Node with google-gax, for another client of the archiver.
    pub const GOOGLE_GAX: Self = Self {
        folder: "node",
        language: Language::Node,
        pinned: "examples/archiver/tests/clients/package.json",
    };

    /// Python with Google's client for Memorystore for Redis, for tests/foreign-api.
    pub const GOOGLE_CLOUD_REDIS: Self = Self {
        folder: "redis",
        language: Language::Python,
        pinned: "tests/foreign-api/requirements.txt",
    };

    /// Python with schemathesis and a validator of OpenAPI documents, for the gateway.
    pub const SCHEMATHESIS: Self = Self {
        folder: "schemathesis",
        language: Language::Python,
        pinned: "tests/tests/rest_clients/scripts/requirements.txt",
    };

    /// Node with eventsource and a driver of Chromium, for watches of the gateway.
    pub const EVENT_SOURCE: Self = Self {
        folder: "eventsource",
        language: Language::Node,
        pinned: "tests/tests/rest_clients/scripts/package.json",
    };

    /// Node with a driver of Chromium and a checker of accessibility, for the console.
    pub const CONSOLE: Self = Self {
        folder: "console",
        language: Language::Node,
        pinned: "lro-console/tests/console/scripts/package.json",
    };

    /// Google's published protos, below `node_modules/google-proto-files`; no program at all.
    pub const GOOGLE_PROTO_FILES: Self = Self {
        folder: "protos",
        language: Language::Node,
        pinned: "tests/foreign-api/package.json",
    };

    /// Its folder below `tests`, which is `CARGO_TARGET_TMPDIR`: with `bin/python` or
    /// `node_modules` in it.
    ///
    /// # Errors
    ///
    /// When there is no such interpreter, or the packages cannot be installed.
    pub fn make(&self, tests: &Path) -> Result<PathBuf, Error> {
        let interpreter = self.interpreter();
        if !runs(Command::new(interpreter).arg("--version")) {
            return Err(Error(format!("there is no {interpreter}")));
        }
        let root = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."));
        let pinned = root.join(self.pinned);
        let wanted = fs::read_to_string(&pinned).map_err(|error| self.cannot(&error))?;
        let folder = tests.join(self.folder);
        // Tests are processes of their own, and several use one environment.
        let _lock = lock(&folder.with_extension("lock")).map_err(|error| self.cannot(&error))?;
        let stamp = folder.join("installed.txt");
        if fs::read_to_string(&stamp).is_ok_and(|made_from| made_from == wanted) {
            return Ok(folder);
        }
        eprintln!("installing {} in {}", self.pinned, folder.display());
        let installed = match self.language {
            Language::Python => install_for_python(&pinned, &folder),
            Language::Node => install_for_node(&pinned, &folder),
        };
        if !installed {
            return Err(self.cannot(&"its packages cannot be installed"));
        }
        fs::write(&stamp, wanted).map_err(|error| self.cannot(&error))?;
        Ok(folder)
    }

    /// The same, or `None`, which is said, where it cannot be made: a test returns then.
    ///
    /// # Panics
    ///
    /// When it cannot be made [in CI](super::in_ci): nothing is skipped silently there.
    pub fn make_or_skip(&self, tests: &Path) -> Option<PathBuf> {
        there_or_skip(self.make(tests))
    }

    fn interpreter(&self) -> &'static str {
        match self.language {
            Language::Python => "python3",
            Language::Node => "node",
        }
    }

    fn cannot(&self, why: &impl fmt::Display) -> Error {
        let (interpreter, pinned) = (self.interpreter(), self.pinned);
        Error(format!("no {interpreter} with what {pinned} says: {why}"))
    }
}

/// Locks a file, which is made where it is missing, until the result is dropped.
fn lock(path: &Path) -> std::io::Result<fs::File> {
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent)?;
    }
    let file = fs::File::create(path)?;
    file.lock()?;
    Ok(file)
}

/// A virtual environment.
fn install_for_python(pinned: &Path, folder: &Path) -> bool {
    let mut venv = Command::new("python3");
    let mut pip = Command::new(folder.join("bin/python"));
    pip.args(["-m", "pip", "install", "--quiet"]);
    pip.args(["--disable-pip-version-check", "-r"]).arg(pinned);
    runs(venv.args(["-m", "venv", "--clear"]).arg(folder)) && runs(&mut pip)
}

/// A folder with node_modules.
fn install_for_node(pinned: &Path, folder: &Path) -> bool {
    let copied =
        fs::create_dir_all(folder).and_then(|()| fs::copy(pinned, folder.join("package.json")));
    let mut npm = Command::new("npm");
    npm.args(["install", "--silent", "--no-audit", "--no-fund"]);
    copied.is_ok() && runs(npm.current_dir(folder))
}

/// Whether the program is there and ends well.
fn runs(command: &mut Command) -> bool {
    let status = command.stdin(Stdio::null()).stdout(Stdio::null()).status();
    status.is_ok_and(|status| status.success())
}

/// Why there is no such environment.
#[derive(Debug)]
pub struct Error(String);

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Error {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pinned_programs_exist() {
        let all = [
            Environment::GRPCIO,
            Environment::GOOGLE_API_CORE,
            Environment::GOOGLE_GAX,
            Environment::GOOGLE_CLOUD_REDIS,
            Environment::SCHEMATHESIS,
            Environment::EVENT_SOURCE,
            Environment::CONSOLE,
            Environment::GOOGLE_PROTO_FILES,
        ];
        for it in all {
            let root = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."));
            assert!(root.join(it.pinned).is_file(), "{it:?}");
        }
    }
}
