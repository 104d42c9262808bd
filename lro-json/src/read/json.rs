//! JSON itself: its depth, and its values by shape.

use std::fmt;

use serde::de::{Deserializer, Error, MapAccess, SeqAccess, Visitor};

/// How deep arrays and objects are nested. Counts brackets outside of strings, and says nothing of
/// whether the text is JSON.
pub(super) fn depth(text: &str) -> usize {
    let (mut depth, mut deepest) = (0_usize, 0);
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        match byte {
            b'[' | b'{' => {
                depth += 1;
                deepest = deepest.max(depth);
            }
            b']' | b'}' => depth = depth.saturating_sub(1),
            b'"' => {
                while let Some(byte) = bytes.next() {
                    match byte {
                        b'\\' => drop(bytes.next()),
                        b'"' => break,
                        _ => {}
                    }
                }
            }
            _ => {}
        }
    }
    deepest
}

/// Handles JSON of some shapes, and reports every other by what was found.
pub(super) trait Expect<'de>: Sized {
    type Value;

    /// Reports a fault: `found` is not what is expected here.
    fn unexpected<E: Error>(self, found: &str) -> E;

    fn null<E: Error>(self) -> Result<Self::Value, E> {
        Err(self.unexpected("null"))
    }

    fn boolean<E: Error>(self, _: bool) -> Result<Self::Value, E> {
        Err(self.unexpected("a boolean"))
    }

    fn number<E: Error>(self, _: f64) -> Result<Self::Value, E> {
        Err(self.unexpected("a number"))
    }

    fn string<E: Error>(self, _: &str) -> Result<Self::Value, E> {
        Err(self.unexpected("a string"))
    }

    fn object<A: MapAccess<'de>>(self, _: A) -> Result<Self::Value, A::Error> {
        Err(self.unexpected("an object"))
    }

    fn array<A: SeqAccess<'de>>(self, _: A) -> Result<Self::Value, A::Error> {
        Err(self.unexpected("an array"))
    }
}

/// Reads JSON of any shape.
pub(super) fn read<'de, D: Deserializer<'de>, X: Expect<'de>>(
    deserializer: D,
    expect: X,
) -> Result<X::Value, D::Error> {
    deserializer.deserialize_any(Shapes(expect))
}

struct Shapes<X>(X);

impl<'de, X: Expect<'de>> Visitor<'de> for Shapes<X> {
    type Value = X::Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E: Error>(self) -> Result<Self::Value, E> {
        self.0.null()
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Self::Value, E> {
        self.0.boolean(value)
    }

    #[expect(
        clippy::cast_precision_loss,
        reason = "a float is what is wanted of it"
    )]
    fn visit_i64<E: Error>(self, value: i64) -> Result<Self::Value, E> {
        self.0.number(value as f64)
    }

    #[expect(
        clippy::cast_precision_loss,
        reason = "a float is what is wanted of it"
    )]
    fn visit_u64<E: Error>(self, value: u64) -> Result<Self::Value, E> {
        self.0.number(value as f64)
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Self::Value, E> {
        self.0.number(value)
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<Self::Value, E> {
        self.0.string(value)
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
        self.0.object(map)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, seq: A) -> Result<Self::Value, A::Error> {
        self.0.array(seq)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn depth_counts_brackets_outside_of_strings() {
        for (text, expected) in [
            ("1", 0),
            ("{}", 1),
            ("[[],[[]]]", 3),
            (r#"{"a":"[[[["}"#, 1),
            (r#"{"a":"\"[[","b":[]}"#, 2),
            (r#""\\"[["#, 2),
            ("]]]][", 1),
        ] {
            assert_eq!(depth(text), expected, "{text}");
        }
    }
}
