//! Fields, texts and map entries that are read alone.

use lro_json::ReadOptions;
use prost_reflect::{DynamicMessage, MapKey, ReflectMessage as _, Value};

use crate::types::everything;

/// gateway:41 gateway:44
#[test]
fn a_field_alone_is_read() {
    let options = ReadOptions::new();
    let field = |name: &str| everything().get_field_by_name(name).unwrap();
    let numbers = options.read_field(&field("numbers"), b"[1,2]").unwrap();
    assert_eq!(
        numbers,
        Some(Value::List(vec![Value::I32(1), Value::I32(2)]))
    );
    let inner = options.read_field(&field("inner"), b"{}").unwrap();
    assert_eq!(
        inner,
        Some(Value::Message(DynamicMessage::new(everything())))
    );
    assert_eq!(options.read_field(&field("inner"), b"null").unwrap(), None);
    let error = options
        .read_field(&field("numbers"), b"[\"x\"]")
        .unwrap_err();
    assert_eq!(error.field(), "numbers[0]");
}

/// gateway:54 gateway:55 gateway:56 gateway:57 gateway:58
#[test]
fn plain_text_is_read_for_scalars_and_strings_of_well_known_types() {
    let options = ReadOptions::new();
    let read = |name: &str, text: &str| {
        options.read_text(&everything().get_field_by_name(name).unwrap(), text)
    };
    assert_eq!(read("numbers", "7").unwrap(), Value::I32(7));
    assert_eq!(read("colour", "GREEN").unwrap(), Value::EnumNumber(2));
    assert_eq!(read("colour", "77").unwrap(), Value::EnumNumber(77));
    assert_eq!(
        read("bytes_value", "-_8").unwrap(),
        Value::Bytes(vec![0xfb, 0xff].into())
    );
    assert_eq!(
        read("string_value", "").unwrap(),
        Value::String(String::new())
    );
    for (name, text) in [
        ("timestamp", "2024-01-01T00:00:00Z"),
        ("duration", "1.5s"),
        ("mask", "displayName,a.b_c"),
        ("int64_wrapper", "5"),
    ] {
        let Value::Message(message) = read(name, text).unwrap() else {
            panic!("{name}");
        };
        assert_ne!(message, DynamicMessage::new(message.descriptor()), "{name}");
    }
    for (name, text) in [
        ("int32_value", "1e2"),
        ("int32_value", ""),
        ("bool_value", "1"),
        ("colour", "PURPLE"),
        ("inner", "{}"),
        ("any", "{}"),
        ("struct", "{}"),
        ("value", "1"),
        ("double_value", "1e400"),
    ] {
        assert_eq!(read(name, text).expect_err(name).field(), name);
    }
    let labels = everything().get_field_by_name("labels").unwrap();
    let entry = options.read_map_entry(&labels, "a.b", "c").unwrap();
    assert_eq!(
        entry,
        (MapKey::String("a.b".into()), Value::String("c".into()))
    );
    let by_number = everything().get_field_by_name("by_number").unwrap();
    assert!(options.read_map_entry(&by_number, "1", "{}").is_err());
    assert!(
        options
            .read_map_entry(
                &everything().get_field_by_name("numbers").unwrap(),
                "1",
                "2"
            )
            .is_err()
    );
}
