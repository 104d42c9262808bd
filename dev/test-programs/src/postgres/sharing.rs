//! One server for all processes of a test run.

use std::fs::File;
use std::io::ErrorKind;
use std::os::unix::fs::MetadataExt as _;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use crate::there_or_skip;

use super::folder::{give, make, write};
use super::programs::{Programs, User, run};
use super::server::{SOCKETS, Server, last_words};
use super::{Cluster, Error};

/// Waits for the last user, and a while for another one, then removes everything while no process may
/// come in. A process that waits at the door meanwhile sees that the lock is no longer in its place.
///
/// The folder is moved away first, in one step: a process that comes while files are removed one by one
/// would make its own beside them, and lose those.
const KEEPER: &str = r#"
while :; do
  flock --exclusive "$2/users" true || exit
  sleep 5
  flock --exclusive --nonblock "$2/users" sh -c "$3" sh "$1" "$2" && exit
done"#;

/// Ends the server, and removes its folder.
const REMOVE: &str = r#""$1" stop -D "$2/data" -m immediate; mv "$2" "$2-$$" && rm -rf "$2-$$""#;

/// A server that other processes also use: make a schema or a database of your own in it.
#[derive(Debug)]
pub struct Shared {
    url: String,
    /// Held while this process lives: the server stays as long as any user lives.
    _users: Option<File>,
}

impl Shared {
    /// `postgresql://` with user, password and port.
    pub fn url(&self) -> &str {
        &self.url
    }
}

/// The server of this run: that of `DATABASE_URL` if that is set, otherwise one that the first
/// process starts, about a second, and that ends a few seconds after the last one has.
///
/// # Errors
///
/// When there is no PostgreSQL and none can be installed, or it does not start.
pub fn shared() -> Result<&'static Shared, Error> {
    static SHARED: OnceLock<Result<Shared, String>> = OnceLock::new();
    let shared = SHARED.get_or_init(|| join().map_err(|error| error.to_string()));
    shared.as_ref().map_err(Error::new)
}

/// The same, or `None`, which is said, where there is no PostgreSQL: a test returns then.
///
/// # Panics
///
/// When there is none [in CI](crate::in_ci): nothing is skipped silently there.
pub fn shared_or_skip() -> Option<&'static Shared> {
    there_or_skip(shared().map_err(|error| format!("no PostgreSQL: {error}")))
}

/// Ends with the process, when its watchdog notices.
static OWN: OnceLock<Result<Cluster, String>> = OnceLock::new();

fn join() -> Result<Shared, Error> {
    if let Ok(url) = std::env::var("DATABASE_URL") {
        return Ok(Shared { url, _users: None });
    }
    if run(Command::new("flock").arg("--version")).is_err() {
        // The end of the last process could not be detected: each has its own.
        return Ok(Shared {
            url: OWN
                .get_or_init(|| Cluster::start().map_err(|it| it.to_string()))
                .as_ref()
                .map_err(Error::new)?
                .url(),
            _users: None,
        });
    }
    let own = nix::unistd::geteuid();
    let folder = std::env::temp_dir().join(format!("postgres-cluster-shared-{own}"));
    loop {
        if let Some(shared) = enter(&folder)? {
            return Ok(shared);
        }
    }
}

/// `None`: the folder was removed while this process waited.
fn enter(folder: &Path) -> Result<Option<Shared>, Error> {
    // First: their package may bring the user that must own all this.
    let programs = Programs::find()?;
    let user = programs.user;
    make(folder, user)?;
    // Its maker may not have come so far as to give it away.
    match check_owner(folder, user).and_then(|()| give(folder, user)) {
        Err(error) if error.is_not_found() => return Ok(None),
        owned => owned?,
    }
    // One starts, the others wait for it.
    let starting = open(&folder.join("starting"))?;
    let Some(starting) = starting else {
        return Ok(None);
    };
    starting
        .lock()
        .map_err(Error::of("the lock of those who start"))?;
    let Some(users) = open(&folder.join("users"))? else {
        return Ok(None);
    };
    match give(&folder.join("users"), user) {
        Err(error) if error.is_not_found() => return Ok(None),
        given => given?,
    }
    users
        .lock_shared()
        .map_err(Error::of("the lock of users"))?;
    if !is_in_place(&starting, &folder.join("starting"))
        || !is_in_place(&users, &folder.join("users"))
    {
        return Ok(None);
    }
    let address = folder.join("url");
    let url = match std::fs::read_to_string(&address) {
        Ok(url) if is_alive(folder) => url,
        before => {
            if before.is_ok() {
                say_what_ended(folder);
            }
            clear(folder)?;
            let server = Server::create(folder, programs)?;
            let url = server.url();
            keep(&server, folder)?;
            write(&address, &url, user)?;
            url
        }
    };
    Ok(Some(Shared {
        url,
        _users: Some(users),
    }))
}

