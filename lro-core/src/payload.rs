//! Packs messages into `google.protobuf.Any`, and unpacks them.

use std::any::Any as DynAny;

use prost::{Message, Name};
use prost_types::Any;

/// The host in every type URL that this crate writes.
///
/// Strict clients compare the whole URL, so it is always written. Readers accept any host, or none.
pub const TYPE_URL_PREFIX: &str = "type.googleapis.com/";

/// Packs a message, with the type URL `type.googleapis.com/<full name>`.
///
/// ```
/// let any = lro_core::pack(&());
/// assert_eq!(any.type_url, "type.googleapis.com/google.protobuf.Empty");
/// ```
///
/// A `google.protobuf.Any` is not packed again: a method whose response or metadata type is `Any`
/// chooses the payload's type at run time.
pub fn pack<T: Message + Name + 'static>(message: &T) -> Any {
    if let Some(any) = (message as &dyn DynAny).downcast_ref::<Any>() {
        return any.clone();
    }
    Any {
        type_url: format!("{TYPE_URL_PREFIX}{}", T::full_name()),
        value: message.encode_to_vec(),
    }
}

/// Unpacks a message, with any host in the type URL.
///
/// With `google.protobuf.Any` as `T`, it returns any payload unchanged.
///
/// # Errors
///
/// [`UnpackError`] when the payload is of another type, or does not decode.
pub fn unpack<T: Message + Name + Default + 'static>(any: &Any) -> Result<T, UnpackError> {
    let mut message = T::default();
    if let Some(escape) = (&mut message as &mut dyn DynAny).downcast_mut::<Any>() {
        escape.clone_from(any);
        return Ok(message);
    }
    let found = type_name(&any.type_url);
    let expected = T::full_name();
    if found != expected {
        return Err(UnpackError::Type {
            expected,
            found: found.to_owned(),
        });
    }
    T::decode(&*any.value).map_err(|cause| UnpackError::Malformed { expected, cause })
}

/// The full message name in a type URL: what follows the last `/`.
pub fn type_name(type_url: &str) -> &str {
    type_url.rsplit_once('/').map_or(type_url, |(_, name)| name)
}

/// The error of a payload that is not the expected message.
///
/// ```
/// use lro_core::{pack, unpack};
///
/// let error = unpack::<prost_types::Timestamp>(&pack(&())).unwrap_err();
/// assert_eq!(error.expected(), "google.protobuf.Timestamp");
/// assert_eq!(error.found(), Some("google.protobuf.Empty"));
/// ```
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum UnpackError {
    /// The payload is of another type.
    #[error("expected a {expected}, found a {}", display_name(found))]
    Type {
        /// The full name of the wanted type.
        expected: String,
        /// The full name in the type URL.
        found: String,
    },
    /// The payload has the expected type, but does not decode.
    #[error("the payload is no valid {expected}: {cause}")]
    Malformed {
        /// The full name of the wanted type.
        expected: String,
        /// The decoder's error, which the text contains.
        cause: prost::DecodeError,
    },
}

impl UnpackError {
    /// The full name of the expected type.
    pub fn expected(&self) -> &str {
        match self {
            Self::Type { expected, .. } | Self::Malformed { expected, .. } => expected,
        }
    }

    /// The full name of the type that was found, if it is another one.
    pub fn found(&self) -> Option<&str> {
        match self {
            Self::Type { found, .. } => Some(found),
            Self::Malformed { .. } => None,
        }
    }
}

fn display_name(name: &str) -> &str {
    if name.is_empty() {
        "payload without a type"
    } else {
        name
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// spec:37
    #[test]
    fn type_urls_have_the_host() {
        assert_eq!(
            pack(&prost_types::Timestamp::default()).type_url,
            "type.googleapis.com/google.protobuf.Timestamp"
        );
    }

    /// spec:38
    #[test]
    fn any_host_is_accepted_on_reading() {
        let sent = prost_types::Duration {
            seconds: 3,
            nanos: 0,
        };
        for host in ["type.googleapis.com/", "example.org/a/b/", "/", ""] {
            let any = Any {
                type_url: format!("{host}google.protobuf.Duration"),
                value: sent.encode_to_vec(),
            };
            assert_eq!(unpack::<prost_types::Duration>(&any), Ok(sent), "{host}");
        }
    }

    #[test]
    fn a_mismatch_names_both_types() {
        let error = unpack::<prost_types::Duration>(&pack(&())).unwrap_err();
        assert_eq!(
            error.to_string(),
            "expected a google.protobuf.Duration, found a google.protobuf.Empty"
        );
        let error = unpack::<()>(&Any::default()).unwrap_err();
        assert_eq!(
            error.to_string(),
            "expected a google.protobuf.Empty, found a payload without a type"
        );
    }

    #[test]
    fn garbage_is_an_error() {
        let any = Any {
            type_url: "x/google.protobuf.Duration".into(),
            value: vec![0xff; 3],
        };
        assert!(matches!(
            unpack::<prost_types::Duration>(&any),
            Err(UnpackError::Malformed { .. })
        ));
    }

    /// report:W6
    #[test]
    fn an_error_says_its_cause_once() {
        let payload = Any {
            type_url: pack(&prost_types::Timestamp::default()).type_url,
            value: vec![0xff; 5],
        };
        let error = unpack::<prost_types::Timestamp>(&payload).unwrap_err();
        let UnpackError::Malformed { cause, .. } = &error else {
            panic!("{error:?}");
        };
        let text = format!("the payload is no valid google.protobuf.Timestamp: {cause}");
        assert_eq!(error.to_string(), text);
        assert!(std::error::Error::source(&error).is_none());
    }

    /// spec:18
    #[test]
    fn any_takes_whatever_there_is() {
        let payload = pack(&prost_types::Duration {
            seconds: 1,
            nanos: 2,
        });
        assert_eq!(unpack::<Any>(&payload), Ok(payload.clone()));
        assert_eq!(pack(&payload), payload);
    }
}
