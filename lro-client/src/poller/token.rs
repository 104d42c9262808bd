use std::error::Error;
use std::fmt;
use std::str::FromStr;

use prost::{Message, Name};

use super::Poller;
use crate::OperationsClient;

/// The data that another process needs to resume a [`Poller`]: the operation's name, and the types of
/// its response and metadata.
///
/// It is a short text, without white space if the name has none, which you can store anywhere:
///
/// ```
/// use lro_client::{OperationsClient, Poller, ResumeToken};
/// use prost_types::{Duration, Timestamp};
///
/// # fn example(operations: &OperationsClient) -> Result<(), lro_client::ResumeError> {
/// let poller = Poller::<Duration, Timestamp>::resume("operations/42", operations);
/// let stored = poller.resume_token().to_string();
/// assert_eq!(stored, "1;google.protobuf.Duration;google.protobuf.Timestamp;operations/42");
///
/// // Later, elsewhere:
/// let token: ResumeToken = stored.parse()?;
/// let poller = token.resume::<Duration, Timestamp>(operations)?;
/// // Another type is refused, before anything is asked:
/// let error = token.resume::<(), Timestamp>(operations).unwrap_err();
/// assert_eq!(
///     error.to_string(),
///     "the response is a google.protobuf.Duration, not a google.protobuf.Empty"
/// );
/// # Ok(()) }
/// # let channel = tower::service_fn(async |_: http::Request<tonic::body::Body>| {
/// #     Err::<http::Response<tonic::body::Body>, _>(tonic::Status::internal(""))
/// # });
/// # example(&OperationsClient::new(channel)).unwrap();
/// ```
///
/// It contains no secret, and no settings of the poller.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ResumeToken {
    name: String,
    response_type: String,
    metadata_type: String,
}

impl ResumeToken {
    /// The maximum length of a token, in bytes: 4,096. All valid names of operations fit.
    pub const MAX_LEN: usize = 4_096;

    /// The prefix of every token. A later format will have another.
    const VERSION: &str = "1";

    /// The operation's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The full name of the response's type.
    pub fn response_type(&self) -> &str {
        &self.response_type
    }

    /// The full name of the metadata's type.
    pub fn metadata_type(&self) -> &str {
        &self.metadata_type
    }

    /// A poller that resumes the operation.
    ///
    /// # Errors
    ///
    /// [`ResumeError`] if the token has other types of the response or the metadata.
    pub fn resume<R: Name, M: Name>(
        &self,
        operations: &OperationsClient,
    ) -> Result<Poller<R, M>, ResumeError> {
        for (what, expected, found) in [
            ("response", R::full_name(), &self.response_type),
            ("metadata", M::full_name(), &self.metadata_type),
        ] {
            if expected != *found {
                let found = found.clone();
                let mismatch = Mismatch {
                    what,
                    expected,
                    found,
                };
                return Err(ResumeError(Kind::Mismatch(mismatch)));
            }
        }
        Ok(Poller::resume(&*self.name, operations))
    }
}

impl<R, M> Poller<R, M>
where
    R: Message + Name + Default + 'static,
    M: Message + Name + Default + 'static,
{
    /// The token with which another process resumes this poller; see [`ResumeToken`].
    pub fn resume_token(&self) -> ResumeToken {
        ResumeToken {
            name: self.name.clone(),
            response_type: R::full_name(),
            metadata_type: M::full_name(),
        }
    }
}

impl fmt::Display for ResumeToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let version = Self::VERSION;
        let (response, metadata) = (&self.response_type, &self.metadata_type);
        write!(f, "{version};{response};{metadata};{}", self.name)
    }
}

impl FromStr for ResumeToken {
    type Err = ResumeError;

