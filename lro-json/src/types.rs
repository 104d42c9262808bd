//! Pools of types from several descriptor sets.

use std::error::Error;
use std::fmt;

use prost::Message as _;
use prost_reflect::{DescriptorPool, FileDescriptor};
use prost_types::FileDescriptorSet;

/// Adds the files of an encoded `FileDescriptorSet` to a pool. Files stay out whose names the pool has already, and so
/// do those with one of its messages: the first one stays.
///
/// ```
/// use prost_reflect::DescriptorPool;
///
/// let mut types = DescriptorPool::global();
/// let same = types.encode_to_vec();
/// lro_json::add_descriptor_set(&mut types, &same)?;
/// assert!(lro_json::add_descriptor_set(&mut types, b"none").is_err());
/// # Ok::<(), lro_json::DescriptorSetError>(())
/// ```
///
/// # Errors
///
/// When the bytes are no set, or a file imports what neither the set nor the pool has.
pub fn add_descriptor_set(
    types: &mut DescriptorPool,
    encoded: &[u8],
) -> Result<(), DescriptorSetError> {
    if let Ok(set) = DescriptorPool::decode(encoded) {
        return set.files().try_for_each(|file| add_file(types, &file));
    }
    // A set that imports what the pool has.
    let set = FileDescriptorSet::decode(encoded);
    let mut files = set
        .map_err(|error| DescriptorSetError(error.to_string()))?
        .file;
    files.retain(|file| types.get_file_by_name(file.name()).is_none());
    let added = types.add_file_descriptor_protos(files);
    added.map_err(|error| DescriptorSetError(error.to_string()))
}

/// Why a descriptor set cannot be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DescriptorSetError(String);

impl fmt::Display for DescriptorSetError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Error for DescriptorSetError {}

fn add_file(types: &mut DescriptorPool, file: &FileDescriptor) -> Result<(), DescriptorSetError> {
    let known = |name: &str| types.get_message_by_name(name).is_some();
    let repeated = file.messages().any(|message| known(message.full_name()));
    if repeated || types.get_file_by_name(file.name()).is_some() {
        return Ok(());
    }
    for dependency in file.dependencies() {
        add_file(types, &dependency)?;
    }
    types
        .decode_file_descriptor_proto(&*file.encode_to_vec())
        .map_err(|error| DescriptorSetError(format!("{}: {error}", file.name())))
}
