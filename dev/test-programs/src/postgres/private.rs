use std::fmt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tempfile::TempDir;

use super::Error;
use super::folder::give;
use super::programs::Programs;
use super::server::Server;

/// How long a server that was killed may leave processes behind.
const RESTART_TIMEOUT: Duration = Duration::from_secs(60);

/// Waits for the end of the process at the other end of its input, however that ends.
const WATCHDOG: &str = r#"read -r _; "$1" stop -D "$2/data" -m immediate; rm -rf "$2""#;

/// A server of this process alone. It ends, and its folder goes, when this is dropped, and also when
/// the process is killed.
pub struct Cluster {
    server: Server,
    watchdog: Child,
    /// The way to the folder is the superuser's, so a user with the right removes it.
    folder: Option<TempDir>,
}

impl Cluster {
    /// Starts one: about a second.
    ///
    /// # Errors
    ///
    /// When there is no PostgreSQL and none can be installed, or it does not start.
    pub fn start() -> Result<Self, Error> {
        let programs = Programs::find()?;
        let folder = tempfile::Builder::new()
            .prefix("postgres-cluster-")
            .tempdir()
            .map_err(Error::of("a temporary folder"))?;
        give(folder.path(), programs.user)?;
        let server = Server::create(folder.path(), programs)?;
        Self::watch(server, folder)
    }

    /// Starts another server that follows this one by streaming replication: a hot standby, which
    /// answers queries and takes no writes.
    ///
    /// It follows asynchronously until `synchronous_standby_names` is [set](Self::set) here.
    ///
    /// # Errors
    ///
    /// When this server does not run, or the other one does not start.
    pub fn standby(&self) -> Result<Self, Error> {
        let folder = tempfile::Builder::new()
            .prefix("postgres-cluster-")
            .tempdir()
            .map_err(Error::of("a temporary folder"))?;
        give(folder.path(), self.server.programs.user)?;
        let server = Server::create_standby(folder.path(), &self.server)?;
        Self::watch(server, folder)
    }

    /// Promotes a standby: returns when it takes writes.
    ///
    /// # Errors
    ///
    /// When it is no standby, or does not run.
    pub fn promote(&self) -> Result<(), Error> {
        self.server.promote()
    }

