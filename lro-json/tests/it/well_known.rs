//! Well-known types: what is read, and what is refused.

use crate::read::{check, refused};

/// gateway:79 gateway:80 gateway:81
#[test]
fn times_and_masks_are_strings() {
    check(
        r#"{"timestamp":"2024-01-01T00:00:00+05:30"}"#,
        r#"{"timestamp":"2023-12-31T18:30:00Z"}"#,
    );
    check(r#"{"duration":"-1.50s"}"#, r#"{"duration":"-1.500s"}"#);
    check(
        r#"{"mask":"displayName,a.bC"}"#,
        r#"{"mask":"displayName,a.bC"}"#,
    );
    refused(
        r#"{"timestamp":"2024-01-01T00:00:60Z"}"#,
        "timestamp",
        "expected a time such as",
    );
    refused(
        r#"{"timestamp":5}"#,
        "timestamp",
        "expected a string, found a number",
    );
    refused(
        r#"{"duration":"1.0000000001s"}"#,
        "duration",
        "expected a duration such as",
    );
    refused(r#"{"mask":"display_name"}"#, "mask", "camel case");
    refused(
        r#"{"mask":{"paths":["a"]}}"#,
        "mask",
        "expected a string, found an object",
    );
}

/// gateway:82
#[test]
fn wrappers_are_their_value() {
    check(
        r#"{"int64Wrapper":"5","boolWrapper":false}"#,
        r#"{"int64Wrapper":"5","boolWrapper":false}"#,
    );
    check(r#"{"int64Wrapper":null}"#, "{}");
    refused(
        r#"{"int64Wrapper":{"value":5}}"#,
        "int64Wrapper",
        "expected a 64-bit integer",
    );
}

/// gateway:83
#[test]
fn null_is_a_value_of_a_value() {
    check(
        r#"{"value":null,"valueList":[null,1],"struct":{"a":null},"listValue":[null]}"#,
        r#"{"struct":{"a":null},"value":null,"listValue":[null],"valueList":[null,1.0]}"#,
    );
    check(r#"{"choiceNull":null}"#, r#"{"choiceNull":null}"#);
    check(r#"{"values":{"a":null}}"#, r#"{"values":{"a":null}}"#);
    check(
        r#"{"value":{"b":[true,"x",{"c":-1.5}],"a":{}}}"#,
        r#"{"value":{"a":{},"b":[true,"x",{"c":-1.5}]}}"#,
    );
}

/// spec:149 gateway:84 gateway:85 gateway:86 gateway:87
#[test]
fn an_any_has_the_fields_of_its_type() {
    check(
        r#"{"any":{"int32Value":5,"@type":"type.googleapis.com/json.test.Everything"}}"#,
        r#"{"any":{"@type":"type.googleapis.com/json.test.Everything","int32Value":5}}"#,
    );
    check(
        r#"{"any":{"value":"1.5s","@type":"type.googleapis.com/google.protobuf.Duration"}}"#,
        r#"{"any":{"@type":"type.googleapis.com/google.protobuf.Duration","value":"1.500s"}}"#,
    );
    let any = r#"{"@type":"x.y/google.protobuf.Any","value":{"@type":"z/google.protobuf.Int32Value","value":5}}"#;
    check(
        &format!(r#"{{"any":{any}}}"#),
        &format!(r#"{{"any":{any}}}"#),
    );
    check(r#"{"any":{}}"#, r#"{"any":{}}"#);
    let empty = r#"{"any":{"@type":"type.googleapis.com/google.protobuf.Empty"}}"#;
    check(empty, empty);
    check(
        r#"{"any":{"value":{ },"@type":"type.googleapis.com/google.protobuf.Empty"}}"#,
        empty,
    );

    refused(r#"{"any":{"int32Value":5}}"#, "any", "@type");
    for type_url in ["Everything", "type.googleapis.com/json.test.Nothing", ""] {
        let json = format!(r#"{{"any":{{"@type":"{type_url}"}}}}"#);
        refused(
            &json,
            "any.\"@type\"",
            if type_url.contains('/') {
                "unknown type"
            } else {
                "expected a URL"
            },
        );
    }
    refused(
        r#"{"any":{"@type":5}}"#,
        "any.\"@type\"",
        "expected a string",
    );
    refused(
        r#"{"any":{"@type":"a/json.test.Everything","@type":"a/json.test.Everything"}}"#,
        "any.\"@type\"",
        "given twice",
    );
    refused(
        r#"{"any":{"@type":"a/json.test.Everything","nope":1}}"#,
        "any.nope",
        "no such field",
    );
    refused(
        r#"{"any":{"@type":"a/google.protobuf.Duration"}}"#,
        "any",
        "\"value\"",
    );
    refused(
        r#"{"any":{"@type":"a/google.protobuf.Duration","value":null}}"#,
        "any.value",
        "null",
    );
    refused(
        r#"{"any":{"@type":"a/google.protobuf.Duration","value":"1s","x":1}}"#,
        "any.x",
        "no such member",
    );
    refused(
        r#"{"any":{"@type":"a/google.protobuf.Empty","value":5}}"#,
        "any.value",
        "expected {}",
    );
    refused(
        r#"{"any":{"@type":"a/json.test.Everything","inner":{"numbers":[1,"x"]}}}"#,
        "any.inner.numbers[1]",
        "x",
    );
}
