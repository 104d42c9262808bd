//! Random messages from a seed.

use std::collections::HashMap;

use prost::Message as _;
use prost_reflect::{DynamicMessage, FieldDescriptor, Kind, MapKey, MessageDescriptor, Value};
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};

use crate::types::{TYPES, everything};

/// The types of an Any's content.
const CONTENTS: &[&str] = &[
    "json.test.Everything",
    "google.protobuf.Timestamp",
    "google.protobuf.Duration",
    "google.protobuf.FieldMask",
    "google.protobuf.Struct",
    "google.protobuf.Value",
    "google.protobuf.ListValue",
    "google.protobuf.Int64Value",
    "google.protobuf.StringValue",
    "google.protobuf.Empty",
    "google.protobuf.Any",
];

/// A source of random messages.
pub(crate) struct Random(StdRng);

impl Random {
    pub(crate) fn from_seed(seed: u64) -> Self {
        Self(StdRng::seed_from_u64(seed))
    }

    /// A message with some fields set, valid in every part.
    pub(crate) fn everything(&mut self) -> DynamicMessage {
        self.message(&everything(), 4)
    }

    fn one_in(&mut self, n: u32) -> bool {
        self.0.random_ratio(1, n)
    }

    fn pick<T: Clone>(&mut self, among: &[T]) -> T {
        among[self.0.random_range(0..among.len())].clone()
    }

    /// A message of any type, valid in every part.
    pub(crate) fn message(&mut self, descriptor: &MessageDescriptor, depth: u32) -> DynamicMessage {
        let mut message = DynamicMessage::new(descriptor.clone());
        let mut set = |number: u32, value: Value| message.set_field_by_number(number, value);
        match descriptor.full_name() {
            "google.protobuf.Timestamp" => {
                set(
                    1,
                    Value::I64(self.0.random_range(-62_135_596_800..=253_402_300_799)),
                );
                set(2, Value::I32(self.nanos()));
            }
            "google.protobuf.Duration" => {
                let sign = if self.one_in(2) { -1 } else { 1 };
                set(
                    1,
                    Value::I64(sign * self.0.random_range(0..315_576_000_000)),
                );
                set(2, Value::I32(i32::try_from(sign).unwrap() * self.nanos()));
            }
            "google.protobuf.FieldMask" => {
                let paths = ["name", "display_name", "a.b_c", "labels"];
                let count = self.0.random_range(0..3);
                set(
                    1,
                    Value::List(
                        (0..count)
                            .map(|_| Value::String(self.pick(&paths).to_owned()))
                            .collect(),
                    ),
                );
            }
            "google.protobuf.Any" => {
                if !self.one_in(8) {
                    let name = if depth == 0 {
                        "google.protobuf.Int64Value"
                    } else {
                        self.pick(CONTENTS)
                    };
                    let content = TYPES.get_message_by_name(name).unwrap();
                    let content = self.message(&content, depth.saturating_sub(1));
                    set(1, Value::String(format!("type.googleapis.com/{name}")));
                    set(2, Value::Bytes(content.encode_to_vec().into()));
                }
            }
            "google.protobuf.Value" => {
                // One without a value has no JSON in protobuf, and lists and structs grow.
                let number = self.0.random_range(1..=if depth == 0 { 4 } else { 6 });
                let field = descriptor.get_field(number).unwrap();
                let value = match self.value(&field.kind(), depth, true) {
                    // Struct has no other numbers.
                    Value::F64(number) if !number.is_finite() => Value::F64(0.5),
                    value => value,
                };
                set(number, value);
            }
            _ => {
                let fields: Vec<_> = descriptor.fields().collect();
                let rarely = u32::try_from(fields.len()).unwrap() / 4 + 1;
                for field in fields {
                    if self.one_in(rarely) {
                        self.field(&mut message, &field, depth);
                    }
                }
            }
        }
        message
    }

    fn nanos(&mut self) -> i32 {
        let unit = self.pick(&[1, 1_000, 1_000_000, 1_000_000_000]);
        self.0.random_range(0..1_000_000_000) / unit * unit
    }

