//! Proto names whose Rust types are in another crate.

/// Pairs of a proto name with its leading dot and a Rust path.
#[derive(Debug, Clone, Default)]
pub(crate) struct ExternPaths {
    paths: Vec<(String, String)>,
}

/// The messages of `google.rpc` that `tonic_types::pb` has, and the enum that lro-core adds.
pub(crate) const RPC_MESSAGES: &[&str] = &[
    "BadRequest",
    "DebugInfo",
    "ErrorInfo",
    "Help",
    "LocalizedMessage",
    "PreconditionFailure",
    "QuotaFailure",
    "RequestInfo",
    "ResourceInfo",
    "RetryInfo",
    "Status",
];

/// The types of `google.protobuf` for which prost implements `Name`.
const NAMED_WELL_KNOWN: &[&str] = &[
    "Any",
    "BoolValue",
    "BytesValue",
    "DoubleValue",
    "Duration",
    "Empty",
    "FloatValue",
    "Int32Value",
    "Int64Value",
    "StringValue",
    "Timestamp",
    "UInt32Value",
    "UInt64Value",
];

/// Whether the Rust type of a message has a type URL, if no path of the user's says where the type
/// is. Generated types have one; some types of other crates do not.
pub(crate) fn has_type_url(full_name: &str) -> bool {
    if let Some(name) = full_name.strip_prefix("google.protobuf.") {
        return NAMED_WELL_KNOWN.contains(&name);
    }
    match full_name.strip_prefix("google.rpc.") {
        Some(name) => !RPC_MESSAGES.contains(&name.split('.').next().unwrap_or_default()),
        None => true,
    }
}

/// The messages without a name that `lro_core::wkt` wraps, by their Rust types here and there.
const WRAPPED: &[(&str, &str, &str)] = &[
    (
        "google.protobuf.FieldMask",
        "::prost_types::FieldMask",
        "FieldMask",
    ),
    (
        "google.protobuf.ListValue",
        "::prost_types::ListValue",
        "ListValue",
    ),
    ("google.protobuf.Struct", "::prost_types::Struct", "Struct"),
    ("google.protobuf.Value", "::prost_types::Value", "Value"),
    ("google.rpc.Status", "::pb::rpc::Status", "Status"),
];

/// The messages of prost-types with a name, which `lro_core::wkt` has as they are.
const REEXPORTED: &[&str] = &["Any", "Duration", "Timestamp"];

/// Whether an operation can carry the message.
pub(crate) fn is_carried(full_name: &str) -> bool {
    has_type_url(full_name) || is_wrapped(full_name)
}

/// Whether `lro_core::wkt` has the message.
pub(crate) fn is_wrapped(full_name: &str) -> bool {
    WRAPPED.iter().any(|(name, _, _)| *name == full_name)
}

/// The Rust type by which an operation carries what prost-build calls this. With lro-core's names,
/// only a field makes prost-types a dependency.
pub(crate) fn carried(core: &str, rust: &str) -> String {
    let inner = rust.strip_prefix(core).unwrap_or(rust);
    let wrapped = WRAPPED.iter().find(|(_, path, _)| *path == inner);
    let name = wrapped.map(|(_, _, name)| *name).or_else(|| {
        let name = rust.strip_prefix("::prost_types::")?;
        REEXPORTED.contains(&name).then_some(name)
    });
    match name {
        Some(name) => format!("{core}::wkt::{name}"),
        None => rust.to_owned(),
    }
}

impl ExternPaths {
    pub(crate) fn push(&mut self, proto: impl Into<String>, rust: impl Into<String>) {
        self.paths.push((proto.into(), rust.into()));
    }

    /// Adds a path unless the name or something around it has one already.
    pub(crate) fn push_default(&mut self, proto: &str, rust: &str) {
        if !self.cover_type(proto) {
            self.push(proto, rust);
        }
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.paths
            .iter()
            .map(|(proto, rust)| (proto.as_str(), rust.as_str()))
    }

    /// Whether all types of the package are elsewhere; its services are then, too.
    pub(crate) fn cover_package(&self, package: &str) -> bool {
        package == "google.protobuf" || self.cover_type(&format!(".{package}"))
    }

    /// Whether the type, written with a leading dot, is elsewhere.
    pub(crate) fn cover_type(&self, name: &str) -> bool {
        self.paths.iter().any(|(path, _)| {
            name.strip_prefix(path.as_str())
                .is_some_and(|rest| rest.is_empty() || rest.starts_with('.') || path == ".")
        })
    }
}
