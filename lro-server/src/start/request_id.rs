//! Request ids as they are kept: each principal has its own (AIP-155).

use lro_core::Reason;
use lro_core::store::RequestId;
use prost_types::Any;
use sha2::{Digest as _, Sha256};
use tonic::Status;

/// The longest request id, in bytes. AIP-155 wants UUIDs, which have 36.
const LEN_MAX: usize = 128;

/// The stored form of a request id; none for an empty one.
///
/// A store tells ids apart by method and parent. That one principal's is not another's, the kept text
/// sees to: behind the id stands a digest of the principal's name. Between them is a space, which no
/// id has, so that an id without a principal cannot look like one with.
pub(crate) fn of(id: &str, principal: &str, request: &Any) -> Result<Option<RequestId>, Status> {
    if id.is_empty() {
        return Ok(None);
    }
    let foreign = |c: char| c.is_whitespace() || c.is_control();
    if id.len() > LEN_MAX || id.contains(foreign) {
        let message = format!("has more than {LEN_MAX} bytes, white space or control characters");
        return Err(Reason::InvalidField.field_status("request_id", message));
    }
    let id = match principal {
        "" => id.to_owned(),
        principal => {
            let digest: [u8; 32] = Sha256::digest(principal).into();
            let digest = u128::from_be_bytes(std::array::from_fn(|at| digest[at]));
            format!("{id} {digest:032x}")
        }
    };
    Ok(Some(RequestId {
        id,
        fingerprint: Sha256::digest(&request.value).into(),
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// spec:128
    #[test]
    fn a_request_id_is_its_principals_own() {
        let request = Any::default();
        let kept = |id: &str, principal: &str| of(id, principal, &request).unwrap().unwrap().id;
        assert_eq!(kept("7", ""), "7");
        let (ada, bob) = (kept("7", "ada"), kept("7", "bob"));
        assert!(ada.starts_with("7 ") && bob.starts_with("7 "));
        assert_ne!(ada, bob);
        assert_eq!(ada, kept("7", "ada"));
        assert!(of(&ada, "", &request).is_err(), "what is kept is no id");
        assert_eq!(of("", "ada", &request).unwrap(), None);
    }

    #[test]
    fn a_request_id_is_short_and_plain() {
        for id in ["a b", "\n", "a\u{1}", &"x".repeat(129)] {
            let error = of(id, "", &Any::default()).unwrap_err();
            assert_eq!(error.code(), tonic::Code::InvalidArgument, "{id:?}");
        }
        assert!(of(&"x".repeat(128), "", &Any::default()).is_ok());
    }
}
