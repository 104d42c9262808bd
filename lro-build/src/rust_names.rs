//! Names that do not go together in Rust: two of a proto that become one, or one that is taken.

use std::collections::{HashMap, HashSet};

use heck::{ToSnakeCase, ToUpperCamelCase};
use prost_reflect::{
    EnumDescriptor, FileDescriptor, MessageDescriptor, MethodDescriptor, ServiceDescriptor,
};

use crate::builder::Builder;
use crate::error::{Error, Place, Problem};
use crate::protos::Protos;
use crate::{names, operations};

/// The names that tonic's server module uses for something else than the service's trait.
const TAKEN: &[&str] = &[
    "Arc",
    "B",
    "Body",
    "Box",
    "BoxFuture",
    "BoxStream",
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
    "T",
];

/// Reports all of them at once; prost-build panics about the first, or writes code that does not
/// compile.
pub(crate) fn check(
    protos: &Protos,
    generated: impl Fn(&str) -> bool,
    builder: &Builder,
) -> Result<(), Error> {
    let mut search = Search {
        protos,
        builder,
        types: HashMap::new(),
        modules: HashMap::new(),
        packages: HashSet::new(),
        problems: vec![],
    };
    let is_ours = |file: &FileDescriptor, name: &str| {
        generated(file.name()) && !builder.extern_paths.cover_type(&format!(".{name}"))
    };
    for file in protos.pool.files().filter(|file| generated(file.name())) {
        search.package(file.package_name());
    }
    for service in protos.pool.services() {
        let file = service.parent_file();
        if generated(file.name()) {
            search.service(&file, &service);
        }
    }
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
    builder: &'a Builder,
    /// Rust module and name of every type so far, and its name in the proto.
    types: HashMap<(String, String), String>,
    /// The modules beside services, and what they hold.
    modules: HashMap<String, ServiceModule>,
    /// The modules of packages. A message whose nested types need the same module shares it.
    packages: HashSet<String>,
    problems: Vec<Problem>,
}

/// The content of a module beside a service.
struct ServiceModule {
    /// Such as `the server of service exporter.v1.Exporter`.
    content: String,
    /// How to do without it.
    way_out: &'static str,
}

