//! The standard fields of requests and metadata, which the engine knows how to read and fill.

use heck::ToSnakeCase;
use prost_reflect::{Cardinality, FieldDescriptor, Kind, MessageDescriptor, MethodDescriptor};

use crate::extern_paths::ExternPaths;

const TIMESTAMP: &str = "google.protobuf.Timestamp";

/// The standard fields of one operation rpc.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Standard {
    /// `create` for `CreateShelf`.
    pub(crate) verb: String,
    /// `v1`, if the package ends in a version.
    pub(crate) api_version: Option<String>,
    pub(crate) request: RequestFields,
    /// Names of fields, as in `lro_core::MetadataFields`, and their numbers.
    pub(crate) metadata: Vec<(&'static str, u32)>,
}

/// The standard fields that a request declares.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct RequestFields {
    pub(crate) request_id: Option<Field>,
    pub(crate) validate_only: Option<Field>,
    pub(crate) target: Option<Target>,
}

/// A field of the Rust struct that is a plain value or an `Option` of one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Field {
    pub(crate) name: String,
    pub(crate) is_option: bool,
}

/// Where a request names what the operation is done to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Target {
    /// In a field of its own.
    Field(Field),
    /// In the `name` of a resource that it carries.
    Resource { resource: String, name: Field },
}

impl Standard {
    pub(crate) fn new(
        method: &MethodDescriptor,
        metadata: Option<&MessageDescriptor>,
        externs: &ExternPaths,
    ) -> Self {
        let request = method.input();
        Self {
            verb: verb(method.name()),
            api_version: api_version(method.parent_file().package_name()),
            request: RequestFields {
                request_id: scalar(&request, "request_id", &Kind::String),
                validate_only: scalar(&request, "validate_only", &Kind::Bool),
                target: target(method, externs),
            },
            metadata: metadata.map(metadata_fields).unwrap_or_default(),
        }
    }
}

impl RequestFields {
    pub(crate) fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

impl Target {
    /// `parent`, or `shelf.name`: as errors name the field.
    pub(crate) fn path(&self) -> String {
        match self {
            Self::Field(field) => field.name.clone(),
            Self::Resource { resource, name } => format!("{resource}.{}", name.name),
        }
    }
}

/// The first word of an rpc's name, with the second after `Batch`: what AIP-136 would write after
/// the colon of the URL.
fn verb(rpc: &str) -> String {
    let words = rpc.to_snake_case();
    let mut words = words.split('_');
    let first = words.next().unwrap_or_default();
    match words.next().and_then(|second| second.split_at_checked(1)) {
        Some((letter, rest)) if first == "batch" => {
            format!("{first}{}{rest}", letter.to_ascii_uppercase())
        }
        _ => first.to_owned(),
    }
}

fn api_version(package: &str) -> Option<String> {
    let last = package.rsplit('.').next()?;
    let mut letters = last.strip_prefix('v')?.chars();
    let is_version = letters.next()?.is_ascii_digit()
        && letters.all(|it| it.is_ascii_lowercase() || it.is_ascii_digit());
    is_version.then(|| last.to_owned())
}

fn target(method: &MethodDescriptor, externs: &ExternPaths) -> Option<Target> {
    let request = method.input();
    let own = ["parent", "name"]
        .iter()
        .find_map(|name| scalar(&request, name, &Kind::String));
    if let Some(field) = own {
        return Some(Target::Field(field));
    }
    let words = method.name().to_snake_case();
    let resource = request.get_field_by_name(words.strip_prefix("update_")?)?;
    let Kind::Message(message) = resource.kind() else {
        return None;
    };
    let is_ours = !externs.cover_type(&format!(".{}", message.full_name()));
    if !is_ours || !is_single(&resource) || resource.cardinality() == Cardinality::Required {
        return None;
    }
    // prost writes the names of keywords in another way, and no resource is called that.
    syn::parse_str::<syn::Ident>(resource.name()).ok()?;
    Some(Target::Resource {
        resource: resource.name().to_owned(),
        name: scalar(&message, "name", &Kind::String)?,
    })
}

fn metadata_fields(metadata: &MessageDescriptor) -> Vec<(&'static str, u32)> {
    let times = ["create_time", "start_time", "update_time", "end_time"];
    let times = times.into_iter().filter_map(|name| {
        let field = metadata.get_field_by_name(name)?;
        let is_time = matches!(field.kind(), Kind::Message(it) if it.full_name() == TIMESTAMP);
        (is_time && is_single(&field)).then_some((name, field.number()))
    });
    let texts = [
        "target",
        "verb",
        "api_version",
        "current_step",
        "waiting_for",
        "blocked_reason",
    ];
    let texts = texts
        .into_iter()
        .filter_map(|name| Some((name, number(metadata, name, &Kind::String)?)));
    let count = number(metadata, "steps_done", &Kind::Int32).map(|number| ("steps_done", number));
    let cancellation = ["requested_cancellation", "cancel_requested"]
        .into_iter()
        .find_map(|name| number(metadata, name, &Kind::Bool))
        .map(|number| ("requested_cancellation", number));
    let others = cancellation.into_iter().chain(count);
    times.chain(texts).chain(others).collect()
}

fn number(message: &MessageDescriptor, name: &str, kind: &Kind) -> Option<u32> {
    let field = message.get_field_by_name(name)?;
    (field.kind() == *kind && is_single(&field)).then(|| field.number())
}

fn scalar(message: &MessageDescriptor, name: &str, kind: &Kind) -> Option<Field> {
    let field = message.get_field_by_name(name)?;
    let is_option = field.supports_presence() && field.cardinality() != Cardinality::Required;
    (field.kind() == *kind && is_single(&field)).then(|| Field {
        name: name.to_owned(),
        is_option,
    })
}

/// Whether the field is one of its own: neither many nor one of several.
fn is_single(field: &FieldDescriptor) -> bool {
    let one_of_several = field
        .containing_oneof()
        .is_some_and(|it| !it.is_synthetic());
    field.cardinality() != Cardinality::Repeated && !one_of_several
}

#[cfg(test)]
mod tests {
    use super::{api_version, verb};

    #[test]
    fn a_verb_is_the_first_word() {
        let check = |rpc, expected| assert_eq!(verb(rpc), expected);
        check("CreateShelf", "create");
        check("Export", "export");
        check("BatchCreateShelves", "batchCreate");
        check("Batch", "batch");
        check("runJob", "run");
        check("", "");
    }

    #[test]
    fn a_version_is_the_last_segment() {
        let check = |package, expected: Option<&str>| {
            assert_eq!(api_version(package).as_deref(), expected, "{package}");
        };
        check("shelf.v1", Some("v1"));
        check("v2beta1", Some("v2beta1"));
        check("google.cloud.vision.v1p1beta1", Some("v1p1beta1"));
        check("shelf.video", None);
        check("shelf.v", None);
        check("shelf.V1", None);
        check("", None);
    }
}
