//! Descriptor sets that another compiler has written.

use std::collections::{HashMap, HashSet};

use prost::bytes::{Buf, BufMut};
use prost::encoding::{
    DecodeContext, WireType, decode_key, decode_varint, encode_key, encode_varint, skip_field,
};
use prost::{DecodeError, Message as _};
use prost_reflect::DescriptorError;
use prost_types::{FileDescriptorProto, FileDescriptorSet, SourceCodeInfo};

use super::editions;
use crate::error::{EDITIONS, Error};

/// `FileDescriptorSet.file`.
const FILE: u32 = 1;
/// `FileDescriptorProto.source_code_info`.
const SOURCE_CODE_INFO: u32 = 9;
const HOW_TO: &str = "write the set with `protoc --include_imports --include_source_info \
    --descriptor_set_out=FILE`, or `buf build -o FILE.binpb`";

/// Says what is wrong with a set in words that its author knows, and returns one that can be used:
/// every file once, and those with an edition without content, whose names it returns.
pub(super) fn check(bytes: &[u8]) -> Result<(Vec<u8>, Vec<String>), Error> {
    let set = FileDescriptorSet::decode(bytes).map_err(|error| decode_error(&error))?;
    let imports: HashSet<&String> = set.file.iter().flat_map(|file| &file.dependency).collect();
    let names: HashSet<&str> = set
        .file
        .iter()
        .map(prost_types::FileDescriptorProto::name)
        .collect();
    for file in &set.file {
        if file.syntax() == "editions" {
            if !imports.contains(&file.name().to_owned()) {
                return Err(Error::edition(file.name()));
            }
            continue;
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
    let stubs: Vec<String> = set
        .file
        .iter()
        .filter(|file| file.syntax() == "editions")
        .map(|file| file.name().to_owned())
        .collect();
    Ok((usable(bytes, &stubs)?, stubs))
}

/// The set with every file once, and without the content of `stubs`.
fn usable(set: &[u8], stubs: &[String]) -> Result<Vec<u8>, Error> {
    let mut seen: HashMap<String, Vec<u8>> = HashMap::new();
    let mut different = None;
    let copied = copy(set, &mut |number, file, out| {
        if number != FILE {
            put(number, file, out);
            return Ok(());
        }
        let descriptor = FileDescriptorProto::decode(file)?;
        let name = descriptor.name();
        if stubs.iter().any(|stub| stub == name) {
            if seen.insert(name.to_owned(), vec![]).is_none() {
                put(number, &editions::stub(name).encode_to_vec(), out);
            }
            return Ok(());
        }
        match seen.get(name) {
            None => {
                seen.insert(name.to_owned(), file.to_vec());
                put(number, file, out);
            }
            Some(other) if *other == file => {}
            Some(_) => different = Some(name.to_owned()),
        }
        Ok(())
    });
    match different {
        Some(name) => Err(Error::descriptor_set(format!(
            "{name}: is in the descriptor set twice, with different contents; leave one of them \
             out, or compile all protos at once: {HOW_TO}",
        ))),
        None => copied.map_err(|error| decode_error(&error)),
    }
}

pub(super) fn decode_error(error: &DecodeError) -> Error {
    Error::descriptor_set(format!(
        "this is no encoded google.protobuf.FileDescriptorSet ({error}); {HOW_TO}"
    ))
}

pub(super) fn pool_error(error: &DescriptorError, stubs: &[String]) -> Error {
    let reason = match stubs {
        [] => String::new(),
        stubs => format!(
            "; the types of {} are not there, for it has an edition: {EDITIONS}",
            stubs.join(" and ")
        ),
    };
    Error::descriptor_set(format!(
        "the files of the descriptor set do not fit together: {error}{reason}"
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

/// The set with these places added to its files, by their names.
pub(super) fn with_source_info(
    set: &[u8],
    infos: &HashMap<String, SourceCodeInfo>,
) -> Result<Vec<u8>, DecodeError> {
    copy(set, &mut |number, file, out| {
        let name = FileDescriptorProto::decode(file)?.name.unwrap_or_default();
        let mut file = file.to_vec();
        if let Some(info) = infos.get(&name) {
            put(SOURCE_CODE_INFO, &info.encode_to_vec(), &mut file);
        }
        put(number, &file, out);
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