/// Whether the server listens. The folder is its alone: no other server listens on a socket in it, which
/// cannot be said of a port. A machine that was switched off leaves the address and no server.
fn is_alive(folder: &Path) -> bool {
    let sockets = std::fs::read_dir(folder.join(SOCKETS))
        .into_iter()
        .flatten();
    sockets
        .flatten()
        .any(|entry| UnixStream::connect(entry.path()).is_ok())
}

/// A server that was killed ended with its user; one that failed tells why.
fn say_what_ended(folder: &Path) {
    eprintln!(
        "postgres-cluster: the shared server has ended, and is made anew. It said last: {}",
        last_words(folder)
    );
}

/// Removes what a server that has ended, or a start that failed, has left.
fn clear(folder: &Path) -> Result<(), Error> {
    // The address first: without it, this is done again by the next one.
    let _ = std::fs::remove_file(folder.join("url"));
    for name in ["data", SOCKETS] {
        let path = folder.join(name);
        match std::fs::remove_dir_all(&path) {
            Err(error) if error.kind() != ErrorKind::NotFound => {
                return Err(Error::of(path.display())(error));
            }
            _ => {}
        }
    }
    Ok(())
}

/// Starts who removes the server in the end.
fn keep(server: &Server, folder: &Path) -> Result<(), Error> {
    let pg_ctl: PathBuf = server.programs.path("pg_ctl");
    server
        .script(KEEPER, &[&pg_ctl, folder, Path::new(REMOVE)])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .map_err(Error::of("the keeper"))?;
    Ok(())
}

/// `None`: the folder was removed.
fn open(path: &Path) -> Result<Option<File>, Error> {
    let file = File::options().create(true).append(true).open(path);
    match file {
        Ok(file) => Ok(Some(file)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(Error::of(path.display())(error)),
    }
}

fn is_in_place(file: &File, path: &Path) -> bool {
    let (Ok(held), Ok(there)) = (file.metadata(), std::fs::metadata(path)) else {
        return false;
    };
    (held.dev(), held.ino()) == (there.dev(), there.ino())
}

/// The temporary folder is everybody's: another user's folder of this name must not be trusted.
fn check_owner(folder: &Path, user: Option<User>) -> Result<(), Error> {
    let owner = std::fs::symlink_metadata(folder);
    let owner = owner.map_err(Error::of(folder.display()))?;
    let own = nix::unistd::geteuid().as_raw();
    let is_trusted = owner.uid() == own || user.is_some_and(|user| owner.uid() == user.uid);
    if !owner.is_dir() || !is_trusted {
        let folder = folder.display();
        let message = format!("{folder} belongs to another user: see whose it is, and remove it");
        return Err(Error::new(message));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use nix::sys::signal::{Signal, kill};
    use nix::unistd::Pid;

    use super::*;

    /// As after the machine was switched off and on: the folder is there, and no process is.
    #[test]
    fn the_files_of_a_dead_server_are_created_anew() {
        // Where there is no keeper, no process would end these.
        if shared_or_skip().is_none_or(|shared| shared._users.is_none()) {
            return;
        }
        let own = format!("postgres-cluster-test-{}", std::process::id());
        // Its keeper removes it.
        let folder = std::env::temp_dir().join(own);
        let come = || loop {
            if let Some(shared) = enter(&folder).unwrap() {
                return shared;
            }
        };
        let first = come();
        assert!(is_alive(&folder));
        assert_eq!(come().url(), first.url());

        let pid = std::fs::read_to_string(folder.join("data/postmaster.pid")).unwrap();
        let pid = Pid::from_raw(pid.lines().next().unwrap().parse().unwrap());
        kill(pid, Signal::SIGKILL).unwrap();
        while is_alive(&folder) {
            std::thread::yield_now();
        }

        let second = come();
        assert_ne!(second.url(), first.url());
        assert!(is_alive(&folder));
        assert_eq!(come().url(), second.url());
    }

    #[test]
    fn a_folder_that_is_being_removed_takes_no_files_of_a_process_that_comes() {
        let own = format!("postgres-cluster-removed-{}", std::process::id());
        let folder = std::env::temp_dir().join(own);
        let files: Vec<_> = (0..4096).map(|n| folder.join(n.to_string())).collect();
        make(&folder, None).unwrap();
        for file in &files {
            write(file, "old", None).unwrap();
        }
        let mut removing = Command::new("sh")
            .args(["-c", REMOVE, "sh", "true"])
            .arg(&folder)
            .spawn()
            .unwrap();
        while files.iter().all(|file| file.exists()) {
            std::thread::yield_now();
        }

        make(&folder, None).unwrap();
        for file in &files {
            write(file, "new", None).unwrap();
        }

        assert!(removing.wait().unwrap().success());
        assert!(files.iter().all(|file| file.exists()));
        std::fs::remove_dir_all(&folder).unwrap();
    }
}
