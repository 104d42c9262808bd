use std::{fmt, io};

/// The reason why a worker cannot start: a mistake in the program, or a thread that the system
/// refuses.
///
/// ```
/// use lro_core::store::MemoryStore;
/// use lro_server::{Operations, Worker};
///
/// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
/// let operations = Operations::new(MemoryStore::new());
/// let error = Worker::builder(&operations).start().await.unwrap_err();
/// assert!(error.to_string().contains("hosts no method"));
/// # });
/// ```
pub struct WorkerBuildError {
    kind: Kind,
}

enum Kind {
    NothingHosted,
    HostedTwice(&'static str),
    NotHosted(String),
    NoSteps {
        path: &'static str,
        option: &'static str,
        store: String,
    },
    InvalidRemote(String),
    NoThread(io::Error),
}

impl WorkerBuildError {
    pub(crate) fn nothing_hosted() -> Self {
        Self {
            kind: Kind::NothingHosted,
        }
    }

    pub(crate) fn hosted_twice(path: &'static str) -> Self {
        Self {
            kind: Kind::HostedTwice(path),
        }
    }

    pub(crate) fn no_thread(error: io::Error) -> Self {
        Self {
            kind: Kind::NoThread(error),
        }
    }

    pub(crate) fn no_steps(path: &'static str, option: &'static str, store: String) -> Self {
        Self {
            kind: Kind::NoSteps {
                path,
                option,
                store,
            },
        }
    }

    pub(crate) fn invalid_remote(name: &str) -> Self {
        Self {
            kind: Kind::InvalidRemote(name.to_owned()),
        }
    }

    pub(crate) fn not_hosted(path: &str) -> Self {
        Self {
            kind: Kind::NotHosted(path.to_owned()),
        }
    }
}

impl fmt::Display for WorkerBuildError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.kind {
            Kind::NothingHosted => f.write_str(
                "the worker hosts no method: give its builder a service with `.host(..)`",
            ),
            Kind::HostedTwice(path) => write!(f, "the worker hosts `{path}` twice"),
            Kind::InvalidRemote(name) => write!(
                f,
                "{name:?} is not a valid name of a remote: give 1 to 63 lowercase letters, digits and `-`"
            ),
            Kind::NoThread(error) => {
                write!(f, "cannot create the thread that renews leases: {error}")
            }
            Kind::NoSteps {
                path,
                option,
                store,
            } => write!(
                f,
                "`{path}` declares `{option}`, which needs a store that keeps steps; {store} keeps none"
            ),
            Kind::NotHosted(path) => {
                write!(
                    f,
                    "the worker should run `{path}` only, and hosts no such method"
                )
            }
        }
    }
}

// Readable, because it is what `main` prints when it returns one.
impl fmt::Debug for WorkerBuildError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

// The cause of a thread that cannot be created stands in the text.
impl std::error::Error for WorkerBuildError {}
