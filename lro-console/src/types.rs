//! The message types that payloads are decoded with.

use lro_core::type_name;
use lro_json::add_descriptor_set;
use prost_reflect::{DescriptorPool, DynamicMessage};
use prost_types::Any;

/// The types of google.longrunning, of errors, and the well-known ones.
pub(crate) fn standard() -> DescriptorPool {
    let mut types = DescriptorPool::global();
    for set in [
        lro_core::pb::FILE_DESCRIPTOR_SET,
        lro_core::inspection::FILE_DESCRIPTOR_SET,
        tonic_types::pb::FILE_DESCRIPTOR_SET,
    ] {
        // All are compiled in. One that did not fit would leave its types undecoded.
        let _ = add_descriptor_set(&mut types, set);
    }
    types
}

/// The message in an `Any`; `None` if its type is unknown or its bytes are no message of it.
pub(crate) fn decode(types: &DescriptorPool, any: &Any) -> Option<DynamicMessage> {
    let descriptor = types.get_message_by_name(type_name(&any.type_url))?;
    DynamicMessage::decode(descriptor, &*any.value).ok()
}
