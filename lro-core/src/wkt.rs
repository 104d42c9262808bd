//! Well-known types as the response or metadata of an operation.
//!
//! The payloads of an operation are sent in an `Any`, so their types need names. prost gives some
//! of `google.protobuf` none: these are the same messages with one. `lro_build` names them where an
//! `operation_info` does, and nowhere else: fields keep the types of `prost_types`.
//!
//! ```
//! use lro_core::{Operation, pack, pb, wkt};
//! use prost_types::value::Kind;
//!
//! let mut metadata = wkt::Struct::default();
//! metadata.fields.insert("done".into(), Kind::BoolValue(true).into());
//! let operation = Operation::<(), wkt::Struct>::from(pb::Operation {
//!     metadata: Some(pack(&metadata)),
//!     ..Default::default()
//! });
//! let plain: prost_types::Struct = operation.metadata()?.unwrap().into();
//! assert_eq!(plain, metadata.0);
//! # Ok::<(), lro_core::UnpackError>(())
//! ```
//!
//! `google.protobuf.Empty` is `()`, the wrappers are Rust's own types, and [`Any`], [`Duration`] and
//! [`Timestamp`] are those of `prost_types`, all of which have names.

use std::fmt;
use std::ops::{Deref, DerefMut};

use bytes::{Buf, BufMut};
use prost::encoding::{DecodeContext, WireType};
use prost::{DecodeError, Message, Name};

use crate::payload::TYPE_URL_PREFIX;

pub use prost_types::{Any, Duration, Timestamp};

macro_rules! named {
    ($($name:ident is $inner:ty, $package:literal;)+) => {$(
        #[doc = concat!("`", $package, ".", stringify!($name), "`, with its name.")]
        #[derive(Clone, Default, PartialEq)]
        pub struct $name(pub $inner);

        impl Message for $name {
            fn encode_raw(&self, buf: &mut impl BufMut) {
                self.0.encode_raw(buf);
            }

            fn merge_field(
                &mut self,
                tag: u32,
                wire_type: WireType,
                buf: &mut impl Buf,
                context: DecodeContext,
            ) -> Result<(), DecodeError> {
                self.0.merge_field(tag, wire_type, buf, context)
            }

            fn encoded_len(&self) -> usize {
                self.0.encoded_len()
            }

            fn clear(&mut self) {
                self.0.clear();
            }
        }

        impl Name for $name {
            const NAME: &'static str = stringify!($name);
            const PACKAGE: &'static str = $package;

            fn type_url() -> String {
                format!("{TYPE_URL_PREFIX}{}.{}", Self::PACKAGE, Self::NAME)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl Deref for $name {
            type Target = $inner;

            fn deref(&self) -> &$inner {
                &self.0
            }
        }

        impl DerefMut for $name {
            fn deref_mut(&mut self) -> &mut $inner {
                &mut self.0
            }
        }

        impl From<$inner> for $name {
            fn from(inner: $inner) -> Self {
                Self(inner)
            }
        }

        impl From<$name> for $inner {
            fn from(named: $name) -> Self {
                named.0
            }
        }
    )+};
}

named! {
    FieldMask is prost_types::FieldMask, "google.protobuf";
    ListValue is prost_types::ListValue, "google.protobuf";
    Status is crate::pb::rpc::Status, "google.rpc";
    Struct is prost_types::Struct, "google.protobuf";
    Value is prost_types::Value, "google.protobuf";
}

#[cfg(test)]
mod tests {
    use prost_types::value::Kind;

    use super::*;
    use crate::{pack, unpack};

    fn check<T, I>(inner: &I, type_url: &str)
    where
        T: Message + Name + Default + Clone + PartialEq + fmt::Debug + From<I> + Into<I> + 'static,
        I: Message + Clone + PartialEq + fmt::Debug,
    {
        let named = T::from(inner.clone());
        let any = pack(&named);
        assert_eq!(any.type_url, type_url);
        assert_eq!(T::type_url(), type_url);
        assert_eq!(any.value, inner.encode_to_vec(), "{type_url}");
        assert_eq!(named.encoded_len(), inner.encoded_len());
        assert_eq!(format!("{named:?}"), format!("{inner:?}"));
        let back: T = unpack(&any).unwrap();
        assert!(back == named && Into::<I>::into(back) == *inner);
        let mut cleared = named;
        cleared.clear();
        assert!(cleared == T::default());
    }

    /// spec:18
    #[test]
    fn they_are_the_same_messages_with_a_name() {
        let value = prost_types::Value::from("x");
        let list = prost_types::ListValue {
            values: vec![value.clone()],
        };
        check::<Struct, _>(
            &prost_types::Struct {
                fields: [("a".to_owned(), value.clone())].into(),
            },
            "type.googleapis.com/google.protobuf.Struct",
        );
        check::<Value, _>(&value, "type.googleapis.com/google.protobuf.Value");
        check::<ListValue, _>(&list, "type.googleapis.com/google.protobuf.ListValue");
        check::<FieldMask, _>(
            &prost_types::FieldMask {
                paths: vec!["a.b".into()],
            },
            "type.googleapis.com/google.protobuf.FieldMask",
        );
        check::<Status, _>(
            &crate::pb::rpc::Status {
                code: 5,
                message: "deleted".into(),
                details: vec![pack(&())],
            },
            "type.googleapis.com/google.rpc.Status",
        );
    }

    #[test]
    fn they_are_used_like_what_they_wrap() {
        let mut named = Struct::default();
        named
            .fields
            .insert("a".into(), Kind::BoolValue(true).into());
        assert_eq!(named.fields.len(), 1);
    }
}
