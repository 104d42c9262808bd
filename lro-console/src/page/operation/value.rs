//! The fields of a form that gives a promise its value.

use lro_json::WriteOptions;
use maud::{Markup, html};
use prost_reflect::{DescriptorPool, DynamicMessage};

use crate::text::visible;

/// The fields of a value: its type, unless the method declares it, and its JSON, with all fields of the type to fill in.
pub(super) fn value_fields(at: usize, declared: Option<&str>, types: &DescriptorPool) -> Markup {
    let template = declared.and_then(|name| template(types, name));
    let rows = template
        .as_deref()
        .map_or(3, |text| text.lines().count().clamp(3, 20));
    html! {
        @match declared {
            Some(name) => {
                input type="hidden" name="type" value=(name);
                label for=(format!("value-{at}")) { "Value as JSON, a " code { (visible(name)) } }
            }
            None => {
                label for=(format!("type-{at}")) { "Type of the value" }
                input id=(format!("type-{at}")) name="type" value="google.protobuf.BoolValue" autocomplete="off";
                label for=(format!("value-{at}")) { "Value as JSON" }
            }
        }
        textarea id=(format!("value-{at}")) name="value" rows=(rows) required { (template.as_deref().unwrap_or_default()) @if declared.is_none() { "true" } }
    }
}

/// The JSON of an empty message of this type, with all its fields.
fn template(types: &DescriptorPool, name: &str) -> Option<String> {
    let message = DynamicMessage::new(types.get_message_by_name(name)?);
    let written = WriteOptions::new()
        .types(types.clone())
        .default_values(true);
    let written = written.write(&message).ok()?;
    let value: serde_json::Value = serde_json::from_str(&written.json).ok()?;
    serde_json::to_string_pretty(&value).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_form_has_the_fields_of_the_declared_type() {
        let types = crate::types::standard();
        let html = value_fields(0, Some("google.rpc.Status"), &types).into_string();
        for text in [
            "<code>google.rpc.Status</code>",
            "value=\"google.rpc.Status\"",
            "&quot;code&quot;: 0",
            "&quot;message&quot;",
        ] {
            assert!(html.contains(text), "{text}\n{html}");
        }
        let html = value_fields(0, Some("a.b.Unknown"), &types).into_string();
        assert!(html.contains("required></textarea>"), "{html}");
        let html = value_fields(0, None, &types).into_string();
        assert!(
            html.contains("id=\"type-0\"") && html.contains("required>true</textarea>"),
            "{html}"
        );
    }
}
