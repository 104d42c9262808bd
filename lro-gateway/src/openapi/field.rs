//! The annotations of a field, in its schema.

use prost_reflect::{DynamicMessage, FieldDescriptor, Value as Proto};
use serde_json::{Map, Value};

/// Adds to a field's schema its description and what its options say.
pub(super) fn annotate(schema: &mut Value, field: &FieldDescriptor, comment: Option<&str>) {
    let Some(schema) = schema.as_object_mut() else {
        return;
    };
    if let Some(comment) = comment {
        schema.insert("description".into(), comment.into());
    }
    let behaviours = behaviours(field);
    let has = |name: &str| behaviours.iter().any(|behaviour| behaviour == name);
    flag(schema, "readOnly", has("OUTPUT_ONLY"));
    flag(schema, "writeOnly", has("INPUT_ONLY"));
    flag(schema, "deprecated", is_deprecated(&field.options()));
    if !behaviours.is_empty() {
        schema.insert("x-google-field-behavior".into(), behaviours.into());
    }
}

pub(super) fn is_required(field: &FieldDescriptor) -> bool {
    behaviours(field)
        .iter()
        .any(|behaviour| behaviour == "REQUIRED")
}

/// Whether the options of anything say that it is deprecated.
pub(super) fn is_deprecated(options: &DynamicMessage) -> bool {
    let value = options.get_field_by_name("deprecated");
    value.is_some_and(|value| value.as_bool() == Some(true))
}

pub(super) fn flag(object: &mut Map<String, Value>, name: &str, is_set: bool) {
    if is_set {
        object.insert(name.into(), true.into());
    }
}

/// The names of `google.api.field_behavior`.
fn behaviours(field: &FieldDescriptor) -> Vec<String> {
    let pool = field.parent_pool();
    let Some(extension) = pool.get_extension_by_name("google.api.field_behavior") else {
        return Vec::new();
    };
    let Some(behaviour) = pool.get_enum_by_name("google.api.FieldBehavior") else {
        return Vec::new();
    };
    let options = field.options();
    let values = options.get_extension(&extension);
    let numbers = values.as_list().unwrap_or_default();
    numbers
        .iter()
        .filter_map(Proto::as_enum_number)
        .filter_map(|number| behaviour.get_value(number))
        .map(|value| value.name().to_owned())
        .collect()
}
