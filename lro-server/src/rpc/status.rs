//! The errors of calls as they leave the server: each with an ErrorInfo, none too long for the
//! trailers that carry it.

use lro_core::pb::rpc;
use lro_core::{DOMAIN, TYPE_URL_PREFIX, code_name, type_name};
use prost::Message as _;
use prost_types::Any;
use tonic::{Code, Status};
use tonic_types::pb::ErrorInfo;

/// How long an rpc error may be as it is sent, in bytes: 8 KiB is what peers commonly accept of all
/// headers or trailers, and the rest of them needs some room.
pub(crate) const RPC_ERROR_LEN_MAX: usize = 7 * 1024;

const ERROR_INFO: &str = "google.rpc.ErrorInfo";

/// How much is left of a message that is too long.
const MESSAGE_LEN_MAX: usize = 512;

/// The status with an ErrorInfo, if it had none, and cut down to
/// [`RPC_ERROR_LEN_MAX`]: first its message, then the details that explain it.
pub(crate) fn complete(status: Status) -> Status {
    let decoded = rpc::Status::decode(status.details()).unwrap_or_default();
    let informed = decoded.details.iter().any(is_error_info);
    if informed && sent_len(&status) <= RPC_ERROR_LEN_MAX {
        return status;
    }
    let mut details = decoded.details;
    if !informed {
        details.push(error_info(reason_of(status.code())));
    }
    let metadata = status.metadata().clone();
    let build = |message: &str, details: &[Any]| {
        let packed = rpc::Status {
            code: status.code() as i32,
            message: message.to_owned(),
            details: details.to_vec(),
        };
        let packed = packed.encode_to_vec().into();
        let (code, metadata) = (status.code(), metadata.clone());
        Status::with_details_and_metadata(code, message, packed, metadata)
    };
    let whole = build(status.message(), &details);
    if sent_len(&whole) <= RPC_ERROR_LEN_MAX {
        return whole;
    }
    let message = shortened(status.message());
    let short = build(&message, &details);
    if sent_len(&short) <= RPC_ERROR_LEN_MAX {
        return short;
    }
    details.retain(|detail| is_error_info(detail) && detail.value.len() < 2_048);
    details.truncate(1);
    if details.is_empty() {
        details.push(error_info(reason_of(status.code())));
    }
    build(&message, &details)
}

/// An operation's error with an ErrorInfo, if the handler gave none. The handler's own ErrorInfo
/// stays unchanged.
pub(crate) fn inform(error: &mut rpc::Status) {
    if !error.details.iter().any(is_error_info) {
        error.details.push(error_info("HANDLER_FAILED"));
    }
}

fn is_error_info(detail: &Any) -> bool {
    type_name(&detail.type_url) == ERROR_INFO
}

fn error_info(reason: &str) -> Any {
    let info = ErrorInfo {
        reason: reason.to_owned(),
        domain: DOMAIN.to_owned(),
        ..Default::default()
    };
    Any {
        type_url: format!("{TYPE_URL_PREFIX}{ERROR_INFO}"),
        value: info.encode_to_vec(),
    }
}

/// About what goes over the wire: the message with its escapes, the details in base64.
fn sent_len(status: &Status) -> usize {
    let escaped = |byte: u8| !(b' '..=b'~').contains(&byte) || b"\"#%<>`?{}".contains(&byte);
    let message = status.message().bytes();
    let message: usize = message.map(|it| if escaped(it) { 3 } else { 1 }).sum();
    message + status.details().len().div_ceil(3) * 4
}

fn shortened(message: &str) -> String {
    let mut end = MESSAGE_LEN_MAX.min(message.len());
    while !message.is_char_boundary(end) {
        end -= 1;
    }
    match end == message.len() {
        true => message.to_owned(),
        false => format!("{}..", &message[..end]),
    }
}

fn reason_of(code: Code) -> &'static str {
    match code {
        Code::Ok => "OK_AS_AN_ERROR",
        code => code_name(code),
    }
}

#[cfg(test)]
mod tests {
    use tonic_types::{ErrorDetails, StatusExt as _};

    use super::*;

    /// spec:135
    #[test]
    fn errors_without_an_error_info_get_one() {
        let status = complete(Status::unavailable("the policy server is away"));
        let info = status.get_details_error_info().unwrap();
        assert_eq!((&*info.reason, &*info.domain), ("UNAVAILABLE", DOMAIN));
        assert_eq!(status.message(), "the policy server is away");
        let own = ErrorDetails::with_error_info("MINE", "example.com", []);
        let own = Status::with_error_details(Code::Unavailable, "away", own);
        assert_eq!(complete(own.clone()).details(), own.details());
    }

    /// spec:138
    #[test]
    fn an_rpc_error_is_cut_to_what_trailers_hold() {
        let long = "\u{7f}é{}".repeat(4_000);
        let mut details = ErrorDetails::with_error_info("MINE", "example.com", []);
        details.set_debug_info(vec![long.clone()], long.clone());
        let status = Status::with_error_details(Code::Internal, long.clone(), details);
        let cut = complete(status);
        assert!(sent_len(&cut) <= RPC_ERROR_LEN_MAX, "{}", sent_len(&cut));
        assert_eq!(cut.get_details_error_info().unwrap().reason, "MINE");
        assert!(long.starts_with(cut.message().trim_end_matches("..")));

        let info = ErrorDetails::with_error_info(long.clone(), "example.com", []);
        let cut = complete(Status::with_error_details(Code::Internal, long, info));
        assert!(sent_len(&cut) <= RPC_ERROR_LEN_MAX, "{}", sent_len(&cut));
        assert_eq!(cut.get_details_error_info().unwrap().reason, "INTERNAL");
    }

    #[test]
    fn a_long_message_alone_leaves_its_details() {
        let details = ErrorDetails::with_error_info("MINE", "example.com", []);
        let mut details = details;
        details.add_bad_request_violation("name", "is wrong");
        let status = Status::with_error_details(Code::InvalidArgument, "x".repeat(9_000), details);
        let cut = complete(status);
        assert!(cut.get_details_bad_request().is_some());
        assert_eq!(cut.message().len(), MESSAGE_LEN_MAX + 2);
    }
}
