//! Whatever callers send, nothing panics, and the answer is one of the standard's.
//!
//! The fuzz targets `call`, `grpc_timeout`, `jwt` and `page_token` in the folder fuzz do the same with
//! bytes of their own choice.

mod calls;
mod page_tokens;
#[path = "../../../dev/fuzz/replay.rs"]
mod replay;
mod timeouts;
mod tokens;

use lro_core::pb;
use proptest::prelude::*;
use prost::Message as _;

proptest! {
    #[test]
    fn any_header_is_a_timeout_or_none(header in "\\PC{0,12}|[0-9]{0,9}[HMSmun]?") {
        timeouts::ask(header.as_bytes());
    }

    #[test]
    fn any_text_is_no_token_and_any_claims_are_judged(
        text in "\\PC{0,40}|\\{(\"(iss|aud|exp|nbf|sub)\":(1e9|\"ada\"|\\[\\]|-1|null),?){0,5}\\}",
    ) {
        tokens::ask(&text);
    }

    #[test]
    fn any_other_page_token_is_refused(at: u64, text in "\\PC{0,120}|[A-Za-z0-9_-]{0,110}") {
        page_tokens::ask(&[&at.to_le_bytes(), text.as_bytes()].concat());
    }

    #[test]
    fn any_bytes_are_a_call(bytes in prop::collection::vec(any::<u8>(), 0..60)) {
        calls::ask(&bytes);
    }

    #[test]
    fn any_request_has_an_answer(
        name in "(p/[qr-]/)?operations(/[123])?|\\PC{0,20}",
        filter in "|done = (true|false)|\\PC{0,20}",
        (page_size, page_token, return_partial_success) in (any::<i32>(), "[A-Za-z0-9_-]{0,4}", any::<bool>()),
        timeout in prop::option::of((any::<i64>(), any::<i32>())),
    ) {
        let list = pb::ListOperationsRequest {
            name: name.clone(),
            filter,
            page_size,
            page_token,
            return_partial_success,
        };
        calls::ask(&[&[1], &*list.encode_to_vec()].concat());
        let timeout = timeout.map(|(seconds, nanos)| prost_types::Duration { seconds, nanos });
        let wait = pb::WaitOperationRequest { name, timeout };
        for method in 0..5 {
            calls::ask(&[&[method], &*wait.encode_to_vec()].concat());
        }
    }
}

#[test]
fn the_seeds_of_the_fuzz_targets_hold() {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    for asked in [
        replay::each("grpc_timeout", timeouts::ask),
        replay::each("jwt", |bytes| tokens::ask(&text(bytes))),
        replay::each("call", calls::ask),
        replay::each("page_token", page_tokens::ask),
    ] {
        assert!(asked > 0);
    }
}
