//! The message types that payloads are decoded with.

use lro_core::type_name;
use prost::Message as _;
use prost_reflect::{DescriptorPool, DynamicMessage, FileDescriptor};
use prost_types::{Any, FileDescriptorSet};

/// The types of google.longrunning, of errors, and the well-known ones.
pub(crate) fn standard() -> DescriptorPool {
    let mut types = DescriptorPool::new();
    for set in [
        lro_core::pb::FILE_DESCRIPTOR_SET,
        lro_core::inspection::FILE_DESCRIPTOR_SET,
        tonic_types::pb::FILE_DESCRIPTOR_SET,
    ] {
        // Both are compiled in. One that did not fit would leave its types undecoded.
        let _ = add(&mut types, set);
    }
    for file in DescriptorPool::global().files() {
        let _ = add_file(&mut types, &file);
    }
    types
}

/// Adds the files of an encoded set, but those whose names the pool has already.
pub(crate) fn add(types: &mut DescriptorPool, encoded: &[u8]) -> Result<(), String> {
    if let Ok(set) = DescriptorPool::decode(encoded) {
        return set.files().try_for_each(|file| add_file(types, &file));
    }
    // A set that imports what others bring.
    let set = FileDescriptorSet::decode(encoded).map_err(|error| error.to_string())?;
    let mut files = set.file;
    files.retain(|file| types.get_file_by_name(file.name()).is_none());
    types
        .add_file_descriptor_protos(files)
        .map_err(|error| error.to_string())
}

fn add_file(types: &mut DescriptorPool, file: &FileDescriptor) -> Result<(), String> {
    let known = |name: &str| types.get_message_by_name(name).is_some();
    // One message may stand in files of two names: the first one stays.
    let repeated = file.messages().any(|message| known(message.full_name()));
    if repeated || types.get_file_by_name(file.name()).is_some() {
        return Ok(());
    }
    for dependency in file.dependencies() {
        add_file(types, &dependency)?;
    }
    types
        .decode_file_descriptor_proto(&*file.encode_to_vec())
        .map_err(|error| format!("{}: {error}", file.name()))
}

/// The message in an `Any`; `None` if its type is unknown or its bytes are no message of it.
pub(crate) fn decode(types: &DescriptorPool, any: &Any) -> Option<DynamicMessage> {
    let descriptor = types.get_message_by_name(type_name(&any.type_url))?;
    DynamicMessage::decode(descriptor, &*any.value).ok()
}
