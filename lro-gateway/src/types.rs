//! The descriptors that every gateway has: those of errors and of google.longrunning.

use prost::Message as _;
use prost_reflect::{DescriptorPool, FileDescriptor};
use prost_types::FileDescriptorSet;

use crate::rules::BuildError;

/// Adds the standard types that the pool does not have.
pub(crate) fn with_standard_types(mut types: DescriptorPool) -> Result<DescriptorPool, BuildError> {
    for set in [
        lro_core::pb::FILE_DESCRIPTOR_SET,
        tonic_types::pb::FILE_DESCRIPTOR_SET,
    ] {
        add(&mut types, set)?;
    }
    // The well-known types, for a set that imports none of them.
    for file in DescriptorPool::global().files() {
        add_file(&mut types, &file)?;
    }
    Ok(types)
}

/// Adds the files of an encoded set, but those whose names the pool has already. Extensions, and so
/// the rules of `google.api.http`, stay.
pub(crate) fn add(types: &mut DescriptorPool, encoded: &[u8]) -> Result<(), BuildError> {
    let set = DescriptorPool::decode(encoded);
    match set {
        Ok(set) => {
            for file in set.files() {
                add_file(types, &file)?;
            }
            Ok(())
        }
        // A set that imports what others bring.
        Err(_) => add_incomplete(types, encoded),
    }
}

fn add_file(types: &mut DescriptorPool, file: &FileDescriptor) -> Result<(), BuildError> {
    if types.get_file_by_name(file.name()).is_some() {
        return Ok(());
    }
    for dependency in file.dependencies() {
        add_file(types, &dependency)?;
    }
    // One message may stand in files of two names: the first one stays.
    let known = |name: String| types.get_message_by_name(&name).is_some();
    if file
        .messages()
        .any(|message| known(message.full_name().to_owned()))
    {
        return Ok(());
    }
    types
        .decode_file_descriptor_proto(&*file.encode_to_vec())
        .map_err(|error| {
            BuildError::new(format!(
                "the descriptors of {} do not fit: {error}",
                file.name()
            ))
        })
}

fn add_incomplete(types: &mut DescriptorPool, encoded: &[u8]) -> Result<(), BuildError> {
    let fault =
        |error: &dyn std::fmt::Display| BuildError::new(format!("not a descriptor set: {error}"));
    let set = FileDescriptorSet::decode(encoded).map_err(|error| fault(&error))?;
    let known = |name: &str| types.get_file_by_name(name).is_some();
    let files: Vec<_> = set
        .file
        .into_iter()
        .filter(|file| !known(file.name()))
        .collect();
    types
        .add_file_descriptor_protos(files)
        .map_err(|error| fault(&error))
}