    /// Changes a setting of the server while it runs (`ALTER SYSTEM` and a reload). Returns when new
    /// sessions have it.
    ///
    /// # Errors
    ///
    /// When it does not run, or the setting needs a restart.
    #[expect(
        clippy::disallowed_methods,
        reason = "no signal tells that the server has read its settings"
    )]
    pub fn set(&self, name: &str, value: &str) -> Result<(), Error> {
        self.sql(&format!("ALTER SYSTEM SET {name} = '{value}'"))?;
        let loaded = self.sql("SELECT pg_conf_load_time()")?;
        self.sql("SELECT pg_reload_conf()")?;
        let begun = Instant::now();
        while self.sql("SELECT pg_conf_load_time()")? == loaded {
            if begun.elapsed() > RESTART_TIMEOUT {
                return Err(Error::new(format!("the server does not take over {name}")));
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        Ok(())
    }

    /// Waits until a standby has replayed what this server has written so far.
    ///
    /// # Errors
    ///
    /// When either does not run, or it takes more than a minute.
    #[expect(
        clippy::disallowed_methods,
        reason = "no signal tells what a standby has replayed"
    )]
    pub fn wait_for_standby(&self, standby: &Self) -> Result<(), Error> {
        let written = self.sql("SELECT pg_current_wal_flush_lsn()")?;
        let replayed =
            format!("SELECT coalesce(pg_last_wal_replay_lsn() >= '{written}'::pg_lsn, false)");
        let begun = Instant::now();
        while standby.sql(&replayed)? != "t" {
            if begun.elapsed() > RESTART_TIMEOUT {
                return Err(Error::new("the standby does not catch up"));
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        Ok(())
    }

    /// Keeps a server, and removes it in the end.
    fn watch(server: Server, folder: TempDir) -> Result<Self, Error> {
        let pg_ctl = server.programs.path("pg_ctl");
        let arguments: [&Path; 2] = [&pg_ctl, folder.path()];
        let watchdog = server
            .script(WATCHDOG, &arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .map_err(Error::of("the watchdog"))?;
        Ok(Self {
            server,
            watchdog,
            folder: Some(folder),
        })
    }

    /// `postgresql://` with user, password and port. It stays the same over restarts.
    pub fn url(&self) -> String {
        self.server.url()
    }

    /// The port on the loopback address.
    pub fn port(&self) -> u16 {
        self.server.port
    }

    pub(crate) fn server(&self) -> &Server {
        &self.server
    }

    /// The data folder.
    pub fn data(&self) -> std::path::PathBuf {
        self.server.data()
    }

    /// The process id of the server.
    ///
    /// # Errors
    ///
    /// When it does not run.
    pub fn pid(&self) -> Result<i32, Error> {
        self.server.pid()
    }

    /// Stops it as a crash would: no client is notified, nothing is written, and the next start recovers
    /// (`pg_ctl stop -m immediate`).
    ///
    /// # Errors
    ///
    /// When it does not run.
    pub fn stop_immediate(&self) -> Result<(), Error> {
        self.server.stop("immediate")
    }

    /// Stops it in order: connections are cut, everything is written (`pg_ctl stop -m fast`).
    ///
    /// # Errors
    ///
    /// When it does not run.
    pub fn stop_fast(&self) -> Result<(), Error> {
        self.server.stop("fast")
    }

    /// Kills it with SIGKILL.
    ///
    /// # Errors
    ///
    /// When it does not run.
    pub fn kill(&self) -> Result<(), Error> {
        self.signal(Signal::SIGKILL)
    }

    /// Sends a signal to the server, not to its backends.
    ///
    /// # Errors
    ///
    /// When it does not run.
    pub fn signal(&self, signal: Signal) -> Result<(), Error> {
        let pid = self.server.pid()?;
        kill(Pid::from_raw(pid), signal)
            .map_err(|error| Error::new(format!("signal to process {pid}: {error}")))
    }

    /// Starts it again after it was stopped or killed, on the same port. One that runs is stopped
    /// first, in order.
    ///
    /// # Errors
    ///
    /// When it does not start.
    #[expect(
        clippy::disallowed_methods,
        reason = "no signal tells that the last backend has ended"
    )]
    pub fn restart(&self) -> Result<(), Error> {
        // Refused when it does not run, which is fine.
        let _ = self.server.stop("fast");
        let begun = Instant::now();
        loop {
            // Backends of one that was killed go when they notice; until then it refuses to start.
            match self.server.start() {
                Err(error) if begun.elapsed() > RESTART_TIMEOUT => return Err(error),
                Err(_) => std::thread::sleep(Duration::from_millis(20)),
                Ok(()) => return Ok(()),
            }
        }
    }

    /// Ends the connections of everybody but the one that asks (`pg_terminate_backend`). Answers how
    /// many there were.
    ///
    /// # Errors
    ///
    /// When it does not run.
    pub fn terminate_backends(&self) -> Result<usize, Error> {
        let count = self.sql(
            "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity \
             WHERE pid <> pg_backend_pid() AND backend_type = 'client backend'",
        )?;
        count
            .parse()
            .map_err(|_| Error::new(format!("psql answered `{count}`")))
    }

    /// One statement through `psql`; its rows, one a line, columns with `|` between them.
    ///
    /// # Errors
    ///
    /// The output of PostgreSQL.
    pub fn sql(&self, statement: &str) -> Result<String, Error> {
        self.server.sql(statement)
    }

    /// `psql`, connected, for a session that stays open: statements into its standard input, rows out of
    /// its output, as those of [`sql`](Self::sql).
    pub fn psql(&self) -> Command {
        self.server.psql()
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        // The end of its input tells the watchdog.
        drop(self.watchdog.stdin.take());
        if self.watchdog.wait().is_ok()
            && let Some(folder) = self.folder.take()
        {
            // It has removed the folder as far as its user may.
            let _ = folder.close();
        }
    }
}

impl fmt::Debug for Cluster {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cluster")
            .field("port", &self.port())
            .finish_non_exhaustive()
    }
}
