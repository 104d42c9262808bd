use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Parser, Subcommand};

use crate::serve::ServerOptions;

/// Packs directory trees into .tar.zst archives, as long-running operations.
#[derive(Debug, Parser)]
#[command(name = "archiver", version)]
pub(super) struct Args {
    #[command(subcommand)]
    pub(super) command: Command,
}

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Run a server until SIGTERM or Ctrl-C; what is under way then resumes after the next start
    Serve(ServeArgs),
    /// Start a server in this process, pack a directory with it, and print the result; the archive
    /// stays in a temporary folder
    Demo(DemoArgs),
    /// Pack a directory of the server's machine
    Create(CreateArgs),
    /// Wait for an operation, and print its result
    Wait {
        /// The operation's name, operations/..
        operation: String,
        #[command(flatten)]
        server: ServerArgs,
    },
    /// Describe an archive or an operation
    Get {
        /// The name: archives/.., an archive's id, or operations/..
        name: String,
        #[command(flatten)]
        server: ServerArgs,
    },
    /// List the archives
    List {
        /// List the operations instead, newest first
        #[arg(long)]
        operations: bool,
        #[command(flatten)]
        server: ServerArgs,
    },
    /// Ask for an operation to be cancelled
    Cancel {
        /// The operation's name, operations/..
        operation: String,
        #[command(flatten)]
        server: ServerArgs,
    },
    /// Delete an archive
    Delete {
        /// The archive's name or id
        archive: String,
        #[command(flatten)]
        server: ServerArgs,
    },
    /// Read an archive through, and compare it with what was recorded when it was made
    Verify {
        /// The archive's name or id
        archive: String,
        #[command(flatten)]
        server: ServerArgs,
    },
}

#[derive(Debug, clap::Args)]
pub(super) struct ServeArgs {
    /// The address to listen on; port 0 takes a free one
    #[arg(long, value_name = "ADDR", default_value_t = ServerOptions::LISTEN)]
    pub(super) listen: SocketAddr,
    /// The folder for the database and the archives
    #[arg(long, value_name = "DIR")]
    pub(super) data: PathBuf,
    /// How long operations may run on when the server is to end
    #[arg(long, value_name = "SECONDS", value_parser = seconds, default_value = "10")]
    pub(super) drain_timeout: Duration,
    /// Serve a web console on this address, a loopback one
    #[arg(long, value_name = "ADDR")]
    pub(super) console: Option<SocketAddr>,
    #[command(flatten)]
    pub(super) tls: ServeTlsArgs,
    #[command(flatten)]
    pub(super) pack: PackArgs,
}

/// The server's certificate, and its callers'.
#[derive(Debug, clap::Args)]
pub(super) struct ServeTlsArgs {
    /// Serve with TLS: the server's certificate, and the chain above it (PEM)
    #[arg(long, value_name = "FILE", requires = "tls_key")]
    pub(super) tls_cert: Option<PathBuf>,
    /// The private key that goes with it (PEM)
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    pub(super) tls_key: Option<PathBuf>,
    /// Let those in only who have a certificate of one of these authorities (PEM)
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    pub(super) client_ca: Option<PathBuf>,
}

#[derive(Debug, clap::Args)]
pub(super) struct DemoArgs {
    /// The directory to pack
    pub(super) source_dir: PathBuf,
}

/// How archives are packed. For tests.
#[derive(Debug, clap::Args)]
pub(super) struct PackArgs {
    /// How many bytes a part of an archive holds
    #[arg(long, value_name = "BYTES", hide = true)]
    pub(super) frame_bytes: Option<u64>,
}

#[derive(Debug, clap::Args)]
pub(super) struct CreateArgs {
    /// The directory to pack
    pub(super) source_dir: PathBuf,
    /// The archive's id; without it, one is made from the directory's name
    #[arg(long)]
    pub(super) name: Option<String>,
    /// Print the operation's name, and do not wait for the archive
    #[arg(long)]
    pub(super) no_wait: bool,
    #[command(flatten)]
    pub(super) server: ServerArgs,
}

#[derive(Debug, clap::Args)]
pub(super) struct ServerArgs {
    /// The server to call
    #[arg(
        long = "server",
        value_name = "URL",
        default_value = "http://127.0.0.1:50051"
    )]
    pub(super) url: String,
    #[command(flatten)]
    pub(super) tls: CallTlsArgs,
}

/// How a server with an https URL is called.
#[derive(Debug, Default, clap::Args)]
pub(super) struct CallTlsArgs {
    /// The authority that has signed the server's certificate (PEM)
    #[arg(long, value_name = "FILE")]
    pub(super) server_ca: Option<PathBuf>,
    /// The caller's certificate, where the server asks for one (PEM)
    #[arg(long, value_name = "FILE", requires = "client_key")]
    pub(super) client_cert: Option<PathBuf>,
    /// The private key that goes with it (PEM)
    #[arg(long, value_name = "FILE", requires = "client_cert")]
    pub(super) client_key: Option<PathBuf>,
}

fn seconds(text: &str) -> Result<Duration, String> {
    let seconds: f64 = text
        .parse()
        .map_err(|_| "give a number of seconds".to_owned())?;
    Duration::try_from_secs_f64(seconds).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_arguments_are_well_formed() {
        Args::command().debug_assert();
    }

    #[test]
    fn seconds_may_be_broken() {
        assert_eq!(seconds("0.5"), Ok(Duration::from_millis(500)));
        assert!(seconds("-1").is_err() && seconds("soon").is_err());
    }
}
