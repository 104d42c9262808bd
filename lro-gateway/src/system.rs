//! System parameters: what a query says of the answer, and not of the request message.

use prost_reflect::{FieldDescriptor, Kind, MessageDescriptor};

use crate::fault::Fault;

/// The system parameters of a request.
#[derive(Debug, Default)]
pub(crate) struct SystemParameters {
    /// Whether the answer is a stream of server-sent events.
    pub(crate) sse: bool,
    pub(crate) enums_as_numbers: bool,
    pub(crate) pretty: bool,
    /// The part of the answer that is wanted; all when empty.
    pub(crate) fields: Vec<Vec<String>>,
    /// The API key, for the rpc's metadata.
    pub(crate) api_key: Option<String>,
}

/// The names without `$` that are reserved where the request message has no such field.
const BARE: &[&str] = &[
    "alt",
    "fields",
    "prettyPrint",
    "key",
    "callback",
    "access_token",
    "oauth_token",
    "quotaUser",
    "uploadType",
    "upload_protocol",
];

impl SystemParameters {
    /// Takes the system parameters out of a query's.
    pub(crate) fn take(
        pairs: Vec<(String, String)>,
        input: &MessageDescriptor,
    ) -> Result<(Self, Vec<(String, String)>), Fault> {
        let mut system = Self::default();
        let mut rest = Vec::new();
        for (name, value) in pairs {
            let bare = name.strip_prefix('$');
            let is_field = || field_of(input, &name).is_some();
            match bare {
                Some(bare) => system.set(bare, &name, value)?,
                None if BARE.contains(&&*name) && !is_field() => system.set(&name, &name, value)?,
                None => rest.push((name, value)),
            }
        }
        Ok((system, rest))
    }

    /// Sets one. Unknown ones are for others on the way.
    fn set(&mut self, bare: &str, name: &str, value: String) -> Result<(), Fault> {
        match bare {
            "alt" => self.alt(name, &value),
            "prettyPrint" => match &*value {
                "true" | "false" => {
                    self.pretty = value == "true";
                    Ok(())
                }
                _ => Err(Fault::field(name, "expected true or false")),
            },
            "fields" => {
                self.fields = mask(&value).ok_or_else(|| bad_mask(name))?;
                Ok(())
            }
            "callback" => Err(Fault::field(name, "JSONP is not supported; use CORS")),
            "key" => {
                self.api_key = Some(value);
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn alt(&mut self, name: &str, value: &str) -> Result<(), Fault> {
        let (format, options) = match value.split_once(';') {
            Some((format, options)) => (format, Some(options)),
            None => (value, None),
        };
        self.sse = match format {
            "json" => false,
            "sse" => true,
            _ => return Err(Fault::field(name, "expected json or sse")),
        };
        self.enums_as_numbers = match options {
            None | Some("enum-encoding=string") => false,
            Some("enum-encoding=int") => true,
            Some(_) => {
                return Err(Fault::field(
                    name,
                    "the option is enum-encoding=int or enum-encoding=string",
                ));
            }
        };
        Ok(())
    }

    /// Takes the part of the answer from the header `X-Goog-FieldMask`, unless a parameter says it.
    pub(crate) fn header_mask(&mut self, value: &str) -> Result<(), Fault> {
        if self.fields.is_empty() {
            self.fields = mask(value).ok_or_else(|| bad_mask("x-goog-fieldmask"))?;
        }
        Ok(())
    }

    /// Checks that the parts of the answer that are wanted exist.
    pub(crate) fn check_fields(&self, output: &MessageDescriptor) -> Result<(), Fault> {
        for path in &self.fields {
            let mut message = Some(output.clone());
            let mut parts = path.iter().peekable();
            while let Some(part) = parts.next() {
                // Below a map, and in messages of any content, every name is possible.
                let Some(parent) = &message else { break };
                if lro_json::has_own_form(parent) {
                    break;
                }
                let Some(field) = field_of(parent, part) else {
                    let name = parent.full_name();
                    return Err(Fault::field(
                        "fields",
                        format!("no field `{part}` in {name}"),
                    ));
                };
                message = match field.kind() {
                    Kind::Message(message) if !field.is_map() => Some(message),
                    Kind::Message(_) => None,
                    _ if parts.peek().is_none() => None,
                    _ => {
                        let reason = format!("`{part}` is no message and has no fields");
                        return Err(Fault::field("fields", reason));
                    }
                };
            }
        }
        Ok(())
    }
}

/// A field by its JSON name or its proto name.
pub(crate) fn field_of(message: &MessageDescriptor, name: &str) -> Option<FieldDescriptor> {
    message
        .get_field_by_json_name(name)
        .or_else(|| message.get_field_by_name(name))
}

/// The paths of a mask: none when it is empty or `*`, which is all.
fn mask(text: &str) -> Option<Vec<Vec<String>>> {
    let text = text.trim();
    if text.is_empty() || text == "*" {
        return Some(Vec::new());
    }
    let path = |path: &str| {
        let parts = path.trim().split('.');
        let is_name = |part: &str| {
            !part.is_empty()
                && part
                    .chars()
                    .all(|c| c.is_ascii_alphanumeric() || "_-@".contains(c))
        };
        parts
            .map(|part| is_name(part).then(|| part.to_owned()))
            .collect()
    };
    text.split(',').map(path).collect()
}

fn bad_mask(name: &str) -> Fault {
    Fault::field(
        name,
        "expected field paths such as `operations.name,nextPageToken`",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    /// gateway:69
    #[test]
    fn a_mask_is_a_list_of_paths() {
        assert_eq!(mask(""), Some(vec![]));
        assert_eq!(mask("*"), Some(vec![]));
        assert_eq!(
            mask("a.b,c"),
            Some(vec![vec!["a".into(), "b".into()], vec!["c".into()]])
        );
        for text in ["a,,b", "a.", ".a", "a b", "a(b)", ","] {
            assert_eq!(mask(text), None, "{text}");
        }
    }
}
