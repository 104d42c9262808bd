//! Whatever bytes a server sends, nothing panics, and every wait ends.
//!
//! The fuzz target in dev/fuzz/fuzz_targets/operation.rs does the same with bytes of its own choice.

#[path = "../../../dev/fuzz/replay.rs"]
mod replay;

use lro_core::pb::{self, operation::Result as Outcome};
use proptest::prelude::*;
use prost::Message as _;
use prost_types::Any;

use crate::support::bytes;

fn any() -> impl Strategy<Value = Any> {
    let url = prop_oneof![
        Just("type.googleapis.com/google.protobuf.Timestamp".to_owned()),
        Just("x/google.protobuf.Duration".to_owned()),
        Just("google.protobuf.Empty".to_owned()),
        ".{0,20}",
    ];
    let value = prop_oneof![
        Just(Vec::new()),
        Just(vec![8, 42]),
        prop::collection::vec(any_byte(), 0..20),
    ];
    (url, value).prop_map(|(type_url, value)| Any { type_url, value })
}

fn any_byte() -> impl Strategy<Value = u8> {
    proptest::num::u8::ANY
}

/// Operations that make sense in parts.
fn operation() -> impl Strategy<Value = Vec<u8>> {
    let status = (
        prop_oneof![0..17, proptest::num::i32::ANY],
        ".{0,10}",
        prop::collection::vec(any(), 0..3),
    );
    let error = status.prop_map(|(code, message, details)| {
        Outcome::Error(pb::rpc::Status {
            code,
            message,
            details,
        })
    });
    let result = prop::option::of(prop_oneof![any().prop_map(Outcome::Response), error]);
    let name = prop_oneof![Just(bytes::NAME.to_owned()), ".{0,20}"];
    let fields = (name, prop::option::of(any()), proptest::bool::ANY, result);
    fields.prop_map(|(name, metadata, done, result)| {
        let operation = pb::Operation {
            name,
            metadata,
            done,
            result,
        };
        operation.encode_to_vec()
    })
}

proptest! {
    #[test]
    fn any_bytes_come_to_an_end(bytes in prop::collection::vec(any_byte(), 0..200)) {
        bytes::wait_for(&bytes);
    }

    #[test]
    fn any_operation_comes_to_an_end(bytes in operation()) {
        bytes::wait_for(&bytes);
    }

    #[test]
    fn any_damage_to_an_operation_comes_to_an_end(
        bytes in operation(),
        at in any_byte(),
        with in any_byte(),
    ) {
        let mut bytes = bytes;
        let len = bytes.len().max(1);
        if let Some(byte) = bytes.get_mut(usize::from(at) % len) {
            *byte = with;
        }
        bytes::wait_for(&bytes);
    }
}

#[test]
fn the_seeds_of_the_fuzz_target_hold() {
    assert!(replay::each("operation", bytes::wait_for) > 0);
}
