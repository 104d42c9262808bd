//! The names in an `operation_info`.

use prost_reflect::{DescriptorPool, MessageDescriptor, MethodDescriptor};

use crate::imports;
use crate::protos::Protos;

/// The message of this name, for an rpc of this package.
pub(super) fn resolve(
    pool: &DescriptorPool,
    package: &str,
    name: &str,
) -> Option<MessageDescriptor> {
    // The pool would take a leading dot, too.
    if name.starts_with('.') {
        return None;
    }
    pool.get_message_by_name(&full_name(package, name))
}

/// The error about a name that is not a message's, with the name that was probably meant.
pub(super) fn advise(
    protos: &Protos,
    method: &MethodDescriptor,
    field: &str,
    name: &str,
) -> String {
    if name.is_empty() {
        return advise_on_empty(method.name(), field);
    }
    let file = method.parent_file();
    let package = file.package_name();
    let pool = &protos.pool;
    let is_message = |name: &str| pool.get_message_by_name(name).is_some();
    if let Some(bare) = name.strip_prefix('.') {
        return format!("{field} \"{name}\" starts with a dot; write `{field}: \"{bare}\"`");
    }
    let full_name = full_name(package, name);
    if let Some(reason) = protos.unusable.get(&full_name) {
        return format!("{field} \"{name}\" {reason}");
    }
    if pool.get_enum_by_name(&full_name).is_some() {
        return format!(
            "{field} \"{name}\" is an enum; write the name of a message, such as one with a field \
             of that enum"
        );
    }
    if name.contains('.') {
        let nested = qualify(package, name);
        if is_message(&nested) {
            return format!(
                "{field} \"{name}\" is looked up as a full name, because it has a dot; write \
                 `{field}: \"{nested}\"`"
            );
        }
        if let Some(file) = imports::declaring(name) {
            return format!(
                "{field} \"{name}\" is not imported; write `import \"{file}\";` at the top of \
                 the file"
            );
        }
        let all: Vec<MessageDescriptor> = pool.all_messages().collect();
        let near = nearest(name, all.iter().map(MessageDescriptor::full_name));
        let place = place(protos);
        return format!(
            "{field} \"{name}\" is not a message of the compiled files{near}; write the full \
             name of one, with its package, and import its file, or if the proto is not yours \
             {place}"
        );
    }
    // A message of another package is rarely meant; one that is nested in a message of this one is.
    let elsewhere = pool.all_messages().find(|message| {
        let is_near = message.parent_file().package_name() == package
            || message.full_name().starts_with("google.protobuf.");
        message.name() == name && is_near
    });
    match elsewhere {
        Some(message) => format!(
            "{field} \"{name}\" is not a message of package {package}; write `{field}: \"{}\"`",
            message.full_name(),
        ),
        None => {
            let ours: Vec<MessageDescriptor> = pool
                .all_messages()
                .filter(|message| message.full_name() == qualify(package, message.name()))
                .collect();
            let near = nearest(name, ours.iter().map(MessageDescriptor::name));
            let place = place(protos);
            format!(
                "{field} \"{name}\" is not a message of package {package}{near}; write the name \
                 of one, or the full name of a message of another package, or if the proto is not \
                 yours {place}"
            )
        }
    }
}

/// The error about a name that is not there. Style advice refuses `Empty` for metadata, so this
/// does not propose it.
fn advise_on_empty(method: &str, field: &str) -> String {
    if field == "metadata_type" {
        format!(
            "{field} is empty; write `{field}: \"{method}Metadata\"` with the name of a message, \
             which may have no fields yet"
        )
    } else {
        format!(
            "{field} is empty; write `{field}: \"{method}Response\"` with the name of a message, \
             or `{field}: \"google.protobuf.Empty\"` if there is nothing to return"
        )
    }
}

/// The way out where the user cannot add an import.
fn place(protos: &Protos) -> &'static str {
    if protos.is_set() {
        "compile the file that declares it into the descriptor set, too"
    } else {
        "put the file that declares it below an include path"
    }
}

/// ` (did you mean "Response"?)`, if there is a name like this one.
pub(super) fn nearest<'a>(name: &str, names: impl Iterator<Item = &'a str>) -> String {
    // Three letters, or a third of them, are a slip; more is another name.
    let last = name.rsplit('.').next().unwrap_or_default();
    let limit = (last.chars().count() / 3).clamp(1, 3);
    let lower = name.to_lowercase();
    let mut near: Vec<(usize, &str)> = names
        .map(|other| (strsim::osa_distance(&lower, &other.to_lowercase()), other))
        .filter(|(distance, _)| *distance <= limit)
        .collect();
    near.sort_unstable();
    near.dedup();
    let quoted: Vec<String> = near
        .iter()
        .take(3)
        .map(|(_, name)| format!("\"{name}\""))
        .collect();
    if quoted.is_empty() {
        String::new()
    } else {
        format!(" (did you mean {}?)", quoted.join(" or "))
    }
}

/// A name without a dot belongs to the package, any other one is full.
pub(super) fn full_name(package: &str, name: &str) -> String {
    if name.contains('.') {
        name.to_owned()
    } else {
        qualify(package, name)
    }
}

fn qualify(package: &str, name: &str) -> String {
    if package.is_empty() {
        name.to_owned()
    } else {
        format!("{package}.{name}")
    }
}