impl Search<'_> {
    fn package(&mut self, package: &str) {
        let module = rust_module(package);
        for (end, _) in module.match_indices('.') {
            self.packages.insert(module[..end].to_owned());
        }
        self.packages.insert(module);
    }

    fn message(&mut self, file: &FileDescriptor, message: &MessageDescriptor) {
        let subject = format!("message {}", message.full_name());
        self.type_name(file, message.path(), &subject, message.full_name());

        let fields: Vec<_> = message.fields().collect();
        let in_oneof = |index: usize| {
            let oneof = fields[index].containing_oneof();
            oneof.is_some_and(|oneof| !oneof.is_synthetic())
        };
        let own = (0..fields.len()).filter(|index| !in_oneof(*index));
        let own = own.map(|index| (fields[index].name(), fields[index].path()));
        let oneofs: Vec<_> = message
            .oneofs()
            .filter(|oneof| !oneof.is_synthetic())
            .collect();
        let has_module = !oneofs.is_empty()
            || message.child_enums().next().is_some()
            || message
                .child_messages()
                .any(|nested| !nested.is_map_entry());
        if has_module {
            self.message_module(file, message, &subject);
        }
        let oneofs = oneofs.iter().map(|oneof| (oneof.name(), oneof.path()));
        let members = own
            .chain(oneofs)
            .map(|(name, path)| (name.to_snake_case(), name, path));
        self.distinct(file, &subject, "fields", members);
    }

    /// The module of a message's nested types is not to be one of a service's.
    fn message_module(
        &mut self,
        file: &FileDescriptor,
        message: &MessageDescriptor,
        subject: &str,
    ) {
        let module = rust_module(message.full_name());
        if let Some(other) = self.modules.get(&module) {
            let text = format!(
                "its nested types need the module `{}`, which holds {}; rename one of the two{}",
                last(&module),
                other.content,
                other.way_out,
            );
            let place = self
                .protos
                .place_of(file, message.path(), subject.to_owned());
            self.problems.push(Problem { place, text });
        }
    }

    fn service(&mut self, file: &FileDescriptor, service: &ServiceDescriptor) {
        let subject = format!("service {}", service.full_name());
        let package = rust_module(file.package_name());
        // Messages and services are in different modules.
        let scope = format!("service {package}");
        self.rust_type(file, service.path(), &subject, service.full_name(), scope);

        let rust = service.name().to_upper_camel_case();
        let place = self.protos.place_of(file, service.path(), subject.clone());
        let shadowing = service
            .methods()
            .find(|method| format!("{}Svc", method.name()) == rust);
        let reason = if TAKEN.contains(&rust.as_str()) {
            Some(String::new())
        } else {
            shadowing.map(|method| format!(", a type for its rpc {}", method.name()))
        };
        if let Some(reason) = reason.filter(|_| self.builder.build_server) {
            let text = format!(
                "the server code that tonic writes needs the name `{rust}` for something else\
                 {reason}; rename the service, to `{rust}Service` for example, or turn the servers \
                 off with `.build_server(false)` in the build script"
            );
            let place = place.clone();
            self.problems.push(Problem { place, text });
        }

        let methods: Vec<MethodDescriptor> = service.methods().collect();
        let handlers = methods
            .iter()
            .map(|method| (names::handler(method.name()), method.name(), method.path()));
        self.distinct(file, &subject, "rpcs", handlers);
        self.service_modules(service, &package, &rust, &place);
    }

    fn service_modules(
        &mut self,
        service: &ServiceDescriptor,
        package: &str,
        rust: &str,
        place: &Place,
    ) {
        let name = service.full_name();
        let modules = [
            (
                "client",
                self.builder.build_client,
                format!("the client of service {name}"),
                ", or turn the clients off with `.build_client(false)` in the build script",
            ),
            (
                "server",
                self.builder.build_server,
                format!("the server of service {name}"),
                ", or turn the servers off with `.build_server(false)` in the build script",
            ),
            (
                "methods",
                service
                    .methods()
                    .any(|method| operations::returns_operation(&method)),
                format!("the operation types of service {name}"),
                "",
            ),
        ];
        for (suffix, _, content, way_out) in modules.into_iter().filter(|module| module.1) {
            let module = names::service_module(rust, suffix);
            let path = if package.is_empty() {
                module
            } else {
                format!("{package}.{module}")
            };
            if self.packages.contains(&path) {
                let text = format!(
                    "the module `{}` holds {content}, but there is a package of that name, too; \
                     rename one of the two{way_out}",
                    last(&path),
                );
                let place = place.clone();
                self.problems.push(Problem { place, text });
            }
            self.modules
                .insert(path, ServiceModule { content, way_out });
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
        self.rust_type(file, path, subject, full_name, rust_module(scope));
    }

    fn rust_type(
        &mut self,
        file: &FileDescriptor,
        path: &[i32],
        subject: &str,
        full_name: &str,
        scope: String,
    ) {
        let rust = last(full_name).to_upper_camel_case();
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

/// The module of a package, or of a message's nested types: `a.v1.table` for `a.v1.Table`.
fn rust_module(full_name: &str) -> String {
    let segments: Vec<String> = full_name.split('.').map(str::to_snake_case).collect();
    segments.join(".")
}

fn last(path: &str) -> &str {
    path.rsplit('.').next().unwrap_or_default()
}

/// The name of a variant as prost-build writes it: without the name of the enum before it.
fn variant(prefix: &str, value: &str) -> String {
    let name = value.to_upper_camel_case();
    match name.strip_prefix(prefix) {
        Some(rest) if rest.starts_with(char::is_uppercase) => rest.to_owned(),
        _ => name,
    }
}
