//! Why a caller cancels or deletes an operation: request metadata of ours, beside the standard.

use lro_core::Reason;
use lro_core::store::Actor;
use tonic::Status;
use tonic::metadata::MetadataMap;

use crate::limits::Limits;

/// The metadata key of the reason. Other servers ignore it.
pub(crate) const KEY: &str = "lro-reason";

/// The caller, and the reason that comes along. Records keep both.
pub(crate) fn actor(
    headers: &MetadataMap,
    principal: &str,
    limits: &Limits,
) -> Result<Actor, Status> {
    limits.check_principal(principal)?;
    Ok(Actor {
        principal: principal.to_owned(),
        reason: reason(headers)?,
    })
}

/// The reason, decoded; empty without one.
fn reason(headers: &MetadataMap) -> Result<String, Status> {
    let mut values = headers.get_all(KEY).iter();
    let Some(value) = values.next() else {
        return Ok(String::new());
    };
    if values.next().is_some() {
        return Err(invalid("is given more than once; give one reason"));
    }
    let text = value.to_str();
    let text = text.map_err(|_| invalid("is not ASCII; percent-encode its UTF-8 bytes"))?;
    let bytes = decode(text).ok_or_else(|| {
        invalid("has a `%` without two hexadecimal digits; write `%25` for a percent sign")
    })?;
    if bytes.len() > Actor::MAX_REASON_LEN {
        let (len, max) = (bytes.len(), Actor::MAX_REASON_LEN);
        return Err(invalid(format!(
            "has {len} bytes; give at most {max}, counted after percent-decoding"
        )));
    }
    let reason = String::from_utf8(bytes)
        .map_err(|_| invalid("is not UTF-8 after percent-decoding; percent-encode UTF-8"))?;
    if reason.chars().any(char::is_control) {
        return Err(invalid("has a control character; give one line of text"));
    }
    Ok(reason)
}

/// The bytes of a percent-encoded text; `None` if a `%` stands alone.
fn decode(text: &str) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        if byte != b'%' {
            bytes.push(byte);
            continue;
        }
        let digit = |byte: u8| char::from(byte).to_digit(16);
        let (high, low) = (digit(rest.next()?)?, digit(rest.next()?)?);
        bytes.push((high * 16 + low) as u8);
    }
    Some(bytes)
}

fn invalid(description: impl Into<String>) -> Status {
    Reason::InvalidField.field_status(KEY, description)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use tonic::metadata::MetadataValue;

    use super::*;

    fn headers(values: &[&[u8]]) -> MetadataMap {
        let mut headers = MetadataMap::new();
        for value in values {
            headers.append(KEY, MetadataValue::try_from(*value).unwrap());
        }
        headers
    }

    #[test]
    fn reasons_are_ascii_or_percent_encoded() {
        let longest = "x".repeat(256);
        let longest_encoded = "%C3%A9".repeat(128);
        for (value, expected) in [
            ("", ""),
            ("the wrong bucket", "the wrong bucket"),
            ("na%C3%AFve 100%25", "na\u{ef}ve 100%"),
            ("%f0%9f%9a%80", "\u{1f680}"),
            (&longest, &longest),
            (&longest_encoded, &"\u{e9}".repeat(128)),
        ] {
            let actor = actor(&headers(&[value.as_bytes()]), "ada", &Limits::default());
            let actor = actor.unwrap();
            assert_eq!((&*actor.principal, &*actor.reason), ("ada", expected));
        }
        assert_eq!(reason(&MetadataMap::new()).unwrap(), "");
    }

    #[test]
    fn other_reasons_are_refused_with_what_to_write_instead() {
        let long = "x".repeat(257);
        for (values, expected) in [
            (&[&b"a"[..], b"b"][..], "more than once"),
            (&[b"caf\xc3\xa9"], "percent-encode"),
            (&[b"100%"], "`%25`"),
            (&[b"100% wrong"], "`%25`"),
            (&[b"%2"], "`%25`"),
            (&[b"%ff"], "UTF-8"),
            (&[b"a%0Ab"], "control"),
            (&[b"%1b[2J"], "control"),
            (&[long.as_bytes()], "257 bytes; give at most 256"),
        ] {
            let error = reason(&headers(values)).unwrap_err();
            assert_eq!(error.code(), tonic::Code::InvalidArgument);
            assert!(error.message().starts_with("lro-reason: "), "{error}");
            assert!(error.message().contains(expected), "{error}");
        }
    }

    proptest! {
        #[test]
        fn any_value_is_taken_or_refused(value in prop::collection::vec(0x20_u8..=0x7e, 0..300)) {
            if let Ok(reason) = reason(&headers(&[&value])) {
                prop_assert!(reason.len() <= Actor::MAX_REASON_LEN);
            }
        }
    }
}
