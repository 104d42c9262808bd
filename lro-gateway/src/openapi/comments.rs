//! The comments of protos.

use std::collections::HashMap;

use prost_reflect::{
    DescriptorPool, EnumDescriptor, EnumValueDescriptor, FieldDescriptor, FileDescriptor,
    MessageDescriptor, MethodDescriptor, ServiceDescriptor,
};

/// The leading comments of all files that keep source information.
pub(super) struct Comments(HashMap<String, HashMap<Vec<i32>, String>>);

impl Comments {
    pub(super) fn new(types: &DescriptorPool) -> Self {
        let files = types.files();
        Self(
            files
                .map(|file| (file.name().to_owned(), of_file(&file)))
                .filter(|(_, comments)| !comments.is_empty())
                .collect(),
        )
    }

    fn get(&self, file: &FileDescriptor, path: &[i32]) -> Option<&str> {
        Some(self.0.get(file.name())?.get(path)?)
    }

    pub(super) fn service(&self, service: &ServiceDescriptor) -> Option<&str> {
        self.get(&service.parent_file(), service.path())
    }

    pub(super) fn method(&self, method: &MethodDescriptor) -> Option<&str> {
        self.get(&method.parent_service().parent_file(), method.path())
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

fn of_file(file: &FileDescriptor) -> HashMap<Vec<i32>, String> {
    let file = file.file_descriptor_proto();
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
