//! PostgreSQL servers of their own, for tests and benches.
//!
//! ```no_run
//! let cluster = test_programs::postgres::Cluster::start()?;
//! println!("{}", cluster.url());
//! cluster.kill()?;
//! cluster.restart()?;
//! # Ok::<(), test_programs::postgres::Error>(())
//! ```
//!
//! * [`shared`] — the one server that all test processes of a run share; it ends a few seconds
//!   after the last of them;
//! * [`Cluster`] — a private server, to be killed, restarted, followed by a standby and looked into;
//! * [`Pooler`] — PgBouncer before such a server.
//!
//! All have a folder of their own in the temporary folder, listen on a free port of the loopback
//! address with a random password, sync to the disk, run as an ordinary user, and are removed however
//! the process that started them ends: a shell that waits for a pipe or a lock sees to it. Servers
//! and databases that are there already are never touched, unless `DATABASE_URL` names one for
//! [`shared`] to use.
//!
//! # Where the programs come from
//!
//! `initdb` and its like are looked for in `PATH` and in the folders of Debian's packages. If they are
//! not there, and the process is root's on a Debian, the package is installed, which is said.
//! Otherwise [`shared_or_skip`] says on standard error that a test is skipped, which runners hide when
//! it passes (`cargo xtask test` asks beforehand, and says it aloud), and fails in CI. It is the same
//! with `pgbouncer` and [`Pooler::start_or_skip`].
//!
//! # What it does not do
//!
//! It knows no SQL and no driver: its users bring one. Single statements go through `psql`.

mod error;
mod folder;
mod pooler;
mod private;
mod programs;
mod server;
mod sharing;

pub use error::Error;
pub use pooler::Pooler;
pub use private::Cluster;
pub use sharing::{Shared, shared, shared_or_skip};
