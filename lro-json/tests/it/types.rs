//! The types of the tests.

use std::path::Path;
use std::sync::LazyLock;

use lro_json::{ReadError, ReadOptions, WriteOptions};
use prost_reflect::{DescriptorPool, DynamicMessage, MessageDescriptor};

/// The pool of `everything.proto`.
pub(crate) static TYPES: LazyLock<DescriptorPool> = LazyLock::new(|| {
    // Tests and the fuzz target of other folders include this file.
    let mut above = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors();
    let folder = above.find_map(|it| Some(it.join("lro-json/tests/it")).filter(|it| it.is_dir()));
    let folder = folder.unwrap();
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
