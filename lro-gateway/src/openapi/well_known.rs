//! Messages with a JSON form of their own.

use serde_json::{Value, json};

/// The schema of a message with a special form. `None` for others.
pub(super) fn schema(full_name: &str) -> Option<Value> {
    let name = full_name.strip_prefix("google.protobuf.")?;
    Some(match name {
        "Any" => json!({
            "type": "object",
            "description": "A message of the type that `@type` names. A type that has a JSON form of its own is in `value`; so are, as base64, the bytes of a type that the server does not know.",
            "properties": { "@type": { "type": "string" } },
            "additionalProperties": true,
        }),
        "Timestamp" => json!({ "type": "string", "format": "date-time" }),
        "Duration" => json!({ "type": "string", "pattern": r"^-?[0-9]{1,12}(\.[0-9]{1,9})?s$" }),
        "FieldMask" => json!({
            "type": "string",
            "description": "Paths of fields in camel case, separated by commas.",
        }),
        "Struct" => json!({ "type": "object", "additionalProperties": true }),
        "Value" => json!({}),
        "ListValue" => json!({ "type": "array", "items": {} }),
        "Empty" => json!({ "type": "object" }),
        "BoolValue" => json!({ "type": "boolean" }),
        "StringValue" => json!({ "type": "string" }),
        "BytesValue" => bytes(),
        "Int32Value" => int32(),
        "UInt32Value" => uint32(),
        "Int64Value" => int64(),
        "UInt64Value" => uint64(),
        "FloatValue" => float("float"),
        "DoubleValue" => float("double"),
        _ => return None,
    })
}

/// Whether a query can hold the message as one parameter.
pub(super) fn is_text(full_name: &str) -> bool {
    let name = full_name.strip_prefix("google.protobuf.");
    name.is_some_and(|name| {
        matches!(name, "Timestamp" | "Duration" | "FieldMask")
            || name.ends_with("Value") && { !matches!(name, "Value" | "ListValue") }
    })
}

pub(super) fn bytes() -> Value {
    json!({ "type": "string", "contentEncoding": "base64" })
}

pub(super) fn int32() -> Value {
    json!({ "type": "integer", "format": "int32", "minimum": i32::MIN, "maximum": i32::MAX })
}

pub(super) fn uint32() -> Value {
    json!({ "type": "integer", "format": "uint32", "minimum": 0, "maximum": u32::MAX })
}

pub(super) fn int64() -> Value {
    json!({ "type": "string", "format": "int64", "pattern": "^-?[0-9]{1,19}$" })
}

pub(super) fn uint64() -> Value {
    json!({ "type": "string", "format": "uint64", "pattern": "^[0-9]{1,20}$" })
}

pub(super) fn float(format: &str) -> Value {
    json!({ "anyOf": [
        { "type": "number", "format": format },
        { "type": "string", "enum": ["NaN", "Infinity", "-Infinity"] },
    ] })
}
