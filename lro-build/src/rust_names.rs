//! Names that do not go together in Rust: two of a proto that become one, or one that is taken.

use std::collections::HashMap;

use heck::{ToSnakeCase, ToUpperCamelCase};
use prost_reflect::{EnumDescriptor, FileDescriptor, MessageDescriptor, ServiceDescriptor};

use crate::error::{Error, Problem};
use crate::extern_paths::ExternPaths;
use crate::protos::Protos;

/// What tonic's server module means something else by than the service's trait.
const TAKEN: &[&str] = &[
    "Arc",
    "Body",
    "Box",
    "BoxFuture",
    "Clone",
    "CompressionEncoding",
    "Context",
    "Default",
    "EnabledCompressionEncodings",
    "InterceptedService",
    "Into",
    "Option",
    "Poll",
    "StdError",
];

/// Reports all of them at once; prost-build panics about the first, or writes code that does not
/// compile.
pub(crate) fn check(
    protos: &Protos,
    generated: impl Fn(&str) -> bool,
    externs: &ExternPaths,
) -> Result<(), Error> {
    let mut search = Search {
        protos,
        types: HashMap::new(),
        problems: vec![],
    };
    let is_ours = |file: &FileDescriptor, name: &str| {
        generated(file.name()) && !externs.cover_type(&format!(".{name}"))
    };
    for message in protos.pool.all_messages() {
        let file = message.parent_file();
        if is_ours(&file, message.full_name()) && !message.is_map_entry() {
            search.message(&file, &message);
        }
    }
    for enumeration in protos.pool.all_enums() {
        let file = enumeration.parent_file();
        if is_ours(&file, enumeration.full_name()) {
            search.enumeration(&file, &enumeration);
        }
    }
    for service in protos.pool.services() {
        let file = service.parent_file();
        if generated(file.name()) {
            search.service(&file, &service);
        }
    }
    search
        .problems
        .sort_by(|a, b| (&a.place.file, a.place.line).cmp(&(&b.place.file, b.place.line)));
    if search.problems.is_empty() {
        Ok(())
    } else {
        Err(Error::names(search.problems))
    }
}

struct Search<'a> {
    protos: &'a Protos,
    /// Scope and Rust name of every type so far, and its name in the proto.
    types: HashMap<(String, String), String>,
    problems: Vec<Problem>,
}

impl Search<'_> {
    fn message(&mut self, file: &FileDescriptor, message: &MessageDescriptor) {
        let subject = format!("message {}", message.full_name());
        self.type_name(file, message.path(), &subject, message.full_name());

        let fields: Vec<_> = message.fields().collect();
        let in_oneof = |index: usize| {
            let oneof = fields[index].containing_oneof();
            oneof.is_some_and(|it| !it.is_synthetic())
        };
        let own = (0..fields.len()).filter(|index| !in_oneof(*index));
        let own = own.map(|index| (fields[index].name(), fields[index].path()));
        let oneofs: Vec<_> = message.oneofs().filter(|it| !it.is_synthetic()).collect();
        let oneofs = oneofs.iter().map(|it| (it.name(), it.path()));
        let members = own
            .chain(oneofs)
            .map(|(name, path)| (name.to_snake_case(), name, path));
        self.distinct(file, &subject, "fields", members);
    }

    fn service(&mut self, file: &FileDescriptor, service: &ServiceDescriptor) {
        let subject = format!("service {}", service.full_name());
        // Messages and services are in different modules.
        let scope = format!("service {}", file.package_name());
        self.rust_type(file, service.path(), &subject, service.full_name(), scope);

        let rust = service.name().to_upper_camel_case();
        if TAKEN.contains(&rust.as_str()) {
            let place = self.protos.place_of(file, service.path(), subject);
            let text = format!(
                "the server code that tonic writes needs the name `{rust}` for something else; \
                 rename the service, to `{rust}Service` for example"
            );
            self.problems.push(Problem { place, text });
        }
    }

    fn enumeration(&mut self, file: &FileDescriptor, enumeration: &EnumDescriptor) {
        let subject = format!("enum {}", enumeration.full_name());
        self.type_name(file, enumeration.path(), &subject, enumeration.full_name());

        let prefix = enumeration.name().to_upper_camel_case();
        let values: Vec<_> = enumeration.values().collect();
        let mut numbers = vec![];
        // Of aliases only the first becomes a variant.
        let firsts = values.iter().filter(|value| {
            let is_first = !numbers.contains(&value.number());
            numbers.push(value.number());
            is_first
        });
        let variants =
            firsts.map(|value| (variant(&prefix, value.name()), value.name(), value.path()));
        self.distinct(file, &subject, "values", variants);
    }

    fn type_name(&mut self, file: &FileDescriptor, path: &[i32], subject: &str, full_name: &str) {
        let scope = full_name.rsplit_once('.').map_or("", |(scope, _)| scope);
        self.rust_type(file, path, subject, full_name, scope.to_owned());
    }

    fn rust_type(
        &mut self,
        file: &FileDescriptor,
        path: &[i32],
        subject: &str,
        full_name: &str,
        scope: String,
    ) {
        let name = full_name.rsplit('.').next().unwrap_or_default();
        let rust = name.to_upper_camel_case();
        let other = self
            .types
            .insert((scope, rust.clone()), full_name.to_owned());
        if let Some(other) = other {
            let place = self.protos.place_of(file, path, subject.to_owned());
            let text =
                format!("has the same name in Rust as {other}, `{rust}`; rename one of the two");
            self.problems.push(Problem { place, text });
        }
    }

    fn distinct<'b>(
        &mut self,
        file: &FileDescriptor,
        subject: &str,
        what: &str,
        members: impl Iterator<Item = (String, &'b str, &'b [i32])>,
    ) {
        let mut seen: HashMap<String, &str> = HashMap::new();
        for (rust, name, path) in members {
            if let Some(other) = seen.get(&rust) {
                let place = self.protos.place_of(file, path, subject.to_owned());
                let text = format!(
                    "the {what} {other} and {name} both become `{rust}` in Rust; rename one of \
                     the two"
                );
                self.problems.push(Problem { place, text });
            } else {
                seen.insert(rust, name);
            }
        }
    }
}

/// The name of a variant as prost-build writes it: without the name of the enum before it.
fn variant(prefix: &str, value: &str) -> String {
    let name = value.to_upper_camel_case();
    match name.strip_prefix(prefix) {
        Some(rest) if rest.starts_with(char::is_uppercase) => rest.to_owned(),
        _ => name,
    }
}
