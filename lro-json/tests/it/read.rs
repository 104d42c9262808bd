//! Texts that are read, and texts that are refused.

use lro_json::ReadOptions;
use prost::Message as _;
use prost_reflect::DynamicMessage;

use crate::types::{everything, read, write};

/// Reads the first text, and expects to write the second.
pub(crate) fn check(json: &str, canonical: &str) {
    let message = read(json).unwrap_or_else(|error| panic!("{json}: {error}"));
    assert_eq!(write(&message), canonical, "{json}");
}

/// Reads the text, and expects the field at fault and a part of the reason.
pub(crate) fn refused(json: &str, field: &str, reason: &str) {
    // Not `expect_err`: a descriptor of a recursive message cannot be formatted for debugging.
    let Err(error) = read(json) else {
        panic!("{json} was read");
    };
    assert_eq!(error.field(), field, "{json}: {error}");
    assert!(error.reason().contains(reason), "{json}: {error}");
}

/// gateway:73
#[test]
fn a_field_has_two_names() {
    check(r#"{"int32Value":1}"#, r#"{"int32Value":1}"#);
    check(r#"{"int32_value":1}"#, r#"{"int32Value":1}"#);
    check(r#"{"weird-Name":"a"}"#, r#"{"weird-Name":"a"}"#);
    check(r#"{"odd_name":"a"}"#, r#"{"weird-Name":"a"}"#);
    refused(
        r#"{"oddName":"a"}"#,
        "oddName",
        "no such field in json.test.Everything",
    );
}

/// gateway:74
#[test]
fn integers_are_exact() {
    check(
        r#"{"int64Value":9007199254740993,"uint64Value":18446744073709551615}"#,
        r#"{"int64Value":"9007199254740993","uint64Value":"18446744073709551615"}"#,
    );
    check(
        r#"{"numbers":[1e2,"2",3.0,"4e0",-0]}"#,
        r#"{"numbers":[100,2,3,4,0]}"#,
    );
    for json in [
        r#"{"int32Value":1.5}"#,
        r#"{"int32Value":2147483648}"#,
        r#"{"int32Value":"x"}"#,
        r#"{"int32Value":""}"#,
        r#"{"int32Value":" 5"}"#,
        r#"{"int32Value":true}"#,
        r#"{"int32Value":[1]}"#,
        r#"{"int32Value":{}}"#,
    ] {
        refused(json, "int32Value", "expected a 32-bit integer, found ");
    }
    refused(
        r#"{"uint64Value":18446744073709551616}"#,
        "uint64Value",
        "18446744073709551616",
    );
    refused(
        r#"{"int64Value":9.223372036854775808e18}"#,
        "int64Value",
        "9.223372036854775808e18",
    );
    refused(r#"{"uint32Value":-1}"#, "uint32Value", "found -1");
    refused(r#"{"int32Value":01}"#, "", "not valid JSON");
}

/// gateway:75
#[test]
fn floats_are_numbers_or_three_names() {
    check(
        r#"{"floatValue":"NaN","doubleValue":"-Infinity"}"#,
        r#"{"floatValue":"NaN","doubleValue":"-Infinity"}"#,
    );
    check(
        r#"{"doubleValue":"1.5e3","floatValue":0.1}"#,
        r#"{"floatValue":0.1,"doubleValue":1500.0}"#,
    );
    for json in [
        r#"{"doubleValue":"nan"}"#,
        r#"{"doubleValue":"inf"}"#,
        r#"{"doubleValue":1e400}"#,
    ] {
        refused(json, "doubleValue", "expected a number");
    }
    refused(
        r#"{"doubleValue":"1e400"}"#,
        "doubleValue",
        "expected a number",
    );
    refused(r#"{"floatValue":1e39}"#, "floatValue", "expected a number");
    refused(r#"{"doubleValue":NaN}"#, "", "not valid JSON");
}

/// gateway:76
#[test]
fn a_value_has_the_type_of_its_field() {
    refused(
        r#"{"boolValue":"true"}"#,
        "boolValue",
        "expected true or false",
    );
    refused(
        r#"{"stringValue":5}"#,
        "stringValue",
        "expected a string, found a number",
    );
    refused(
        r#"{"inner":[]}"#,
        "inner",
        "expected an object, found an array",
    );
    refused(
        r#"{"numbers":1}"#,
        "numbers",
        "expected an array, found a number",
    );
    refused(
        r#"{"labels":[]}"#,
        "labels",
        "expected an object, found an array",
    );
    refused("[]", "", "expected an object, found an array");
    refused("null", "", "expected an object, found null");
    refused("7", "", "expected an object, found a number");
}

/// gateway:77
#[test]
fn enums_are_names_or_numbers() {
    check(
        r#"{"colours":["RED",2,-1,77]}"#,
        r#"{"colours":["RED","GREEN","DARK",77]}"#,
    );
    refused(
        r#"{"colour":"red"}"#,
        "colour",
        r#""red" is no value of Colour; it has "#,
    );
    refused(r#"{"colour":2147483648}"#, "colour", "2147483648");
    refused(r#"{"colour":1.5}"#, "colour", "1.5");
}

/// gateway:78
#[test]
fn bytes_are_base64_with_or_without_padding() {
    check(
        r#"{"blobs":["+/8=","-_8","AA==",""]}"#,
        r#"{"blobs":["+/8=","+/8=","AA==",""]}"#,
    );
    refused(
        r#"{"blobs":["AA==","a"]}"#,
        "blobs[1]",
        "expected a string in base64",
    );
}

/// gateway:88
#[test]
fn an_unknown_field_is_named_with_its_path() {
    refused(
        r#"{"inner":{"inners":[{},{"nope":1}]}}"#,
        "inner.inners[1].nope",
        "no such field",
    );
    refused(
        r#"{"byNumber":{"7":{"nope":1}}}"#,
        "byNumber[\"7\"].nope",
        "no such field",
    );
    let lenient = ReadOptions::new().ignore_unknown_fields(true);
    let read = lenient
        .read(&everything(), br#"{"nope":[{}],"int32Value":1}"#)
        .unwrap();
    assert_eq!(write(&read), r#"{"int32Value":1}"#);
}

/// gateway:89
#[test]
fn a_field_or_a_key_given_twice_is_refused() {
    refused(
        r#"{"int32Value":1,"int32Value":1}"#,
        "int32Value",
        "given twice",
    );
    refused(
        r#"{"int32Value":1,"int32_value":null}"#,
        "int32_value",
        "given twice",
    );
    refused(
        r#"{"labels":{"a":"1","a":"2"}}"#,
        "labels[\"a\"]",
        "given twice",
    );
    refused(
        r#"{"labels":{"a":"1","\u0061":"2"}}"#,
        "labels[\"a\"]",
        "given twice",
    );
    refused(
        r#"{"struct":{"a":1,"a":2}}"#,
        "struct[\"a\"]",
        "given twice",
    );
}

/// gateway:90
#[test]
fn a_oneof_has_one_member() {
    refused(
        r#"{"choiceNumber":1,"choiceText":""}"#,
        "choiceText",
        "excludes `choiceNumber`",
    );
    check(
        r#"{"choiceNumber":1,"choiceText":null}"#,
        r#"{"choiceNumber":1}"#,
    );
    check(r#"{"choiceNumber":0}"#, r#"{"choiceNumber":0}"#);
}

/// gateway:91
#[test]
fn null_is_no_element() {
    check(
        r#"{"int32Value":null,"numbers":null,"labels":null,"inner":null,"any":null,"timestamp":null}"#,
        "{}",
    );
    refused(r#"{"texts":["a",null]}"#, "texts[1]", "null");
    refused(r#"{"labels":{"a":null}}"#, "labels[\"a\"]", "null");
    refused(r#"{"inners":[null]}"#, "inners[0]", "null");
    refused(r#"{"anys":[null]}"#, "anys[0]", "null");
}

/// gateway:92
#[test]
fn map_keys_are_strings_of_the_key_type() {
    check(
        r#"{"byBool":{"true":1,"false":"2"},"byUint64":{"18446744073709551615":"RED","2":1}}"#,
        r#"{"byBool":{"false":"2","true":"1"},"byUint64":{"2":"RED","18446744073709551615":"RED"}}"#,
    );
    refused(
        r#"{"byBool":{"yes":1}}"#,
        "byBool[\"yes\"]",
        "expected true or false",
    );
    refused(
        r#"{"byNumber":{"1.0":{}}}"#,
        "byNumber[\"1.0\"]",
        "expected a 32-bit integer",
    );
}

/// gateway:93
#[test]
fn strings_are_unicode() {
    check(
        r#"{"stringValue":"\ud83d\ude00\u0000<"}"#,
        r#"{"stringValue":"😀\u0000\u003c"}"#,
    );
    refused(
        r#"{"stringValue":"\ud83d"}"#,
        "stringValue",
        "not a valid string",
    );
    refused(r#"{"labels":{"\udc00":"a"}}"#, "", "not valid JSON");
}

/// gateway:94
#[test]
fn deep_nesting_is_rejected_before_any_work() {
    let nested = |levels: usize| {
        let open = r#"{"inner":"#.repeat(levels - 1);
        format!("{open}{{}}{}", "}".repeat(levels - 1))
    };
    let message = read(&nested(100)).unwrap();
    DynamicMessage::decode(everything(), &*message.encode_to_vec()).unwrap();
    refused(&nested(101), "", "nested deeper than 100 levels");
    refused(&"[".repeat(1_000_000), "", "nested deeper than 100 levels");
    // Decoders count messages: three for each object in a Struct.
    let object = |levels: usize| {
        let open = r#"{"a":"#.repeat(levels);
        format!(r#"{{"struct":{open}1{}}}"#, "}".repeat(levels))
    };
    let levels = (1..100)
        .take_while(|levels| read(&object(*levels)).is_ok())
        .count();
    let message = read(&object(levels)).unwrap();
    DynamicMessage::decode(everything(), &*message.encode_to_vec()).unwrap();
    let error = read(&object(levels + 1)).unwrap_err();
    assert!(
        error.reason().contains("nested deeper than 100 messages"),
        "{error}"
    );
}

/// gateway:49
#[test]
fn the_text_is_one_json_text_in_utf_8() {
    for json in [
        "",
        " ",
        "{}{}",
        "{} x",
        "{'a':1}",
        "{\"int32Value\":1,}",
        "// c\n{}",
        "\u{feff}{}",
        "{\"int32Value\"}",
    ] {
        refused(json, "", "not valid JSON");
    }
    let error = ReadOptions::new()
        .read(&everything(), b"{\"a\":\"\xff\"}")
        .unwrap_err();
    assert_eq!(error.to_string(), "not UTF-8 at byte 6");
    check(" \t\r\n{ } ", "{}");
}
