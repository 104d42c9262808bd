//! The descriptors of a gateway: those that it is given, and those of errors, google.longrunning and
//! well-known types.

use std::sync::LazyLock;

use prost::Message as _;
use prost_reflect::{DescriptorPool, FileDescriptor};
use prost_types::FileDescriptorProto;

use crate::rules::BuildError;

/// A descriptor set whose files are left as bytes: structs would drop what they do not know, such as the
/// annotations of `google.api.http`.
#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct RawSet {
    #[prost(bytes = "vec", repeated, tag = "1")]
    pub(crate) file: Vec<Vec<u8>>,
}

/// An encoded file, with what of it decides on its place.
pub(crate) struct File {
    pub(crate) name: String,
    pub(crate) imports: Vec<String>,
    /// The full names of its messages.
    messages: Vec<String>,
    pub(crate) bytes: Vec<u8>,
}

impl File {
    /// Reads an encoded `FileDescriptorProto`.
    pub(crate) fn read(bytes: Vec<u8>) -> Result<Self, prost::DecodeError> {
        let proto = FileDescriptorProto::decode(&*bytes)?;
        let prefix = match proto.package() {
            "" => String::new(),
            package => format!("{package}."),
        };
        let messages = proto.message_type.iter();
        Ok(Self {
            messages: messages
                .map(|it| format!("{prefix}{}", it.name()))
                .collect(),
            name: proto.name.unwrap_or_default(),
            imports: proto.dependency,
            bytes,
        })
    }
}

/// The types of encoded descriptor sets, in any order, and the standard types that they do not have. The
/// first file of a name stays.
pub(crate) fn pool(sets: &[Vec<u8>]) -> Result<DescriptorPool, BuildError> {
    let standard = STANDARD.as_ref().map_err(BuildError::clone)?;
    let mut files: Vec<File> = Vec::new();
    for set in sets {
        for file in files_of(set)? {
            if files.iter().all(|it| it.name != file.name) {
                files.push(file);
            }
        }
    }
    if files.is_empty() {
        return Ok(standard.clone());
    }
    let mut types = DescriptorPool::new();
    // Each after those that it imports.
    while !files.is_empty() {
        let missing: Vec<Option<&String>> = (files.iter())
            .map(|file| first_missing(&types, file))
            .collect();
        if let Some(ready) = missing.iter().position(Option::is_none) {
            add(&mut types, &files.remove(ready))?;
            continue;
        }
        let imports = missing.into_iter().flatten();
        let brought = imports.clone().find_map(|name| {
            let is_given = files.iter().any(|file| file.name == *name);
            standard.get_file_by_name(name).filter(|_| !is_given)
        });
        match brought {
            Some(file) => add_standard(&mut types, &file)?,
            None => return Err(incomplete(&files, &imports.collect::<Vec<_>>())),
        }
    }
    for file in standard.files() {
        add_standard(&mut types, &file)?;
    }
    Ok(types)
}

/// The types that every gateway has, read once.
static STANDARD: LazyLock<Result<DescriptorPool, BuildError>> = LazyLock::new(standard);

fn standard() -> Result<DescriptorPool, BuildError> {
    let mut types = DescriptorPool::new();
    for set in [
        lro_core::pb::FILE_DESCRIPTOR_SET,
        tonic_types::pb::FILE_DESCRIPTOR_SET,
    ] {
        let set = DescriptorPool::decode(set).map_err(|error| not_a_set(&error))?;
        for file in set.files() {
            add_standard(&mut types, &file)?;
        }
    }
    for file in DescriptorPool::global().files() {
        add_standard(&mut types, &file)?;
    }
    Ok(types)
}

fn files_of(set: &[u8]) -> Result<Vec<File>, BuildError> {
    let set = RawSet::decode(set).map_err(|error| not_a_set(&error))?;
    let files = set.file.into_iter().map(File::read);
    files
        .collect::<Result<_, _>>()
        .map_err(|error| not_a_set(&error))
}

fn not_a_set(error: &dyn std::fmt::Display) -> BuildError {
    BuildError::new(format!("not a descriptor set: {error}"))
}

fn first_missing<'f>(types: &DescriptorPool, file: &'f File) -> Option<&'f String> {
    let mut imports = file.imports.iter();
    imports.find(|name| types.get_file_by_name(name).is_none())
}

/// No file can be added: one imports what is not there, or they import each other.
fn incomplete(files: &[File], missing: &[&String]) -> BuildError {
    let absent = (files.iter().zip(missing))
        .find(|(_, missing)| files.iter().all(|file| file.name != ***missing));
    BuildError::new(match absent {
        Some((file, missing)) => format!(
            "{} imports {missing}, which no descriptor set has (protoc includes it by --include_imports)",
            file.name
        ),
        None => "the files of the descriptor sets import each other".to_owned(),
    })
}

fn add(types: &mut DescriptorPool, file: &File) -> Result<(), BuildError> {
    // One message may stand in files of two names: the first one stays.
    let is_known = |name: &String| types.get_message_by_name(name).is_some();
    if file.messages.iter().any(is_known) {
        return Ok(());
    }
    types
        .decode_file_descriptor_proto(&*file.bytes)
        .map_err(|error| {
            BuildError::new(format!(
                "the descriptors of {} do not fit: {error}",
                file.name
            ))
        })
}

/// Adds a file, after those that it imports, unless the types have it.
fn add_standard(types: &mut DescriptorPool, file: &FileDescriptor) -> Result<(), BuildError> {
    if types.get_file_by_name(file.name()).is_some() {
        return Ok(());
    }
    for import in file.dependencies() {
        add_standard(types, &import)?;
    }
    let file = File::read(file.encode_to_vec()).map_err(|error| not_a_set(&error))?;
    add(types, &file)
}

#[cfg(test)]
mod tests {
    use super::*;
    use prost_types::{DescriptorProto, FileDescriptorSet};

    fn file(name: &str, imports: &[&str], message: &str) -> FileDescriptorProto {
        FileDescriptorProto {
            name: Some(name.to_owned()),
            dependency: imports.iter().map(|it| (*it).to_owned()).collect(),
            message_type: vec![DescriptorProto {
                name: Some(message.to_owned()),
                ..Default::default()
            }],
            ..Default::default()
        }
    }

    fn set(file: Vec<FileDescriptorProto>) -> Vec<u8> {
        FileDescriptorSet { file }.encode_to_vec()
    }

    #[test]
    fn sets_may_come_in_any_order_and_without_standard_imports() {
        let operations = "google/longrunning/operations.proto";
        let types = pool(&[
            set(vec![file("a", &["b", operations], "A")]),
            set(vec![
                file("b", &["google/protobuf/any.proto"], "B"),
                file("a", &[], "Other"),
            ]),
        ])
        .unwrap();
        for name in ["A", "B", "google.longrunning.Operation", "google.rpc.Help"] {
            assert!(types.get_message_by_name(name).is_some(), "{name}");
        }
        assert!(types.get_message_by_name("Other").is_none());
    }

    #[test]
    fn an_import_that_is_not_there_is_named() {
        let error = |files| pool(&[set(files)]).unwrap_err().to_string();
        let told = error(vec![file("a", &["b"], "A"), file("b", &["none"], "B")]);
        assert!(told.starts_with("b imports none, "), "{told}");
        let told = error(vec![file("a", &["b"], "A"), file("b", &["a"], "B")]);
        assert!(told.contains("import each other"), "{told}");
        let told = pool(&[b"\xff".to_vec()]).unwrap_err().to_string();
        assert!(told.starts_with("not a descriptor set"), "{told}");
    }
}
