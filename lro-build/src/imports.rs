//! The google protos that come with the crate.

use protox::Error;
use protox::file::{File, FileResolver};

macro_rules! google_protos {
    ($($name:literal),+ $(,)?) => {
        /// Import path and text of every proto that needs no file of the user's.
        pub(crate) const GOOGLE_PROTOS: &[(&str, &str)] =
            &[$(($name, include_str!(concat!("../proto/", $name)))),+];
    };
}

google_protos![
    "google/api/annotations.proto",
    "google/api/client.proto",
    "google/api/field_behavior.proto",
    "google/api/field_info.proto",
    "google/api/http.proto",
    "google/api/httpbody.proto",
    "google/api/launch_stage.proto",
    "google/api/resource.proto",
    "google/api/routing.proto",
    "google/longrunning/operations.proto",
    "google/rpc/code.proto",
    "google/rpc/error_details.proto",
    "google/rpc/status.proto",
];

/// The file to import for a type or an option of google's, by its full name or its end.
pub(crate) fn declaring(name: &str) -> Option<&'static str> {
    let name = name.trim_start_matches('.');
    if let Some(name) = name.strip_prefix("google.protobuf.") {
        return well_known(name);
    }
    let file = match name {
        "google.longrunning.operation_info" => "operations",
        "google.api.http" => "annotations",
        "google.api.field_behavior" => "field_behavior",
        "google.api.field_info" => "field_info",
        "google.api.routing" => "routing",
        "google.api.resource"
        | "google.api.resource_reference"
        | "google.api.resource_definition" => "resource",
        "google.api.default_host" | "google.api.method_signature" | "google.api.oauth_scopes" => {
            "client"
        }
        _ => {
            let (package, message) = name.rsplit_once('.')?;
            let declaration = [
                format!("message {message} {{"),
                format!("enum {message} {{"),
            ];
            let package = format!("package {package};");
            return GOOGLE_PROTOS
                .iter()
                .find(|(_, text)| {
                    text.contains(&package)
                        && declaration.iter().any(|line| text.contains(line.as_str()))
                })
                .map(|(file, _)| *file);
        }
    };
    let file = format!("/{file}.proto");
    GOOGLE_PROTOS
        .iter()
        .map(|(name, _)| *name)
        .find(|name| name.ends_with(&file))
}

/// The file of a type of `google.protobuf`.
fn well_known(name: &str) -> Option<&'static str> {
    match name {
        "Any" => Some("google/protobuf/any.proto"),
        "Duration" => Some("google/protobuf/duration.proto"),
        "Empty" => Some("google/protobuf/empty.proto"),
        "FieldMask" => Some("google/protobuf/field_mask.proto"),
        "ListValue" | "NullValue" | "Struct" | "Value" => Some("google/protobuf/struct.proto"),
        "Timestamp" => Some("google/protobuf/timestamp.proto"),
        "BoolValue" | "BytesValue" | "DoubleValue" | "FloatValue" | "Int32Value" | "Int64Value"
        | "StringValue" | "UInt32Value" | "UInt64Value" => Some("google/protobuf/wrappers.proto"),
        _ => None,
    }
}

/// Finds [`GOOGLE_PROTOS`]; it stands behind the include paths, so a copy of the user's wins.
#[derive(Debug)]
pub(crate) struct GoogleProtos;

impl FileResolver for GoogleProtos {
    fn open_file(&self, name: &str) -> Result<File, Error> {
        match GOOGLE_PROTOS.iter().find(|(known, _)| *known == name) {
            Some((name, text)) => File::from_source(name, text),
            None => Err(Error::file_not_found(name)),
        }
    }
}
