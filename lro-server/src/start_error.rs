use std::{fmt, io};

/// A worker, or an authorizer, that cannot start.
///
/// ```
/// use lro_server::{Operations, Worker};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// # let store = lro_server::lro_core::store::MemoryStore::new();
/// let operations = Operations::new(store);
/// let error = Worker::builder(&operations).start().await.unwrap_err();
/// assert!(error.to_string().starts_with("the worker hosts no method"));
/// # }
/// ```
///
/// A mistake in the program, found when it starts: [`Display`](fmt::Display) says which.
pub struct Error {
    kind: Kind,
}

enum Kind {
    NothingHosted,
    HostedTwice(&'static str),
    #[cfg(feature = "jwt")]
    Jwt(String),
    NotHosted(String),
    NoThread(io::Error),
}

impl Error {
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

    #[cfg(feature = "jwt")]
    pub(crate) fn jwt(message: String) -> Self {
        Self {
            kind: Kind::Jwt(message),
        }
    }

    pub(crate) fn no_thread(error: io::Error) -> Self {
        Self {
            kind: Kind::NoThread(error),
        }
    }

    pub(crate) fn not_hosted(path: &str) -> Self {
        Self {
            kind: Kind::NotHosted(path.to_owned()),
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.kind {
            Kind::NothingHosted => f.write_str(
                "the worker hosts no method: give its builder a service with `.host(..)`",
            ),
            Kind::HostedTwice(path) => write!(f, "the worker hosts `{path}` twice"),
            #[cfg(feature = "jwt")]
            Kind::Jwt(message) => write!(f, "the JWT authorizer cannot be built: {message}"),
            Kind::NoThread(error) => {
                write!(f, "cannot create the thread that renews leases: {error}")
            }
            Kind::NotHosted(path) => {
                write!(
                    f,
                    "the worker is to run `{path}` only, and hosts no such method"
                )
            }
        }
    }
}

// Readable, because it is what `main` prints when it returns one.
impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

// The cause of a thread that cannot be created stands in the text.
impl std::error::Error for Error {}
