//! The messages that the operation of an rpc without `operation_info` may carry.

use prost_reflect::{MessageDescriptor, MethodDescriptor};

use crate::extern_paths::{ExternPaths, is_wrapped};

/// The messages that AIP-151 allows in the annotation: those of the package, and of the files that are
/// imported by name, with such as `Struct` of google's. Types from the user's own Rust paths are
/// not among them: whether those have names is unknown here.
pub(super) fn candidates(
    method: &MethodDescriptor,
    externs: &ExternPaths,
) -> Vec<MessageDescriptor> {
    let file = method.parent_file();
    let is_near = |message: &MessageDescriptor| {
        let other = message.parent_file();
        other.package_name() == file.package_name()
            || file.dependencies().any(|import| import == other)
    };
    file.parent_pool()
        .all_messages()
        .filter(|message| {
            let name = message.full_name();
            let is_google = name.starts_with("google.");
            is_near(message)
                && !message.is_map_entry()
                && (!is_google || is_wrapped(name))
                && !externs.cover_type(&format!(".{name}"))
        })
        .collect()
}
