//! Texts that are written.

use lro_json::WriteOptions;
use prost::Message as _;
use prost_reflect::{DynamicMessage, Value};
use prost_types::{Any, Duration, Timestamp};

use crate::types::{everything, read, write};

/// A message whose field `any` holds this.
fn with_any(type_url: &str, value: Vec<u8>) -> DynamicMessage {
    with(
        "any",
        &Any {
            type_url: type_url.to_owned(),
            value,
        },
    )
}

/// A message whose field of that name holds this message.
fn with(field: &str, value: &impl prost::Message) -> DynamicMessage {
    let mut message = DynamicMessage::new(everything());
    let field = everything().get_field_by_name(field).unwrap();
    let inner = field.kind().as_message().unwrap().clone();
    let inner = DynamicMessage::decode(inner, &*value.encode_to_vec()).unwrap();
    message.set_field(&field, Value::Message(inner));
    message
}

#[test]
fn fields_marked_as_debug_redact_are_hidden() {
    let mut compiler = protox::Compiler::with_file_resolver(Marked);
    compiler.open_file("marked.proto").unwrap();
    let pool = compiler.descriptor_pool();
    let marked = pool.get_message_by_name("Marked").unwrap();
    let json = br#"{"shown":"a","inner":{"secret":7},"all":[{"secret":8}]}"#;
    let message = lro_json::ReadOptions::new().read(&marked, json).unwrap();
    let written = WriteOptions::new().redact(true).write(&message).unwrap();
    assert_eq!(
        written.json,
        r#"{"shown":"a","inner":{"secret":"<redacted>"},"all":"<redacted>"}"#
    );
    assert_eq!(
        WriteOptions::new().write(&message).unwrap().json.as_bytes(),
        json
    );
}

/// A file with marked fields.
struct Marked;

impl protox::file::FileResolver for Marked {
    fn open_file(&self, name: &str) -> Result<protox::file::File, protox::Error> {
        let source = r#"
            syntax = "proto3";
            message Marked { string shown = 1; Inner inner = 2; repeated Inner all = 3 [debug_redact = true]; }
            message Inner { int32 secret = 1 [debug_redact = true]; }
        "#;
        match name {
            "marked.proto" => protox::file::File::from_source(name, source),
            _ => Err(protox::Error::file_not_found(name)),
        }
    }
}

