//! The property of the fuzz target `json`: whatever the input, nothing panics, and what was written is
//! read as the same.

use lro_json::WriteOptions;
use prost::Message as _;
use prost_reflect::DynamicMessage;

use crate::types::{everything, read, write};

/// As text and as the encoding of a message.
pub(crate) fn ask(input: &[u8]) {
    if let Ok(text) = str::from_utf8(input) {
        ask_text(text);
    }
    ask_bytes(input);
}

/// A text that was read is written and read as the same message, whose encoding every decoder takes.
pub(crate) fn ask_text(json: &str) {
    let Ok(message) = read(json) else { return };
    let encoded = message.encode_to_vec();
    let decoded = DynamicMessage::decode(everything(), &*encoded).unwrap();
    let written = write(&decoded);
    let again = read(&written).unwrap_or_else(|error| panic!("{written}: {error}"));
    assert_eq!(write(&again), written, "{json}");
}

/// Whatever bytes decode to a message are written, and what is written is JSON.
pub(crate) fn ask_bytes(bytes: &[u8]) {
    let Ok(message) = DynamicMessage::decode(everything(), bytes) else {
        return;
    };
    let Ok(written) = WriteOptions::new().write(&message) else {
        return;
    };
    serde_json::from_str::<serde_json::Value>(&written.json).unwrap();
    // The reader refuses some of it: a path of a field mask that has no camel case. The rest is the same.
    if let Ok(again) = read(&written.json) {
        assert_eq!(write(&again), written.json);
    }
}
