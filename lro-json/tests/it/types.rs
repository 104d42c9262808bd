//! The types of the tests.

use std::sync::LazyLock;

use lro_json::{ReadError, ReadOptions, WriteOptions};
use prost_reflect::{DescriptorPool, DynamicMessage, MessageDescriptor};

/// The pool of `everything.proto`.
pub(crate) static TYPES: LazyLock<DescriptorPool> = LazyLock::new(|| {
    // Also the way from the folder fuzz.
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../lro-json/tests/it");
    let files = protox::compile(["everything.proto"], [folder]).unwrap();
    DescriptorPool::from_file_descriptor_set(files).unwrap()
});

/// The message with a field of every kind.
pub(crate) fn everything() -> MessageDescriptor {
    TYPES.get_message_by_name("json.test.Everything").unwrap()
}

pub(crate) fn read(json: &str) -> Result<DynamicMessage, ReadError> {
    ReadOptions::new().read(&everything(), json.as_bytes())
}

pub(crate) fn write(message: &DynamicMessage) -> String {
    WriteOptions::new().write(message).unwrap().json
}
