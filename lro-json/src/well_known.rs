//! The messages that have a JSON form of their own.

use prost_reflect::{DescriptorPool, MessageDescriptor};

/// A message of `google.protobuf` with a JSON form of its own.
///
/// `google.protobuf.Empty` has none: its form is that of any message without fields.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum WellKnown {
    Any,
    Timestamp,
    Duration,
    FieldMask,
    Struct,
    Value,
    ListValue,
    /// One of the wrappers: a message whose field `value` stands for it.
    Wrapper,
}

impl WellKnown {
    pub(crate) fn of(message: &MessageDescriptor) -> Option<Self> {
        let name = message.full_name().strip_prefix("google.protobuf.")?;
        Some(match name {
            "Any" => Self::Any,
            "Timestamp" => Self::Timestamp,
            "Duration" => Self::Duration,
            "FieldMask" => Self::FieldMask,
            "Struct" => Self::Struct,
            "Value" => Self::Value,
            "ListValue" => Self::ListValue,
            "DoubleValue" | "FloatValue" | "Int64Value" | "UInt64Value" | "Int32Value"
            | "UInt32Value" | "BoolValue" | "StringValue" | "BytesValue" => Self::Wrapper,
            _ => return None,
        })
    }
}

/// Whether the JSON of a message is not an object of its fields: that of a Timestamp is a string.
///
/// # Examples
///
/// ```
/// use prost_reflect::DescriptorPool;
///
/// let pool = DescriptorPool::global();
/// let timestamp = pool.get_message_by_name("google.protobuf.Timestamp").unwrap();
/// let empty = pool.get_message_by_name("google.protobuf.Empty").unwrap();
/// assert!(lro_json::has_own_form(&timestamp));
/// assert!(!lro_json::has_own_form(&empty));
/// ```
pub fn has_own_form(message: &MessageDescriptor) -> bool {
    WellKnown::of(message).is_some()
}

/// The message that the type URL of an Any names.
///
/// The part behind the last slash is the full name, without the leading dot that descriptors write.
pub(crate) fn of_type_url(types: &DescriptorPool, type_url: &str) -> Option<MessageDescriptor> {
    let (_, name) = type_url.rsplit_once('/')?;
    (!name.starts_with('.')).then(|| types.get_message_by_name(name))?
}

/// The enum whose only value is written as `null`.
pub(crate) const NULL_VALUE: &str = "google.protobuf.NullValue";
