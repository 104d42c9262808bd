//! The property of the fuzz target `json`, with texts and bytes that proptest makes.

use proptest::prelude::*;

use crate::json;
use crate::types::everything;

#[path = "../../../dev/fuzz/replay.rs"]
mod replay;

/// JSON that often fits the message.
fn texts() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        Just("null".to_owned()),
        any::<bool>().prop_map(|value| value.to_string()),
        any::<i64>().prop_map(|value| value.to_string()),
        any::<f64>()
            .prop_filter("JSON has no other", |value| value.is_finite())
            .prop_map(|value| format!("{value:e}")),
        "\\PC{0,8}".prop_map(|text| serde_json::to_string(&text).unwrap()),
        prop_oneof![
            Just("\"RED\""),
            Just("\"1.5s\""),
            Just("\"2024-01-01T00:00:00Z\""),
            Just("\"NaN\""),
            Just("\"AA==\"")
        ]
        .prop_map(str::to_owned),
    ];
    let key = prop_oneof![
        (0..everything().fields().len()).prop_map(|index| {
            everything()
                .fields()
                .nth(index)
                .unwrap()
                .json_name()
                .to_owned()
        }),
        Just("@type".to_owned()),
        Just("value".to_owned()),
        "[0-9]{1,3}",
        "\\PC{0,4}",
    ];
    leaf.prop_recursive(6, 64, 6, move |inner| {
        let member = (key.clone(), inner.clone()).prop_map(|(key, value)| {
            let key = serde_json::to_string(&key).unwrap();
            let value = if key == "\"@type\"" {
                "\"a/json.test.Everything\"".to_owned()
            } else {
                value
            };
            format!("{key}:{value}")
        });
        prop_oneof![
            prop::collection::vec(inner, 0..4).prop_map(|values| format!("[{}]", values.join(","))),
            prop::collection::vec(member, 0..6)
                .prop_map(|members| format!("{{{}}}", members.join(","))),
        ]
    })
}

proptest! {
    #[test]
    fn json_is_read_as_what_it_is_written_as(json in texts()) {
        json::ask_text(&json);
    }

    #[test]
    fn arbitrary_text_does_not_panic(text in "\\PC{0,64}") {
        json::ask_text(&text);
    }

    #[test]
    fn arbitrary_bytes_are_written_as_json(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
        json::ask_bytes(&bytes);
    }
}

#[test]
fn the_seeds_of_the_fuzz_target_hold() {
    assert!(replay::each("json", json::ask) > 0);
}
