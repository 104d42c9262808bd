//! The programs that tests and benches start: PostgreSQL servers, and Python and Node with their packages.
//!
//! ```no_run
//! use test_programs::Environment;
//!
//! let folder = Environment::GRPCIO.make("target/tmp".as_ref())?;
//! println!("{}", folder.join("bin/python").display());
//! # Ok::<(), test_programs::Error>(())
//! ```
//!
//! * [`Environment`] — an interpreter with packages, in a folder of its own below the target folder. It is
//!   installed on first use, and again when its list of packages changes. That needs the interpreter and a
//!   package index; it installs no interpreter.
//! * [`postgres`] — PostgreSQL servers, and PgBouncer before them.
//!
//! A missing program skips its test, or fails it in CI: [`there_or_skip`].

mod environment;
pub mod postgres;
mod skip;

pub use environment::{Environment, Error};
pub use skip::{in_ci, there_or_skip};
