//! Scalars and enums from the texts of JSON strings, JSON numbers, map keys and query parameters.
//!
//! Each function gives the reason as its error, without the field.

use base64::Engine as _;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use prost_reflect::{EnumDescriptor, Kind, MapKey, Value};

use crate::error::quoted;
use crate::number;

/// Padding is optional, and so are zeros in the bits that no byte uses.
const LENIENT: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true),
);

/// The value of a JSON string for a scalar or an enum.
pub(crate) fn from_json_string(kind: &Kind, text: &str) -> Result<Value, String> {
    match kind {
        Kind::String => Ok(Value::String(text.to_owned())),
        Kind::Bytes => bytes(text),
        Kind::Enum(descriptor) => match descriptor.get_value_by_name(text) {
            Some(value) => Ok(Value::EnumNumber(value.number())),
            None => Err(unknown_enum_name(descriptor, text)),
        },
        Kind::Float | Kind::Double => match non_finite(text) {
            Some(value) => Ok(float_of(kind, value)),
            None if number::is_json_number(text) => from_json_number(kind, text),
            None => Err(unexpected(kind, &quoted(text))),
        },
        Kind::Bool | Kind::Message(_) => Err(unexpected(kind, "a string")),
        _ if number::is_json_number(text) => from_json_number(kind, text),
        _ => Err(unexpected(kind, &quoted(text))),
    }
}

/// The value of a JSON number for a scalar or an enum.
pub(crate) fn from_json_number(kind: &Kind, text: &str) -> Result<Value, String> {
    match kind {
        Kind::Double => {
            let value: f64 = text.parse().map_err(|_| unexpected(kind, &quoted(text)))?;
            if value.is_infinite() {
                return Err(out_of_range(kind, text));
            }
            Ok(Value::F64(value))
        }
        Kind::Float => {
            let value: f32 = text.parse().map_err(|_| unexpected(kind, &quoted(text)))?;
            if value.is_infinite() {
                return Err(out_of_range(kind, text));
            }
            Ok(Value::F32(value))
        }
        Kind::Bool | Kind::String | Kind::Bytes | Kind::Message(_) => {
            Err(unexpected(kind, "a number"))
        }
        _ => {
            let integer = number::integer(text).ok_or_else(|| out_of_range(kind, text))?;
            from_integer(kind, integer).ok_or_else(|| out_of_range(kind, text))
        }
    }
}

/// The value of a text that stands alone, as in a query: numbers are decimal, `true` and `false` are
/// the only booleans, an enum is a name or a number.
pub(crate) fn from_text(kind: &Kind, text: &str) -> Result<Value, String> {
    match kind {
        Kind::Bool => match text {
            "true" => Ok(Value::Bool(true)),
            "false" => Ok(Value::Bool(false)),
            _ => Err(unexpected(kind, &quoted(text))),
        },
        Kind::Enum(_) if is_decimal(text) => from_json_number(kind, text),
        Kind::String | Kind::Bytes | Kind::Enum(_) | Kind::Float | Kind::Double => {
            from_json_string(kind, text)
        }
        Kind::Message(message) => Err(format!(
            "a {} has no form as plain text; send it in the body",
            message.full_name()
        )),
        _ if is_decimal(text) => from_json_number(kind, text),
        _ => Err(unexpected(kind, &quoted(text))),
    }
}

/// The key of a map entry.
pub(crate) fn map_key(kind: &Kind, text: &str) -> Result<MapKey, String> {
    match from_text(kind, text)? {
        Value::Bool(key) => Ok(MapKey::Bool(key)),
        Value::I32(key) => Ok(MapKey::I32(key)),
        Value::I64(key) => Ok(MapKey::I64(key)),
        Value::U32(key) => Ok(MapKey::U32(key)),
        Value::U64(key) => Ok(MapKey::U64(key)),
        Value::String(key) => Ok(MapKey::String(key)),
        _ => Err(unexpected(kind, "another map key")),
    }
}

/// The three numbers that JSON has no literal for.
pub(crate) fn non_finite(text: &str) -> Option<f64> {
    match text {
        "NaN" => Some(f64::NAN),
        "Infinity" => Some(f64::INFINITY),
        "-Infinity" => Some(f64::NEG_INFINITY),
        _ => None,
    }
}

/// A reason: the kind that is expected, and what was found.
pub(crate) fn unexpected(kind: &Kind, found: &str) -> String {
    format!("expected {}, found {found}", expected(kind))
}

fn expected(kind: &Kind) -> String {
    match kind {
        Kind::Double | Kind::Float => "a number",
        Kind::Int32 | Kind::Sint32 | Kind::Sfixed32 => "a 32-bit integer",
        Kind::Int64 | Kind::Sint64 | Kind::Sfixed64 => "a 64-bit integer",
        Kind::Uint32 | Kind::Fixed32 => "an unsigned 32-bit integer",
        Kind::Uint64 | Kind::Fixed64 => "an unsigned 64-bit integer",
        Kind::Bool => "true or false",
        Kind::String => "a string",
        Kind::Bytes => "a string in base64",
        Kind::Message(_) => "an object",
        Kind::Enum(descriptor) => {
            return format!("the name or the number of a {}", descriptor.name());
        }
    }
    .to_owned()
}