/// gateway:95 gateway:103
#[test]
fn defaults_are_left_out_unless_there_is_presence() {
    let message =
        read(r#"{"inner":{},"optionalInt32":0,"choiceNumber":0,"int32Value":0,"numbers":[]}"#)
            .unwrap();
    assert_eq!(
        write(&message),
        r#"{"inner":{},"optionalInt32":0,"choiceNumber":0}"#
    );
    let all = WriteOptions::new()
        .default_values(true)
        .write(&message)
        .unwrap()
        .json;
    for part in [
        r#""int32Value":0"#,
        r#""int64Value":"0""#,
        r#""numbers":[]"#,
        r#""labels":{}"#,
        r#""optionalInt32":0"#,
    ] {
        assert!(all.contains(part), "{part}: {all}");
    }
    for part in ["optionalString", "choiceText", "timestamp"] {
        assert!(!all.contains(&format!("\"{part}\"")), "{part}: {all}");
    }
}

/// gateway:96 gateway:97 gateway:101
#[test]
fn numbers_are_what_every_reader_keeps() {
    let json = r#"{"int64Value":"-1","floatValue":0.1,"doubleValue":1e300,"colours":["RED",77],"doubleWrapper":"NaN"}"#;
    assert_eq!(write(&read(json).unwrap()), json);
    let numbers = WriteOptions::new()
        .enums_as_numbers(true)
        .write(&read(json).unwrap())
        .unwrap();
    assert!(
        numbers.json.contains(r#""colours":[1,77]"#),
        "{}",
        numbers.json
    );
}

/// A reader that compares `3.4028235e38` with the maximum as a double finds it too large.
///
/// gateway:96
#[test]
fn the_largest_float_is_not_too_large_for_any_reader() {
    let json = write(&read(r#"{"floatValue":3.4028235e38}"#).unwrap());
    assert_eq!(json, r#"{"floatValue":3.4028234663852886e38}"#);
    assert_eq!(write(&read(&json).unwrap()), json);
}

/// gateway:67
#[test]
fn enums_are_numbers_inside_of_an_any_too() {
    let json = r#"{"any":{"@type":"a/json.test.Everything","colour":"RED"}}"#;
    let numbers = WriteOptions::new()
        .enums_as_numbers(true)
        .write(&read(json).unwrap())
        .unwrap();
    assert_eq!(
        numbers.json,
        r#"{"any":{"@type":"a/json.test.Everything","colour":1}}"#
    );
}

/// gateway:99
#[test]
fn an_any_that_cannot_be_read_is_base64() {
    for (type_url, bytes) in [
        ("type.googleapis.com/json.test.Nothing", vec![8, 1]),
        ("json.test.Everything", vec![8, 1]),
        ("type.googleapis.com/json.test.Everything", vec![0xff]),
        ("", vec![1]),
    ] {
        let written = WriteOptions::new()
            .write(&with_any(type_url, bytes))
            .unwrap();
        assert!(written.json.contains(r#""value":""#), "{}", written.json);
        assert_eq!(written.opaque, 1, "{}", written.json);
    }
    // The content of the inner one is invalid: its neighbours are not concerned.
    let broken = Timestamp {
        seconds: i64::MAX,
        nanos: -1,
    };
    let inner = Any {
        type_url: "a/google.protobuf.Timestamp".into(),
        value: broken.encode_to_vec(),
    };
    let outer = with_any("a/google.protobuf.Any", inner.encode_to_vec());
    let written = WriteOptions::new().write(&outer).unwrap();
    assert_eq!(
        written.json,
        r#"{"any":{"@type":"a/google.protobuf.Any","value":{"@type":"a/google.protobuf.Timestamp","value":"CP//////////fxD///////////8B"}}}"#
    );
    assert_eq!(written.opaque, 1);
}

/// gateway:99 gateway:94
#[test]
fn an_any_within_an_any_without_end_is_base64_at_some_depth() {
    let mut any = Any::default();
    for _ in 0..20_000 {
        any = Any {
            type_url: "a/google.protobuf.Any".into(),
            value: any.encode_to_vec(),
        };
    }
    let written = WriteOptions::new().write(&with("any", &any)).unwrap();
    assert_eq!(written.opaque, 1);
}

/// gateway:102
#[test]
fn a_time_out_of_range_names_its_field() {
    let error = WriteOptions::new()
        .write(&with(
            "timestamp",
            &Timestamp {
                seconds: i64::MAX,
                nanos: 0,
            },
        ))
        .unwrap_err();
    assert_eq!(error.field(), "timestamp");
    let error = WriteOptions::new()
        .write(&with(
            "duration",
            &Duration {
                seconds: 1,
                nanos: -1,
            },
        ))
        .unwrap_err();
    assert_eq!(error.field(), "duration");
    let json = WriteOptions::new()
        .write(&with(
            "timestamp",
            &Timestamp {
                seconds: 0,
                nanos: 1_000,
            },
        ))
        .unwrap()
        .json;
    assert_eq!(json, r#"{"timestamp":"1970-01-01T00:00:00.000001Z"}"#);
}

/// gateway:68
#[test]
fn pretty_text_is_indented() {
    let message =
        read(r#"{"int32Value":1,"numbers":[1,2],"inner":{},"labels":{"a":"b"}}"#).unwrap();
    let pretty = WriteOptions::new()
        .pretty(true)
        .write(&message)
        .unwrap()
        .json;
    let expected = "{\n  \"int32Value\": 1,\n  \"inner\": {},\n  \"numbers\": [\n    1,\n    2\n  ],\n  \"labels\": {\n    \"a\": \"b\"\n  }\n}";
    assert_eq!(pretty, expected);
}

/// gateway:104
#[test]
fn a_field_alone_is_written() {
    let message = read(r#"{"numbers":[1],"stringValue":""}"#).unwrap();
    for (field, json) in [
        ("numbers", "[1]"),
        ("texts", "[]"),
        ("labels", "{}"),
        ("string_value", "\"\""),
        ("int64_value", "\"0\""),
        ("inner", "null"),
    ] {
        let field = everything().get_field_by_name(field).unwrap();
        assert_eq!(
            WriteOptions::new()
                .write_field(&message, &field)
                .unwrap()
                .json,
            json
        );
    }
}
