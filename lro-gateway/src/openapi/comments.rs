//! The comments of protos.

use std::collections::HashMap;

use prost::Message as _;
use prost_reflect::{
    DescriptorPool, EnumDescriptor, EnumValueDescriptor, FieldDescriptor, FileDescriptor,
    MessageDescriptor, MethodDescriptor, ServiceDescriptor,
};
use prost_types::{FileDescriptorProto, FileDescriptorSet};

/// The leading comments of all files that keep source information.
pub(super) struct Comments(HashMap<String, HashMap<Vec<i32>, String>>);

impl Comments {
    /// The comments of the pool's files, and of these sets.
    pub(super) fn new(types: &DescriptorPool, sets: &[Vec<u8>]) -> Self {
        let mut comments = Self(HashMap::new());
        for file in types.files() {
            comments.add(file.file_descriptor_proto());
        }
        // The sets were read once when the gateway was built.
        let sets = sets
            .iter()
            .filter_map(|set| FileDescriptorSet::decode(&**set).ok());
        for file in sets.flat_map(|set| set.file) {
            comments.add(&file);
        }
        comments
    }

    fn add(&mut self, file: &FileDescriptorProto) {
        let comments = of_file(file);
        if !comments.is_empty() {
            self.0.insert(file.name().to_owned(), comments);
        }
    }

    fn get(&self, file: &FileDescriptor, path: &[i32]) -> Option<&str> {
        Some(self.0.get(file.name())?.get(path)?)
    }

    pub(super) fn service(&self, service: &ServiceDescriptor) -> Option<&str> {
        self.get(&service.parent_file(), service.path())
    }

    pub(super) fn method(&self, method: &MethodDescriptor) -> Option<&str> {
        self.get(&method.parent_service().parent_file(), method.path())
            .or_else(|| of_operations(method.full_name()))
    }

    pub(super) fn message(&self, message: &MessageDescriptor) -> Option<&str> {
        self.get(&message.parent_file(), message.path())
    }

    pub(super) fn field(&self, field: &FieldDescriptor) -> Option<&str> {
        self.get(&field.parent_message().parent_file(), field.path())
    }

    pub(super) fn enumeration(&self, enumeration: &EnumDescriptor) -> Option<&str> {
        self.get(&enumeration.parent_file(), enumeration.path())
    }

    pub(super) fn value(&self, value: &EnumValueDescriptor) -> Option<&str> {
        self.get(&value.parent_enum().parent_file(), value.path())
    }
}

/// The methods of google.longrunning, where no descriptor set has their comments.
fn of_operations(method: &str) -> Option<&'static str> {
    let method = method.strip_prefix("google.longrunning.Operations.")?;
    let (_, text) = OPERATIONS.iter().find(|(name, _)| *name == method)?;
    Some(text)
}

const OPERATIONS: [(&str, &str); 5] = [
    (
        "GetOperation",
        "The operation as it is now, or its changes as server-sent events.",
    ),
    (
        "ListOperations",
        "The operations directly below `name`, newest first. An operation with a parent, such as \
         `projects/p/operations/7`, is in the list of that parent, `projects/p/operations`, and not in \
         `operations`.",
    ),
    (
        "CancelOperation",
        "Asks for the cancellation of an operation, without waiting for its end.",
    ),
    ("DeleteOperation", "Deletes the record of an operation."),
    (
        "WaitOperation",
        "The operation at its end, or as it is after `timeout`.",
    ),
];

fn of_file(file: &FileDescriptorProto) -> HashMap<Vec<i32>, String> {
    let locations = file.source_code_info.iter().flat_map(|info| &info.location);
    locations
        .filter_map(|location| {
            let text = clean(location.leading_comments.as_deref()?);
            (!text.is_empty()).then(|| (location.path.clone(), text))
        })
        .collect()
}

/// The text without the space that follows each `//`.
fn clean(comment: &str) -> String {
    let lines = comment
        .lines()
        .map(|line| line.strip_prefix(' ').unwrap_or(line).trim_end());
    lines.collect::<Vec<_>>().join("\n").trim().to_owned()
}