    fn field(&mut self, message: &mut DynamicMessage, field: &FieldDescriptor, depth: u32) {
        let kind = field.kind();
        let value = match &kind {
            Kind::Message(_) if depth == 0 => return,
            Kind::Message(entry) if field.is_map() => {
                let (key, value) = (entry.map_entry_key_field(), entry.map_entry_value_field());
                if depth == 1 && matches!(value.kind(), Kind::Message(_)) {
                    return;
                }
                let count = self.0.random_range(0..4);
                let mut map = HashMap::new();
                for _ in 0..count {
                    let key = self.key(&key.kind());
                    map.insert(key, self.value(&value.kind(), depth - 1, true));
                }
                Value::Map(map)
            }
            kind if field.is_list() => {
                let count = self.0.random_range(0..4);
                Value::List(
                    (0..count)
                        .map(|_| self.value(kind, depth.saturating_sub(1), true))
                        .collect(),
                )
            }
            kind => self.value(kind, depth.saturating_sub(1), field.supports_presence()),
        };
        message.set_field(field, value);
    }

    fn key(&mut self, kind: &Kind) -> MapKey {
        self.value(kind, 0, true).into_map_key().unwrap()
    }

    /// A value. Where there is no presence, a negative zero looks like no value.
    fn value(&mut self, kind: &Kind, depth: u32, negative_zero: bool) -> Value {
        match kind {
            Kind::Int32 | Kind::Sint32 | Kind::Sfixed32 => {
                Value::I32(self.integer().try_into().unwrap_or(i32::MIN))
            }
            Kind::Int64 | Kind::Sint64 | Kind::Sfixed64 => Value::I64(self.integer()),
            #[expect(clippy::cast_sign_loss, reason = "any bits are welcome")]
            Kind::Uint32 | Kind::Fixed32 => {
                Value::U32((self.integer() as u64).try_into().unwrap_or(u32::MAX))
            }
            #[expect(clippy::cast_sign_loss, reason = "any bits are welcome")]
            Kind::Uint64 | Kind::Fixed64 => Value::U64(self.integer() as u64),
            Kind::Bool => Value::Bool(self.one_in(2)),
            Kind::Double => {
                let bits = self.0.random();
                let value = self.pick(&[
                    f64::from_bits(bits),
                    0.1,
                    1e300,
                    -0.0,
                    f64::NAN,
                    f64::INFINITY,
                    f64::MIN_POSITIVE,
                ]);
                Value::F64(if value.is_nan() {
                    f64::NAN
                } else if negative_zero {
                    value
                } else {
                    value + 0.0
                })
            }
            Kind::Float => {
                let bits = self.0.random();
                let value = self.pick(&[
                    f32::from_bits(bits),
                    0.1,
                    1e30,
                    -0.0,
                    f32::NAN,
                    f32::NEG_INFINITY,
                    f32::MAX,
                ]);
                Value::F32(if value.is_nan() {
                    f32::NAN
                } else if negative_zero {
                    value
                } else {
                    value + 0.0
                })
            }
            Kind::String => Value::String(self.text()),
            Kind::Bytes => {
                let count = self.0.random_range(0..6);
                Value::Bytes(
                    (0..count)
                        .map(|_| self.0.random())
                        .collect::<Vec<u8>>()
                        .into(),
                )
            }
            Kind::Enum(descriptor) if descriptor.full_name() == "google.protobuf.NullValue" => {
                Value::EnumNumber(0)
            }
            Kind::Enum(_) => Value::EnumNumber(self.pick(&[0, 1, 2, -1, 77])),
            Kind::Message(descriptor) => Value::Message(self.message(descriptor, depth)),
        }
    }

    fn integer(&mut self) -> i64 {
        let bits = self.0.random();
        let small = self.0.random_range(-5..100);
        self.pick(&[
            bits,
            small,
            0,
            i64::MIN,
            i64::MAX,
            9_007_199_254_740_993,
            i64::from(i32::MAX),
        ])
    }

    fn text(&mut self) -> String {
        let count = self.0.random_range(0..6);
        let chars = [
            'a', 'Z', '0', '_', ' ', '"', '\\', '/', '<', '\n', '\t', '\0', '\u{7f}', 'é',
            '\u{2028}', '😀', '\u{202e}',
        ];
        (0..count).map(|_| self.pick(&chars)).collect()
    }
}
