use std::fmt;
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use crate::there_or_skip;
use tempfile::TempDir;

use super::folder::{give, write};
use super::programs::find_or_install;
use super::server::free_port;
use super::{Cluster, Error};

/// How long it may take to listen.
const START_TIMEOUT: Duration = Duration::from_secs(20);

/// Runs it until the process at the other end of its input ends, however that ends.
const WATCHDOG: &str = r#"
"$1" "$2/pgbouncer.ini" >"$2/log" 2>&1 </dev/null &
read -r _
kill $!
wait $!
rm -rf "$2""#;

/// PgBouncer before a [`Cluster`], lending connections out by the transaction. It ends, and its
/// folder goes, when this is dropped, and also when the process is killed.
pub struct Pooler {
    url: String,
    watchdog: Child,
    folder: Option<TempDir>,
}

impl Pooler {
    /// Starts one.
    ///
    /// # Errors
    ///
    /// When there is no PgBouncer and none can be installed, or it does not start.
    pub fn start(cluster: &Cluster) -> Result<Self, Error> {
        Self::start_before(cluster, cluster.port())
    }

    /// Starts one that reaches the server through another port of this machine, as of a proxy.
    ///
    /// # Errors
    ///
    /// When there is no PgBouncer and none can be installed, or it does not start.
    pub fn start_before(cluster: &Cluster, server_port: u16) -> Result<Self, Error> {
        let program = find_or_install(installed, "pgbouncer", "put `pgbouncer` into PATH")?;
        let server = cluster.server();
        let user = server.programs.user;
        let folder = tempfile::Builder::new()
            .prefix("postgres-pooler-")
            .tempdir()
            .map_err(Error::of("a temporary folder"))?;
        let path = folder.path();
        give(path, user)?;
        let port = free_port()?;
        let users = path.join("users");
        let secret = format!("\"postgres\" \"{}\"\n", server.password);
        write(&users, &secret, user)?;
        let settings = format!(
            "[databases]\n* = host=127.0.0.1 port={}\n[pgbouncer]\nlisten_addr = 127.0.0.1\n\
             listen_port = {port}\nunix_socket_dir =\nauth_type = md5\nauth_file = {}\n\
             pool_mode = transaction\ndefault_pool_size = 5\nmax_client_conn = 500\n\
             server_login_retry = 1\n",
            server_port,
            users.display()
        );
        write(&path.join("pgbouncer.ini"), &settings, user)?;
        let arguments: [&Path; 2] = [&program, path];
        let watchdog = server
            .script(WATCHDOG, &arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .map_err(Error::of("the watchdog"))?;
        let url = cluster.url().replace(
            &format!("127.0.0.1:{}", server.port),
            &format!("127.0.0.1:{port}"),
        );
        let pooler = Self {
            url,
            watchdog,
            folder: Some(folder),
        };
        pooler.wait_until_it_listens(port)?;
        Ok(pooler)
    }

    /// The same, or `None`, which is said, where there is none: a test returns then.
    ///
    /// # Panics
    ///
    /// When there is none [in CI](crate::in_ci): nothing is skipped silently there.
    pub fn start_or_skip(cluster: &Cluster) -> Option<Self> {
        let pooler = Self::start(cluster);
        there_or_skip(pooler.map_err(|error| format!("no PgBouncer: {error}")))
    }

    /// The same through another port of this machine.
    ///
    /// # Panics
    ///
    /// When there is none [in CI](crate::in_ci): nothing is skipped silently there.
    pub fn start_before_or_skip(cluster: &Cluster, server_port: u16) -> Option<Self> {
        let pooler = Self::start_before(cluster, server_port);
        there_or_skip(pooler.map_err(|error| format!("no PgBouncer: {error}")))
    }

    /// `postgresql://` with user, password and its port.
    pub fn url(&self) -> &str {
        &self.url
    }

    #[expect(clippy::disallowed_methods, reason = "no signal tells that it listens")]
    fn wait_until_it_listens(&self, port: u16) -> Result<(), Error> {
        let begun = Instant::now();
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            if begun.elapsed() > START_TIMEOUT {
                let log = self.folder.as_ref().map(|folder| folder.path().join("log"));
                let log = log.and_then(|log| std::fs::read_to_string(log).ok());
                let log = log.unwrap_or_default();
                return Err(Error::new(format!(
                    "PgBouncer did not start: {}",
                    log.trim()
                )));
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        Ok(())
    }
}

impl Drop for Pooler {
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

impl fmt::Debug for Pooler {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pooler").finish_non_exhaustive()
    }
}

fn installed() -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut folders: Vec<PathBuf> = std::env::split_paths(&path).collect();
    folders.push("/usr/sbin".into());
    let programs = folders.into_iter().map(|folder| folder.join("pgbouncer"));
    programs.into_iter().find(|program| program.is_file())
}
