//! Where `initdb`, `pg_ctl` and `psql` are, and who runs them.

use std::fs::File;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::Error;

/// The programs of one installation, and who runs them: its package may bring a user for that.
#[derive(Clone, Debug)]
pub(crate) struct Programs {
    folder: PathBuf,
    /// `None`: this process's own.
    pub(crate) user: Option<User>,
}

/// The user that runs the server: PostgreSQL refuses to be root's.
#[derive(Clone, Copy, Debug)]
pub(crate) struct User {
    pub(crate) uid: u32,
    pub(crate) gid: u32,
}

impl Programs {
    /// Finds them; installs them if that is the way of this system.
    pub(crate) fn find() -> Result<Self, Error> {
        let otherwise = "put `initdb` and `pg_ctl` into PATH, or set DATABASE_URL";
        let folder = find_or_install(Self::installed, "postgresql", otherwise)?;
        let user = user()?;
        Ok(Self { folder, user })
    }

    fn installed() -> Option<PathBuf> {
        let path = std::env::var_os("PATH").unwrap_or_default();
        let mut folders: Vec<PathBuf> = std::env::split_paths(&path).collect();
        let mut versions: Vec<PathBuf> = std::fs::read_dir("/usr/lib/postgresql")
            .into_iter()
            .flatten()
            .flatten()
            .map(|entry| entry.path().join("bin"))
            .collect();
        versions.sort();
        folders.extend(versions.into_iter().rev());
        let programs = ["initdb", "pg_ctl", "postgres", "psql"];
        let has_all = |folder: &PathBuf| programs.iter().all(|it| folder.join(it).is_file());
        folders.into_iter().find(has_all)
    }

    pub(crate) fn path(&self, program: &str) -> PathBuf {
        self.folder.join(program)
    }

    /// A command as an ordinary user, in a folder that this user may see.
    pub(crate) fn command(&self, program: &str, folder: &Path) -> Command {
        let mut command = Command::new(self.path(program));
        run_as(&mut command, self.user, folder);
        command
    }
}

/// Runs a command as that user, without a terminal, and without the environment's own server.
pub(crate) fn run_as(command: &mut Command, user: Option<User>, folder: &Path) {
    command
        .current_dir(folder)
        .stdin(Stdio::null())
        .env("LC_ALL", "C");
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("PG") {
            command.env_remove(name);
        }
    }
    if let Some(user) = user {
        command.uid(user.uid).gid(user.gid);
    }
}

/// Runs a command to its end.
pub(crate) fn run(command: &mut Command) -> Result<String, Error> {
    let name = format!("{command:?}");
    let output = command.output().map_err(Error::of(&name))?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        let said = said.trim();
        return Err(Error::new(format!("{name}: {}: {said}", output.status)));
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// The user that must own the server; `None`: this process's own user's.
fn user() -> Result<Option<User>, Error> {
    if !nix::unistd::geteuid().is_root() {
        return Ok(None);
    }
    for name in ["postgres", "nobody"] {
        let entry = std::fs::read_to_string("/etc/passwd").unwrap_or_default();
        let entry = entry.lines().find_map(|line| {
            let mut fields = line
                .strip_prefix(name)?
                .strip_prefix(':')?
                .split(':')
                .skip(1);
            let uid = fields.next()?.parse().ok()?;
            let gid = fields.next()?.parse().ok()?;
            Some(User { uid, gid })
        });
        if entry.is_some() {
            return Ok(entry);
        }
    }
    Err(Error::new(
        "there is no user `postgres` or `nobody` to run PostgreSQL as",
    ))
}

/// The result of `find`, after the package was installed if that is needed. Only root on a Debian system
/// can install it; for other users the error says what to do.
pub(crate) fn find_or_install(
    find: impl Fn() -> Option<PathBuf>,
    package: &str,
    otherwise: &str,
) -> Result<PathBuf, Error> {
    if let Some(found) = find() {
        return Ok(found);
    }
    let apt = Path::new("/usr/bin/apt-get");
    if !nix::unistd::geteuid().is_root() || !apt.is_file() {
        return Err(Error::new(format!(
            "{package} is not installed: {otherwise}"
        )));
    }
    // Others may be about to do the same; who comes second finds it done.
    let one_at_a_time = File::open(apt).and_then(|apt| apt.lock().map(|()| apt));
    let _one_at_a_time = one_at_a_time.map_err(Error::of("the lock of those who install"))?;
    if let Some(found) = find() {
        return Ok(found);
    }
    eprintln!("postgres-cluster: {package} is not installed; running `apt-get install {package}`");
    for arguments in [&["update", "-q"][..], &["install", "-qy", package]] {
        let mut command = Command::new(apt);
        command
            .args(arguments)
            .env("DEBIAN_FRONTEND", "noninteractive");
        run(command.stdin(Stdio::null()))?;
    }
    find().ok_or_else(|| Error::new(format!("{package} was installed and is not found")))
}
