//! One data folder, and the server on it.

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::Error;
use super::folder::{make, password, write};
use super::programs::{Programs, run, run_as};

/// How often a port is tried that turns out to be taken meanwhile.
const PORTS_TRIED: usize = 5;

/// The folder of its socket.
pub(crate) const SOCKETS: &str = "socket";

/// Where the settings of this crate begin, behind those that `initdb` has made.
const INCLUDE: &str = "\n# by postgres-cluster\n";

/// The known facts of a server.
#[derive(Clone, Debug)]
pub(crate) struct Server {
    pub(crate) programs: Programs,
    /// Holds `data`, `log` and the socket.
    pub(crate) folder: PathBuf,
    pub(crate) port: u16,
    pub(crate) password: String,
}

impl Server {
    /// Makes a data folder in `folder`, which is there and empty, and starts a server on it.
    pub(crate) fn create(folder: &Path, programs: Programs) -> Result<Self, Error> {
        let user = programs.user;
        let mut server = Self {
            programs,
            folder: folder.to_owned(),
            port: 0,
            password: password()?,
        };
        let secret = folder.join("password");
        write(&secret, &server.password, user)?;
        make(&folder.join(SOCKETS), user)?;
        let mut initdb = server.command("initdb");
        initdb
            .args([
                "--username=postgres",
                "--auth=md5",
                "--encoding=UTF8",
                "--locale=C",
            ])
            .args(["--no-sync", "--no-instructions", "-D"])
            .arg(server.data())
            .arg("--pwfile")
            .arg(&secret);
        run(&mut initdb)?;
        let main = server.data().join("postgresql.conf");
        let text = std::fs::read_to_string(&main).map_err(Error::of(main.display()))?;
        server.configure(&text)?;
        server.start_on_a_free_port()?;
        Ok(server)
    }

    /// Copies a server that runs, and starts the copy as a standby that follows it.
    pub(crate) fn create_standby(folder: &Path, primary: &Self) -> Result<Self, Error> {
        let mut server = Self {
            folder: folder.to_owned(),
            port: 0,
            ..primary.clone()
        };
        make(&folder.join(SOCKETS), server.programs.user)?;
        let mut backup = server.command("pg_basebackup");
        backup
            .args(["--wal-method=stream", "--checkpoint=fast", "--no-sync"])
            .args(["--dbname", &primary.url(), "-D"])
            .arg(server.data());
        run(&mut backup)?;
        let main = server.data().join("postgresql.conf");
        let text = std::fs::read_to_string(&main).map_err(Error::of(main.display()))?;
        let own = text.split(INCLUDE).next().unwrap_or_default();
        server.configure(own)?;
        server.follow(primary)?;
        server.start_on_a_free_port()?;
        Ok(server)
    }

    /// Makes the next start that of a standby of another server.
    fn follow(&self, primary: &Self) -> Result<(), Error> {
        let user = self.programs.user;
        write(&self.data().join("standby.signal"), "", user)?;
        let settings = format!("primary_conninfo = '{}'\n", primary.url());
        write(&self.folder.join("primary.conf"), &settings, user)
    }

    /// Makes a standby a server of its own, which takes writes.
    pub(crate) fn promote(&self) -> Result<(), Error> {
        run(self.pg_ctl("promote").args(["-w", "-t", "60"])).map(drop)
    }

    /// Writes the settings behind those that `initdb` has made.
    fn configure(&self, defaults: &str) -> Result<(), Error> {
        let user = self.programs.user;
        let settings = "password_encryption = md5\nlisten_addresses = '127.0.0.1'\n\
             max_connections = 300\nautovacuum_naptime = 5s\nlogging_collector = off\n";
        let own = self.folder.join("own.conf");
        write(&own, settings, user)?;
        let primary = self.folder.join("primary.conf");
        write(&primary, "", user)?;
        let (own, primary) = (own.display(), primary.display());
        let text = format!("{defaults}{INCLUDE}include '{own}'\ninclude '{primary}'\n");
        write(&self.data().join("postgresql.conf"), &text, user)
    }

