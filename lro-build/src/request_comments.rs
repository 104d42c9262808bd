//! The comments of requests in the descriptor set of the generated code, for tools that fill requests in.

use std::collections::{HashMap, HashSet};

use prost_reflect::{EnumDescriptor, Kind, MessageDescriptor};
use prost_types::SourceCodeInfo;
use prost_types::source_code_info::Location;

use crate::operations::OperationMethod;
use crate::protos::Protos;

/// `DescriptorProto.field` and `oneof_decl`, `EnumDescriptorProto.value`.
const FIELD: i32 = 2;
const ONEOF: i32 = 8;
const VALUE: i32 = 2;

/// Declarations whose comments are kept, by file.
#[derive(Default)]
struct Kept {
    methods: HashSet<(String, Vec<i32>)>,
    messages: HashSet<(String, Vec<i32>)>,
    enums: HashSet<(String, Vec<i32>)>,
}

/// The encoded descriptor set of the protos, with the comments of the rpcs that start operations, and
/// of the messages and enums that their requests hold.
pub(crate) fn keep(protos: &Protos, operations: &[OperationMethod]) -> Vec<u8> {
    let mut kept = Kept::default();
    for operation in operations {
        let method = &operation.method;
        let file = method.parent_file().name().to_owned();
        kept.methods.insert((file, method.path().to_vec()));
        kept.message(&method.input());
    }
    let infos: HashMap<String, SourceCodeInfo> = protos
        .typed
        .file
        .iter()
        .filter_map(|file| {
            let info = file.source_code_info.as_ref()?;
            let wanted = |location: &&Location| kept.covers(file.name(), location);
            let location: Vec<_> = info.location.iter().filter(wanted).map(bare).collect();
            (!location.is_empty()).then(|| (file.name().to_owned(), SourceCodeInfo { location }))
        })
        .collect();
    protos.with_source_info(&infos)
}

impl Kept {
    /// A message, and all that it holds. Those of Google's well-known types explain themselves.
    fn message(&mut self, message: &MessageDescriptor) {
        let file = message.parent_file().name().to_owned();
        let is_new = !file.starts_with("google/protobuf/")
            && self.messages.insert((file, message.path().to_vec()));
        if !is_new {
            return;
        }
        for field in message.fields() {
            match field.kind() {
                Kind::Message(inner) => self.message(&inner),
                Kind::Enum(inner) => self.r#enum(&inner),
                _ => {}
            }
        }
    }

    fn r#enum(&mut self, inner: &EnumDescriptor) {
        let file = inner.parent_file().name().to_owned();
        self.enums.insert((file, inner.path().to_vec()));
    }

    fn covers(&self, file: &str, location: &Location) -> bool {
        let has = |set: &HashSet<(String, Vec<i32>)>, path: &[i32]| {
            set.contains(&(file.to_owned(), path.to_vec()))
        };
        let path = &*location.path;
        let has_text = location.leading_comments.is_some() || location.trailing_comments.is_some();
        let member = |set, kinds: &[i32]| match path {
            [parent @ .., kind, _] if kinds.contains(kind) => has(set, parent),
            _ => false,
        };
        has_text
            && (has(&self.methods, path)
                || has(&self.messages, path)
                || has(&self.enums, path)
                || member(&self.messages, &[FIELD, ONEOF])
                || member(&self.enums, &[VALUE]))
    }
}

/// A place with its own comments only.
fn bare(location: &Location) -> Location {
    Location {
        leading_detached_comments: Vec::new(),
        ..location.clone()
    }
}