fn out_of_range(kind: &Kind, text: &str) -> String {
    unexpected(kind, &bounded(text))
}

/// A number as it was sent, unless it is long.
fn bounded(number: &str) -> String {
    if number.len() <= 40 {
        number.to_owned()
    } else {
        quoted(number)
    }
}

fn unknown_enum_name(descriptor: &EnumDescriptor, text: &str) -> String {
    const MAX_NAMES: usize = 8;
    let mut names: Vec<String> = (descriptor.values().take(MAX_NAMES))
        .map(|value| value.name().to_owned())
        .collect();
    if descriptor.values().len() > MAX_NAMES {
        names.push("..".to_owned());
    }
    format!(
        "{} is no value of {}; it has {}",
        quoted(text),
        descriptor.name(),
        names.join(", ")
    )
}

fn from_integer(kind: &Kind, integer: i128) -> Option<Value> {
    match kind {
        Kind::Int32 | Kind::Sint32 | Kind::Sfixed32 => integer.try_into().ok().map(Value::I32),
        Kind::Int64 | Kind::Sint64 | Kind::Sfixed64 => integer.try_into().ok().map(Value::I64),
        Kind::Uint32 | Kind::Fixed32 => integer.try_into().ok().map(Value::U32),
        Kind::Uint64 | Kind::Fixed64 => integer.try_into().ok().map(Value::U64),
        Kind::Enum(_) => integer.try_into().ok().map(Value::EnumNumber),
        _ => None,
    }
}

fn float_of(kind: &Kind, value: f64) -> Value {
    match kind {
        #[expect(
            clippy::cast_possible_truncation,
            reason = "only called for NaN and infinities"
        )]
        Kind::Float => Value::F32(value as f32),
        _ => Value::F64(value),
    }
}

/// Digits, perhaps behind a minus.
fn is_decimal(text: &str) -> bool {
    number::is_json_number(text) && !text.contains(['.', 'e', 'E'])
}

fn bytes(text: &str) -> Result<Value, String> {
    // Both alphabets are accepted, even mixed.
    let standard = text.replace('-', "+").replace('_', "/");
    match LENIENT.decode(standard) {
        Ok(bytes) => Ok(Value::Bytes(bytes.into())),
        Err(_) => Err(unexpected(&Kind::Bytes, &quoted(text))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers_keep_their_range() {
        assert_eq!(
            from_json_number(&Kind::Int32, "2147483647"),
            Ok(Value::I32(i32::MAX))
        );
        assert_eq!(from_json_number(&Kind::Int32, "1e2"), Ok(Value::I32(100)));
        assert_eq!(
            from_json_string(&Kind::Uint64, "18446744073709551615"),
            Ok(Value::U64(u64::MAX))
        );
        for (kind, text) in [
            (Kind::Int32, "2147483648"),
            (Kind::Int32, "1.5"),
            (Kind::Uint32, "-1"),
            (Kind::Uint64, "18446744073709551616"),
            (Kind::Int64, "-9223372036854775809"),
            (Kind::Int64, "9.223372036854775808e18"),
        ] {
            let error = from_json_number(&kind, text).unwrap_err();
            assert!(error.contains(text), "{error}");
        }
    }

    #[test]
    fn floats_are_numbers_or_one_of_three_names() {
        assert_eq!(
            from_json_string(&Kind::Double, "-Infinity"),
            Ok(Value::F64(f64::NEG_INFINITY))
        );
        assert_eq!(from_json_string(&Kind::Float, "1.5"), Ok(Value::F32(1.5)));
        for text in ["nan", "inf", "infinity", "+Infinity", "", " 1", "1e400"] {
            assert!(from_json_string(&Kind::Double, text).is_err(), "{text}");
        }
        assert!(from_json_number(&Kind::Float, "3.5e38").is_err());
    }

    #[test]
    fn bytes_are_base64_of_either_alphabet() {
        for text in ["+/8=", "-_8=", "-_8", "+_8"] {
            assert_eq!(
                from_json_string(&Kind::Bytes, text),
                Ok(Value::Bytes(vec![0xfb, 0xff].into()))
            );
        }
        for text in ["a", "a===", "ab c", "é"] {
            assert!(from_json_string(&Kind::Bytes, text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_text_alone_is_decimal() {
        assert_eq!(from_text(&Kind::Int32, "-7"), Ok(Value::I32(-7)));
        for text in ["1e2", "1.0", "", "+1", "0x1", "01"] {
            assert!(from_text(&Kind::Int32, text).is_err(), "{text}");
        }
        for text in ["True", "1", "t", ""] {
            assert!(from_text(&Kind::Bool, text).is_err(), "{text}");
        }
    }
}
