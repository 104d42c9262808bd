//! Arbitrary templates and requests.
#![allow(clippy::unwrap_used, reason = "helpers of tests are tests too")]

#[path = "../../../dev/fuzz/replay.rs"]
mod replay;
mod requests;

use proptest::prelude::*;

/// Texts that are nearly a request: a template, a method, a target and a body.
fn nearly_requests() -> impl Strategy<Value = String> {
    let template = "(/(v1|\\*|\\*\\*|\\{name\\}|\\{name=(operations/)?\\*{1,2}(/operations/\\*)?\\})){1,4}(:[a-z]{0,3})?";
    let method = "(GET|POST|DELETE|HEAD|OPTIONS|PUT)";
    let path = "/v1(/(operations|%2e|%2F|\\.\\.|[a-z%:+]{0,5}|%[0-9a-f]{2})){0,5}(:(cancel|wait|watch|[a-z]{1,3}))?";
    let query = "(\\?([a-zA-Z$.]{1,10}=[a-z0-9%+;&=]{0,12}&?){0,4})?";
    let body = "(\\{\\}|\\{\"name\":\"[a-z]{0,3}\"\\}|[ -~]{0,12})?";
    (template, method, path, query, body).prop_map(|(template, method, path, query, body)| {
        format!("{template}\n{method}\n{path}{query}\n{body}")
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn a_request_that_is_refused_reaches_no_rpc(input in nearly_requests()) {
        requests::ask(input.as_bytes());
    }

    #[test]
    fn any_bytes_are_answered(input in prop::collection::vec(any::<u8>(), 0..200)) {
        requests::ask(&input);
    }
}

#[test]
fn seeds_of_the_fuzzer_are_answered() {
    assert!(replay::each("gateway", requests::ask) > 0);
}
