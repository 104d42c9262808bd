//! Descriptors made ready for prost-build.

use std::collections::{HashMap, HashSet};

use prost_reflect::MessageDescriptor;
use prost_types::source_code_info::Location;
use prost_types::{
    DescriptorProto, EnumDescriptorProto, FileDescriptorProto, MethodDescriptorProto,
};

use crate::comments::Comments;
use crate::extern_paths::ExternPaths;
use crate::operations::{OperationMethod, Types};
use crate::protos::Protos;

/// Follows the rpc's name in the name of an added method; no proto can declare such a name.
const MARK: char = '$';
const TYPES: &str = "types";
const CANDIDATES: &str = "candidates";

/// The types that an added method carries.
pub(crate) enum Added<'a> {
    /// The response and the metadata of this rpc's operation.
    Types(&'a str),
    /// Two messages that this rpc's untyped operation may carry.
    Candidates(&'a str),
}

impl<'a> Added<'a> {
    /// The types that the method carries, if it was added.
    pub(crate) fn parse(method: &'a str) -> Option<Self> {
        match method.split_once(MARK)? {
            (rpc, TYPES) => Some(Self::Types(rpc)),
            (rpc, _) => Some(Self::Candidates(rpc)),
        }
    }
}

/// The names of the files that get Rust code.
///
/// Not among them: what has its Rust types elsewhere, and the google protos which nothing but
/// options refers to.
pub(crate) fn generated(protos: &Protos, externs: &ExternPaths) -> HashSet<String> {
    let files = &protos.typed.file;
    let is_wanted = |file: &&FileDescriptorProto| {
        let passive = protos.is_import(file.name())
            && (file.package() == "google.api" || file.package() == "google.rpc");
        !externs.cover_package(file.package()) && !passive && !protos.is_stub(file.name())
    };
    let mut wanted: HashSet<String> = files
        .iter()
        .filter(is_wanted)
        .map(|file| file.name().to_owned())
        .collect();

    let declared: HashMap<String, &FileDescriptorProto> = files
        .iter()
        .flat_map(|file| {
            let prefix = prefix(file.package());
            let messages = file.message_type.iter().map(DescriptorProto::name);
            let enums = file.enum_type.iter().map(EnumDescriptorProto::name);
            messages
                .chain(enums)
                .map(move |name| (format!("{prefix}.{name}"), file))
        })
        .collect();
    let mut queue: Vec<&FileDescriptorProto> = files.iter().filter(is_wanted).collect();
    while let Some(file) = queue.pop() {
        for name in references(file).filter(|name| !externs.cover_type(name)) {
            let found = prefixes(name).find_map(|name| declared.get(name));
            if let Some(file) = found
                && !externs.cover_package(file.package())
                && wanted.insert(file.name().to_owned())
            {
                queue.push(file);
            }
        }
    }
    wanted
}

/// The files for prost-build: services without a Rust module of their own are removed, and every
/// operation rpc has a companion with the operation's types.
///
/// prost-build resolves the types of methods, and only those, so that is the form in which it gets
/// to see them:
///
/// ```proto
/// // Input:
/// rpc Export(ExportRequest) returns (google.longrunning.Operation);
/// // Output:
/// rpc Export(ExportRequest) returns (google.longrunning.Operation);
/// rpc Export$types(ExportResponse) returns (ExportMetadata);
/// ```
pub(crate) fn prepare(
    protos: &Protos,
    generated: &HashSet<String>,
    operations: &[OperationMethod],
) -> (Vec<FileDescriptorProto>, Comments) {
    let mut comments = Comments::default();
    let mut files = protos.typed.file.clone();
    // A dropped file of google.api or google.rpc is one that no kept file refers to.
    files.retain(|file| {
        let is_context = !is_options_only(file.package()) && !protos.is_stub(file.name());
        generated.contains(file.name()) || is_context
    });
    for file in &mut files {
        comments.take(file);
        if !generated.contains(file.name()) {
            file.service.clear();
        }
    }
    for operation in operations {
        let name = operation.method.parent_file().name().to_owned();
        if let Some(file) = files.iter_mut().find(|file| file.name() == name) {
            add_types(file, operation);
        }
    }
    (files, comments)
}

fn add_types(file: &mut FileDescriptorProto, operation: &OperationMethod) {
    let full = |message: &MessageDescriptor| format!(".{}", message.full_name());
    match &operation.types {
        Types::Declared { response, metadata } => {
            add(file, operation, TYPES, full(response), full(metadata));
        }
        Types::Untyped(candidates) => {
            let any = || ".google.protobuf.Any".to_owned();
            add(file, operation, TYPES, any(), any());
            for pair in candidates.chunks(2) {
                if let (Some(first), Some(last)) = (pair.first(), pair.last()) {
                    add(file, operation, CANDIDATES, full(first), full(last));
                }
            }
        }
    }
}

fn add(
    file: &mut FileDescriptorProto,
    operation: &OperationMethod,
    kind: &str,
    input_type: String,
    output_type: String,
) {
    let method = &operation.method;
    let name = method.parent_service().name().to_owned();
    let mut services = file.service.iter_mut();
    let Some(service) = services.find(|service| service.name() == name) else {
        return;
    };
    let added = i32::try_from(service.method.len()).unwrap_or(i32::MAX);
    service.method.push(MethodDescriptorProto {
        name: Some(format!("{}{MARK}{kind}", method.name())),
        input_type: Some(input_type),
        output_type: Some(output_type),
        ..Default::default()
    });
    // prost-build expects a location for everything as soon as the file has any.
    if let Some(info) = &mut file.source_code_info {
        let mut path = method.path().to_vec();
        path.pop();
        path.push(added);
        info.location.push(Location {
            path,
            span: vec![0, 0, 0],
            ..Default::default()
        });
    }
}

fn is_options_only(package: &str) -> bool {
    package == "google.api"
}

fn references(file: &FileDescriptorProto) -> impl Iterator<Item = &str> {
    let mut messages: Vec<&DescriptorProto> = file.message_type.iter().collect();
    let mut names = vec![];
    while let Some(message) = messages.pop() {
        messages.extend(&message.nested_type);
        names.extend(
            message
                .field
                .iter()
                .filter_map(|field| field.type_name.as_deref()),
        );
    }
    for method in file.service.iter().flat_map(|service| &service.method) {
        names.extend([method.input_type(), method.output_type()]);
    }
    names.into_iter()
}

/// `.a.b.C.D`, `.a.b.C`, `.a.b`, `.a`.
fn prefixes(name: &str) -> impl Iterator<Item = &str> {
    std::iter::successors(Some(name), |name| {
        let (parent, _) = name.rsplit_once('.')?;
        (!parent.is_empty()).then_some(parent)
    })
}

fn prefix(package: &str) -> String {
    if package.is_empty() {
        String::new()
    } else {
        format!(".{package}")
    }
}
