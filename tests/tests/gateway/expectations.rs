//! The expectations of a case, against what came.

use std::collections::BTreeMap;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::HeaderMap;
use serde_json::Value;

use crate::cases::list;
use crate::wire::Received;

pub(crate) fn check_metadata(expected: &Value, metadata: &HeaderMap) -> Result<(), String> {
    let mut wanted: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for pair in list(&expected["metadata"]) {
        let [name, value] = list(pair) else {
            return Err("metadata are pairs".to_owned());
        };
        let (Some(name), Some(value)) = (name.as_str(), value.as_str()) else {
            return Err("metadata are texts".to_owned());
        };
        wanted.entry(name).or_default().push(value);
    }
    for (name, values) in wanted {
        let got: Vec<_> = metadata
            .get_all(name)
            .iter()
            .filter_map(|value| value.to_str().ok())
            .collect();
        if got != values {
            return Err(format!("the metadata `{name}` is {got:?}"));
        }
    }
    for name in list(&expected["metadata_absent"])
        .iter()
        .filter_map(Value::as_str)
    {
        // The deadline is metadata of the transport, which gRPC takes off.
        let is_transport = matches!(name, "te" | "grpc-timeout");
        if metadata.contains_key(name) && !is_transport {
            return Err(format!("the metadata `{name}` is there"));
        }
    }
    if let Some(most) = expected["deadline_at_most_ms"].as_u64() {
        let timeout = metadata
            .get("grpc-timeout")
            .and_then(|value| value.to_str().ok())
            .and_then(parse_timeout);
        if timeout.is_none_or(|timeout| timeout > Duration::from_millis(most)) {
            return Err(format!("the deadline is {timeout:?}"));
        }
    }
    Ok(())
}

fn parse_timeout(text: &str) -> Option<Duration> {
    let (digits, unit) = text.split_at_checked(text.len() - 1)?;
    let number = digits.parse().ok()?;
    Some(match unit {
        "S" => Duration::from_secs(number),
        "m" => Duration::from_millis(number),
        "u" => Duration::from_micros(number),
        "n" => Duration::from_nanos(number),
        _ => return None,
    })
}

pub(crate) fn check_response(expect: &Value, received: &Received) -> Result<(), String> {
    let body = String::from_utf8_lossy(&received.body);
    let excerpt: String = body.chars().take(300).collect();
    if expect["status"].as_u64() != Some(u64::from(received.status)) {
        return Err(format!("status {}: {excerpt}", received.status));
    }
    if let Some(headers) = expect["headers"].as_object() {
        for (name, expected) in headers {
            check_header(name, expected, &received.headers)?;
        }
    }
    if expect["body_empty"] == true && !received.body.is_empty() {
        return Err(format!("a body: {excerpt}"));
    }
    if let Some(expected) = expect["body_base64"].as_str()
        && STANDARD.encode(&received.body) != expected
    {
        return Err(format!("the body {excerpt}"));
    }
    let framing = expect["framing"].as_str();
    if !received.is_whole && framing != Some("array_aborted") {
        return Err(format!("the body was cut off: {excerpt}"));
    }
    if let Some(expected) = expect.get("body_json") {
        let got = parse_body(framing, received, &body)?;
        let matches = if expect["body_match"] == "subset" {
            contains(&got, expected)
        } else {
            equal(&got, expected)
        };
        // Messages in an error of a stream are compared by what is expected of them.
        let matches = matches || (framing == Some("array_aborted") && contains(&got, expected));
        if !matches {
            return Err(format!("the body {excerpt}"));
        }
    }
    if let Some(field) = expect["field"].as_str() {
        let got: Value = serde_json::from_str(&body).map_err(|error| error.to_string())?;
        let violations = list(&got["error"]["details"])
            .iter()
            .flat_map(|detail| list(&detail["fieldViolations"]));
        let fields: Vec<&str> = violations
            .filter_map(|violation| violation["field"].as_str())
            .collect();
        if !fields.contains(&field) {
            return Err(format!("the fields at fault are {fields:?}: {excerpt}"));
        }
    }
    Ok(())
}

fn check_header(name: &str, expected: &Value, headers: &HeaderMap) -> Result<(), String> {
    let got: Vec<&str> = headers
        .get_all(name)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .collect();
    let matches = match expected {
        Value::Null => got.is_empty(),
        Value::String(value) => got == [value.as_str()],
        Value::Object(object) => match (object.get("prefix"), object.get("contains")) {
            (Some(Value::String(prefix)), None) => {
                got.first().is_some_and(|value| value.starts_with(prefix))
            }
            (None, Some(Value::String(part))) => got.join(", ").contains(part),
            _ => return Err(format!("an unknown expectation of the header `{name}`")),
        },
        _ => return Err(format!("an unknown expectation of the header `{name}`")),
    };
    if matches {
        Ok(())
    } else {
        Err(format!("the header `{name}` is {got:?}"))
    }
}

/// The JSON of a body; of a stream, the list of its messages.
fn parse_body(framing: Option<&str>, received: &Received, body: &str) -> Result<Value, String> {
    let parse = |text: &str| {
        serde_json::from_str::<Value>(text).map_err(|error| format!("{error} in {text}"))
    };
    match framing {
        None => parse(body),
        Some("array") if body.starts_with('[') && body.ends_with(']') => parse(body),
        Some("array_aborted")
            if !received.is_whole && body.starts_with('[') && !body.ends_with(']') =>
        {
            parse(&format!("{body}]"))
        }
        Some("ndjson") if body.is_empty() || body.ends_with('\n') => body
            .lines()
            .map(parse)
            .collect::<Result<Vec<_>, _>>()
            .map(Value::Array),
        Some("sse") => {
            let events = body.split("\n\n").filter(|event| !event.is_empty());
            let data = events
                .filter_map(|event| event.lines().find_map(|line| line.strip_prefix("data: ")));
            data.map(parse)
                .collect::<Result<Vec<_>, _>>()
                .map(Value::Array)
        }
        Some(framing) => Err(format!("not framed as {framing}: {body}")),
    }
}

/// Equal, numbers by their value.
fn equal(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Number(a), Value::Number(b)) => a.as_f64() == b.as_f64(),
        (Value::Array(a), Value::Array(b)) => {
            a.len() == b.len() && a.iter().zip(b).all(|(a, b)| equal(a, b))
        }
        (Value::Object(a), Value::Object(b)) => {
            a.len() == b.len()
                && a.iter()
                    .all(|(key, a)| b.get(key).is_some_and(|b| equal(a, b)))
        }
        (a, b) => a == b,
    }
}

/// Whether the value has all that the part has; of lists, as many elements.
fn contains(value: &Value, part: &Value) -> bool {
    match (value, part) {
        (Value::Object(value), Value::Object(part)) => part
            .iter()
            .all(|(key, part)| value.get(key).is_some_and(|value| contains(value, part))),
        (Value::Array(value), Value::Array(part)) => {
            value.len() == part.len()
                && value
                    .iter()
                    .zip(part)
                    .all(|(value, part)| contains(value, part))
        }
        (value, part) => equal(value, part),
    }
}
