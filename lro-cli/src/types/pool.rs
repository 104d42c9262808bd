//! Pools of descriptors from several sources. The first file of a name stays.

use std::collections::HashSet;

use prost::Message as _;
use prost_reflect::{DescriptorPool, FileDescriptor};
use prost_types::{FileDescriptorProto, FileDescriptorSet};

use crate::exit::Exit;
use crate::failure::Failure;

/// A file as it was sent. Its options are kept as bytes: the struct of prost-types does not know
/// all of them.
#[derive(Clone, Debug)]
pub(super) struct File {
    name: String,
    imports: Vec<String>,
    /// The full names of its messages.
    messages: Vec<String>,
    bytes: Vec<u8>,
}

impl File {
    /// Reads the name and the imports of an encoded file.
    pub(super) fn read(bytes: Vec<u8>) -> Option<Self> {
        let proto = FileDescriptorProto::decode(&*bytes).ok()?;
        let name = proto.name?;
        let package = proto.package.filter(|it| !it.is_empty());
        let prefix = package.map_or(String::new(), |it| format!("{it}."));
        let messages = proto.message_type.into_iter().filter_map(|it| it.name);
        let messages = messages.map(|it| format!("{prefix}{it}")).collect();
        Some(Self {
            name,
            imports: proto.dependency,
            messages,
            bytes,
        })
    }
}

/// google.longrunning, google.rpc, lro.v1, and the well-known types.
pub(super) fn standard() -> Result<DescriptorPool, Failure> {
    let mut pool = DescriptorPool::new();
    let sets = [
        lro_core::pb::FILE_DESCRIPTOR_SET,
        lro_core::inspection::FILE_DESCRIPTOR_SET,
        tonic_types::pb::FILE_DESCRIPTOR_SET,
    ];
    for set in sets {
        add(&mut pool, set)
            .map_err(|error| Failure::new(Exit::Fault, format!("standard types: {error}")))?;
    }
    let global = DescriptorPool::global();
    for file in global.files() {
        add_file(&mut pool, &file);
    }
    Ok(pool)
}

/// Adds an encoded set. Files whose names the pool has already are left out.
pub(super) fn add(pool: &mut DescriptorPool, encoded: &[u8]) -> Result<(), String> {
    let raw = RawSet::decode(encoded).map_err(|error| error.to_string())?;
    FileDescriptorSet::decode(encoded).map_err(|error| error.to_string())?;
    let files: Vec<File> = raw.file.into_iter().filter_map(File::read).collect();
    let missing = missing(pool, &files);
    if let Some(first) = missing.first() {
        return Err(format!("it imports {first}, which is not in it"));
    }
    let names: Vec<String> = files.iter().map(|file| file.name.clone()).collect();
    let messages: Vec<String> = files
        .iter()
        .flat_map(|file| file.messages.clone())
        .collect();
    extend(pool, files);
    // The same messages may be known from a file of another name: that one stays.
    let is_known = |name: &String| pool.get_message_by_name(name).is_some();
    let fits = names.iter().all(|it| pool.get_file_by_name(it).is_some());
    match messages.iter().find(|it| !is_known(it)) {
        Some(name) if !fits => Err(format!("{name} does not fit what is known already")),
        _ => Ok(()),
    }
}

/// A descriptor set whose files are left as bytes.
#[derive(Clone, PartialEq, prost::Message)]
struct RawSet {
    #[prost(bytes = "vec", repeated, tag = "1")]
    file: Vec<Vec<u8>>,
}

/// The imports of the files that neither they nor the pool have.
pub(super) fn missing(pool: &DescriptorPool, files: &[File]) -> Vec<String> {
    let have: HashSet<&str> = files.iter().map(|file| &*file.name).collect();
    let known = |name: &str| have.contains(name) || pool.get_file_by_name(name).is_some();
    let imports = files.iter().flat_map(|file| &file.imports);
    let missing: HashSet<&String> = imports.filter(|name| !known(name)).collect();
    missing.into_iter().cloned().collect()
}

/// Adds a file to a list, unless it is in it.
pub(super) fn push(files: &mut Vec<File>, file: File) -> bool {
    let is_new = files.iter().all(|it| it.name != file.name);
    if is_new {
        files.push(file);
    }
    is_new
}

/// Adds files to the pool, each after those that it imports. Whether something was added. A file
/// that does not fit is left out, and so are those that import it.
pub(super) fn extend(pool: &mut DescriptorPool, mut files: Vec<File>) -> bool {
    let mut added = false;
    files.retain(|file| pool.get_file_by_name(&file.name).is_none());
    loop {
        let ready = files.iter().position(|file| {
            let mut imports = file.imports.iter();
            imports.all(|it| pool.get_file_by_name(it).is_some())
        });
        let Some(ready) = ready else {
            return added;
        };
        let file = files.swap_remove(ready);
        added |= pool.decode_file_descriptor_proto(&*file.bytes).is_ok();
    }
}

fn add_file(pool: &mut DescriptorPool, file: &FileDescriptor) {
    if pool.get_file_by_name(file.name()).is_some() {
        return;
    }
    for dependency in file.dependencies() {
        add_file(pool, &dependency);
    }
    // The same messages may be in the pool under another file's name: those stay.
    let _ = pool.decode_file_descriptor_proto(&*file.encode_to_vec());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_standard_types_are_known() {
        let pool = standard().unwrap();
        for name in [
            "google.longrunning.Operation",
            "google.rpc.BadRequest",
            "google.protobuf.Timestamp",
            "google.protobuf.FieldMask",
        ] {
            assert!(pool.get_message_by_name(name).is_some(), "{name}");
        }
        assert!(
            pool.get_extension_by_name("google.longrunning.operation_info")
                .is_some()
        );
    }

    #[test]
    fn a_set_without_its_imports_says_which() {
        let file = FileDescriptorProto {
            name: Some("a.proto".to_owned()),
            dependency: vec!["b.proto".to_owned()],
            ..Default::default()
        };
        let set = FileDescriptorSet { file: vec![file] }.encode_to_vec();
        let error = add(&mut standard().unwrap(), &set).unwrap_err();
        assert_eq!(error, "it imports b.proto, which is not in it");
        assert!(add(&mut standard().unwrap(), b"\xff").is_err());
    }
}