    /// The port is free when it is chosen, and may be taken a moment later.
    fn start_on_a_free_port(&mut self) -> Result<(), Error> {
        let mut tried = 0;
        loop {
            tried += 1;
            self.port = free_port()?;
            match self.start() {
                Err(error) if tried == PORTS_TRIED => return Err(error),
                Err(_) => {}
                Ok(()) => return Ok(()),
            }
        }
    }

    pub(crate) fn start(&self) -> Result<(), Error> {
        let options = format!(
            "-p {} -k '{}'",
            self.port,
            self.folder.join(SOCKETS).display()
        );
        let mut start = self.pg_ctl("start");
        start
            .arg("-o")
            .arg(options)
            .arg("-l")
            .arg(self.folder.join("log"));
        // The server inherits what the command has; a pipe would never end.
        let status = start
            .args(["-w", "-t", "60"])
            .stdout(std::process::Stdio::null())
            .stderr(std::process::Stdio::null())
            .status()
            .map_err(Error::of("pg_ctl"))?;
        match status.success() {
            true => Ok(()),
            false => {
                let said = last_words(&self.folder);
                Err(Error::new(format!("PostgreSQL did not start: {said}")))
            }
        }
    }

    pub(crate) fn stop(&self, mode: &str) -> Result<(), Error> {
        run(self.pg_ctl("stop").args(["-w", "-m", mode])).map(drop)
    }

    pub(crate) fn url(&self) -> String {
        format!(
            "postgresql://postgres:{}@127.0.0.1:{}/postgres?sslmode=disable",
            self.password, self.port
        )
    }

    pub(crate) fn data(&self) -> PathBuf {
        self.folder.join("data")
    }

    /// The first line of `postmaster.pid`.
    pub(crate) fn pid(&self) -> Result<i32, Error> {
        let path = self.data().join("postmaster.pid");
        let text = std::fs::read_to_string(&path).map_err(Error::of(path.display()))?;
        let pid = text
            .lines()
            .next()
            .and_then(|line| line.trim().parse().ok());
        pid.ok_or_else(|| Error::new(format!("{} holds no process id", path.display())))
    }

    /// One statement through `psql`; its rows, as `psql -At` prints them.
    pub(crate) fn sql(&self, statement: &str) -> Result<String, Error> {
        let mut psql = self.psql();
        psql.args(["-c", statement]);
        run(&mut psql).map(|rows| rows.trim_end().to_owned())
    }

    /// `psql`, still without something to do.
    pub(crate) fn psql(&self) -> Command {
        let mut psql = self.command("psql");
        psql.args(["-XAtq", "-v", "ON_ERROR_STOP=1", "-d"])
            .arg(self.url());
        psql
    }

    fn pg_ctl(&self, verb: &str) -> Command {
        let mut command = self.command("pg_ctl");
        command.arg(verb).arg("-D").arg(self.data());
        command
    }

    fn command(&self, program: &str) -> Command {
        self.programs.command(program, &self.folder)
    }

    /// A shell script of its own group, so that a signal to the terminal's does not end it.
    pub(crate) fn script(&self, script: &str, arguments: &[&Path]) -> Command {
        use std::os::unix::process::CommandExt as _;
        let mut shell = Command::new("/bin/sh");
        shell.args(["-c", script, "sh"]).args(arguments);
        run_as(&mut shell, self.programs.user, Path::new("/"));
        shell.process_group(0);
        shell
    }
}

/// The end of the log in a server's folder. Statements, which it also holds, may be long.
pub(crate) fn last_words(folder: &Path) -> String {
    let log = std::fs::read_to_string(folder.join("log")).unwrap_or_default();
    let beginning = |line: &str| line.chars().take(200).collect::<String>();
    let lines: Vec<_> = log.lines().rev().take(5).map(beginning).collect();
    let lines: Vec<_> = lines.into_iter().rev().collect();
    lines.join(" | ")
}

pub(crate) fn free_port() -> Result<u16, Error> {
    let listener = TcpListener::bind(("127.0.0.1", 0));
    let address = listener.and_then(|listener| listener.local_addr());
    Ok(address.map_err(Error::of("a free port"))?.port())
}
