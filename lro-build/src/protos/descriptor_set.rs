//! Descriptor sets that another compiler has written.

use std::collections::HashSet;

use prost::bytes::{Buf, BufMut};
use prost::encoding::{
    DecodeContext, WireType, decode_key, decode_varint, encode_key, encode_varint, skip_field,
};
use prost::{DecodeError, Message as _};
use prost_reflect::DescriptorError;
use prost_types::FileDescriptorSet;

use crate::error::{EDITIONS, Error};

/// `FileDescriptorSet.file`.
const FILE: u32 = 1;
/// `FileDescriptorProto.source_code_info`.
const SOURCE_CODE_INFO: u32 = 9;
const HOW_TO: &str = "write the set with `protoc --include_imports --include_source_info \
    --descriptor_set_out=FILE`, or `buf build -o FILE.binpb`";

/// Says what is wrong with a set in words that its author knows.
pub(super) fn check(set: &[u8]) -> Result<(), Error> {
    let set = FileDescriptorSet::decode(set).map_err(|error| decode_error(&error))?;
    let names: HashSet<&str> = set
        .file
        .iter()
        .map(prost_types::FileDescriptorProto::name)
        .collect();
    for file in &set.file {
        if file.syntax() == "editions" {
            let text = format!("{}: has an edition; {EDITIONS}", file.name());
            return Err(Error::descriptor_set(text));
        }
        let absent = file
            .dependency
            .iter()
            .find(|import| !names.contains(import.as_str()));
        if let Some(import) = absent {
            return Err(Error::descriptor_set(format!(
                "{}: import \"{import}\" is not in the descriptor set; {HOW_TO}",
                file.name(),
            )));
        }
    }
    Ok(())
}

pub(super) fn decode_error(error: &DecodeError) -> Error {
    Error::descriptor_set(format!(
        "this is no encoded google.protobuf.FileDescriptorSet ({error}); {HOW_TO}"
    ))
}

pub(super) fn pool_error(error: &DescriptorError) -> Error {
    Error::descriptor_set(format!(
        "the descriptor set does not hold together: {error}"
    ))
}

/// The set with every other byte as it is, for options that prost does not know are lost when a
/// set is decoded and encoded.
pub(super) fn without_source_info(set: &[u8]) -> Result<Vec<u8>, DecodeError> {
    copy(set, &mut |number, file, out| {
        if number == FILE {
            let file = copy(file, &mut |number, field, out| {
                if number != SOURCE_CODE_INFO {
                    put(number, field, out);
                }
                Ok(())
            })?;
            put(number, &file, out);
        } else {
            put(number, file, out);
        }
        Ok(())
    })
}

/// Writes a field with its number, however it should be.
type Each<'a> = &'a mut dyn FnMut(u32, &[u8], &mut Vec<u8>) -> Result<(), DecodeError>;

/// Copies a message; `each` decides about the fields that have a length.
fn copy(mut message: &[u8], each: Each<'_>) -> Result<Vec<u8>, DecodeError> {
    let mut out = Vec::with_capacity(message.len());
    while message.has_remaining() {
        let start = message;
        let (number, wire_type) = decode_key(&mut message)?;
        let mut rest = message;
        skip_field(wire_type, number, &mut rest, DecodeContext::default())?;
        if wire_type == WireType::LengthDelimited {
            decode_varint(&mut message)?;
            let length = message.len() - rest.len();
            each(number, message.get(..length).unwrap_or_default(), &mut out)?;
        } else {
            let length = start.len() - rest.len();
            out.put_slice(start.get(..length).unwrap_or_default());
        }
        message = rest;
    }
    Ok(out)
}

fn put(number: u32, field: &[u8], out: &mut Vec<u8>) {
    encode_key(number, WireType::LengthDelimited, out);
    encode_varint(field.len() as u64, out);
    out.put_slice(field);
}