    fn from_str(text: &str) -> Result<Self, ResumeError> {
        if text.len() > Self::MAX_LEN {
            return Err(ResumeError(Kind::TooLong(text.len())));
        }
        let mut parts = text.splitn(4, ';');
        let mut part = || parts.next().ok_or(ResumeError(Kind::Malformed));
        let version = part()?;
        if version != Self::VERSION {
            let is_other = !version.is_empty() && version.bytes().all(|it| it.is_ascii_digit());
            return Err(ResumeError(match is_other {
                true => Kind::Version(version.to_owned()),
                false => Kind::Malformed,
            }));
        }
        let (response_type, metadata_type, name) = (part()?, part()?, part()?);
        if !is_type_name(response_type) || !is_type_name(metadata_type) || name.is_empty() {
            return Err(ResumeError(Kind::Malformed));
        }
        Ok(Self {
            name: name.to_owned(),
            response_type: response_type.to_owned(),
            metadata_type: metadata_type.to_owned(),
        })
    }
}

fn is_type_name(text: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    text.split('.')
        .all(|part| !part.is_empty() && part.bytes().all(allowed))
}

/// The reason why a [`ResumeToken`] cannot be resumed.
///
/// ```
/// use lro_client::ResumeToken;
///
/// let error = "operations/42".parse::<ResumeToken>().unwrap_err();
/// assert_eq!(error.to_string(), "this is no resume token");
/// assert!(!error.is_type_mismatch());
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ResumeError(Kind);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Kind {
    Malformed,
    Version(String),
    TooLong(usize),
    Mismatch(Mismatch),
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Mismatch {
    what: &'static str,
    expected: String,
    found: String,
}

impl ResumeError {
    /// Whether the token is of a poller for other types.
    pub fn is_type_mismatch(&self) -> bool {
        matches!(self.0, Kind::Mismatch(_))
    }

    /// Whether the token is in the format of another version of this crate.
    pub fn is_other_version(&self) -> bool {
        matches!(self.0, Kind::Version(_))
    }

    /// The full name of the type that the caller expects, after a type mismatch.
    pub fn expected(&self) -> Option<&str> {
        match &self.0 {
            Kind::Mismatch(mismatch) => Some(&mismatch.expected),
            _ => None,
        }
    }

    /// The full name of the type in the token, after a type mismatch.
    pub fn found(&self) -> Option<&str> {
        match &self.0 {
            Kind::Mismatch(mismatch) => Some(&mismatch.found),
            _ => None,
        }
    }
}

impl fmt::Display for ResumeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Kind::Malformed => f.write_str("this is no resume token"),
            Kind::Version(version) => write!(f, "a resume token of the unknown version {version}"),
            Kind::TooLong(len) => {
                let max = ResumeToken::MAX_LEN;
                write!(f, "a resume token has at most {max} bytes, not {len}")
            }
            Kind::Mismatch(Mismatch {
                what,
                expected,
                found,
            }) => write!(f, "the {what} is a {found}, not a {expected}"),
        }
    }
}

impl Error for ResumeError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn invalid_tokens_are_errors() {
        for text in [
            "",
            "1",
            "1;a;b",
            "1;a;b;",
            "1;;b;n",
            "1;a.;b;n",
            "1;a;b c;n",
            "x;a;b;n",
            ";a;b;n",
            "ü;;;;",
        ] {
            let error = text.parse::<ResumeToken>().unwrap_err();
            assert_eq!(error.0, Kind::Malformed, "{text}");
        }
        let error = "2;whatever".parse::<ResumeToken>().unwrap_err();
        assert!(error.is_other_version());
        let long = format!("1;a;b;{}", "x".repeat(ResumeToken::MAX_LEN));
        let error = long.parse::<ResumeToken>().unwrap_err();
        assert_eq!(error.0, Kind::TooLong(long.len()));
    }

    #[test]
    fn a_name_is_kept_whatever_it_holds() {
        for name in ["operations/1", "a;b;c", " ü\n"] {
            let token: ResumeToken = format!("1;a.B;c.D_2;{name}").parse().unwrap();
            assert_eq!((token.name(), token.response_type()), (name, "a.B"));
            assert_eq!(token.to_string().parse(), Ok(token));
        }
    }
}
