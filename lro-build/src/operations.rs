//! Which rpcs are long-running, and what their operations carry.

use prost_reflect::{ExtensionDescriptor, MessageDescriptor, MethodDescriptor};

use crate::error::{Error, Place, Problem};
use crate::extern_paths::{ExternPaths, has_type_url};
use crate::names;
use crate::protos::Protos;

mod type_name;

#[cfg(test)]
mod tests;

const OPERATION: &str = "google.longrunning.Operation";
const OPERATION_INFO: &str = "google.longrunning.operation_info";

/// An rpc with a valid `operation_info`.
pub(crate) struct OperationMethod {
    pub(crate) method: MethodDescriptor,
    pub(crate) response: MessageDescriptor,
    pub(crate) metadata: MessageDescriptor,
}

/// What the rpcs of a build say about operations.
pub(crate) struct Operations {
    pub(crate) methods: Vec<OperationMethod>,
    /// For the user to see; the build goes on.
    pub(crate) warnings: Vec<Problem>,
}

impl Operations {
    /// Looks at every rpc of the files that `generated` picks, and reports all mistakes at once.
    ///
    /// `externs` are the user's.
    pub(crate) fn find(
        protos: &Protos,
        generated: impl Fn(&str) -> bool,
        externs: &ExternPaths,
    ) -> Result<Self, Error> {
        let extension = protos.pool.get_extension_by_name(OPERATION_INFO);
        let mut search = Search {
            protos,
            externs,
            extension,
            methods: vec![],
            warnings: vec![],
            problems: vec![],
        };
        let services = protos.pool.services();
        for service in services.filter(|service| generated(service.parent_file().name())) {
            let first = search.methods.len();
            for method in service.methods() {
                search.visit(method);
            }
            search.check_names(first, service.methods());
        }
        if search.problems.is_empty() {
            Ok(Self {
                methods: search.methods,
                warnings: search.warnings,
            })
        } else {
            Err(Error::annotation(search.problems))
        }
    }
}

struct Search<'a> {
    protos: &'a Protos,
    externs: &'a ExternPaths,
    extension: Option<ExtensionDescriptor>,
    methods: Vec<OperationMethod>,
    warnings: Vec<Problem>,
    problems: Vec<Problem>,
}

impl Search<'_> {
    fn visit(&mut self, method: MethodDescriptor) {
        let returns_operation = method.output().full_name() == OPERATION;
        let Some(info) = self.operation_info(&method) else {
            if returns_operation && method.parent_file().package_name() != "google.longrunning" {
                let text = "returns google.longrunning.Operation without operation_info, so its \
                    types stay unknown; write `option (google.longrunning.operation_info) = { \
                    response_type: \"..\" metadata_type: \"..\" };` in its body";
                let place = self.protos.place(&method, None);
                self.warnings.push(Problem {
                    place,
                    text: text.into(),
                });
            }
            return;
        };
        if !returns_operation {
            let text = format!(
                "has operation_info but returns {}; write `returns ({OPERATION})`, or remove the \
                 option",
                method.output().full_name(),
            );
            return self.problem(&method, text);
        }
        let streams = [
            (method.is_client_streaming(), "request"),
            (method.is_server_streaming(), "response"),
        ];
        for (_, what) in streams.iter().filter(|(streams, _)| *streams) {
            self.problem(
                &method,
                format!(
                    "has operation_info and streams its {what}s, but an operation is one \
                     response to one request; remove `stream` before the {what} type, or remove \
                     the option"
                ),
            );
        }
        let response = self.resolve(&method, "response_type", &info.response_type);
        let metadata = self.resolve(&method, "metadata_type", &info.metadata_type);
        let request = method.input();
        let what = format!("request type {}", request.full_name());
        let request = self.check_type_url(&method, &what, &request);
        if let (Some(response), Some(metadata), Some(())) = (response, metadata, request) {
            self.methods.push(OperationMethod {
                method,
                response,
                metadata,
            });
        }
    }

    fn operation_info(&self, method: &MethodDescriptor) -> Option<OperationInfo> {
        let extension = self.extension.as_ref()?;
        let options = method.options();
        if !options.has_extension(extension) {
            return None;
        }
        let info = options.get_extension(extension);
        let text = |field| {
            let value = info.as_message()?.get_field_by_name(field)?;
            value.as_str().map(str::to_owned)
        };
        Some(OperationInfo {
            response_type: text("response_type").unwrap_or_default(),
            metadata_type: text("metadata_type").unwrap_or_default(),
        })
    }

    /// The message that a half of the annotation names.
    fn resolve(
        &mut self,
        method: &MethodDescriptor,
        field: &str,
        name: &str,
    ) -> Option<MessageDescriptor> {
        let pool = &self.protos.pool;
        let file = method.parent_file();
        let package = file.package_name();
        let Some(message) = type_name::resolve(pool, package, name) else {
            let text = type_name::advise(pool, package, field, name);
            self.problem(method, text);
            return None;
        };
        self.check_type_url(method, &format!("{field} \"{name}\""), &message)?;
        let declared = message.parent_file();
        if declared != file && !file.dependencies().any(|import| import == declared) {
            let text = format!(
                "{field} \"{name}\" is declared in a file that is not imported here, which other \
                 generators refuse; write `import \"{}\";`",
                declared.name(),
            );
            let place = self.place(method);
            self.warnings.push(Problem { place, text });
        }
        Some(message)
    }

    /// The framework stores all three messages as `Any`.
    fn check_type_url(
        &mut self,
        method: &MethodDescriptor,
        what: &str,
        message: &MessageDescriptor,
    ) -> Option<()> {
        let name = message.full_name();
        if has_type_url(name) || self.externs.cover_type(&format!(".{name}")) {
            return Some(());
        }
        let text = format!(
            "{what} has no type URL in Rust, because no crate implements `prost::Name` for it; \
             write a message of your own with a field of that type"
        );
        self.problem(method, text);
        None
    }

    /// Two rpcs of a service must not end up with one marker type.
    fn check_names(&mut self, first: usize, all: impl Iterator<Item = MethodDescriptor>) {
        let all: Vec<_> = all.collect();
        let mut clashes = vec![];
        for operation in &self.methods[first..] {
            let method = &operation.method;
            let marker = names::marker(method.name());
            let other = all
                .iter()
                .find(|other| *other != method && names::marker(other.name()) == marker);
            if let Some(other) = other {
                let text = format!(
                    "has the same name in Rust as {}, `{}`; rename one of the two",
                    other.full_name(),
                    names::handler(method.name()),
                );
                clashes.push((method.clone(), text));
            }
        }
        for (method, text) in clashes {
            self.problem(&method, text);
        }
    }

    fn problem(&mut self, method: &MethodDescriptor, text: String) {
        let place = self.place(method);
        self.problems.push(Problem { place, text });
    }

    fn place(&self, method: &MethodDescriptor) -> Place {
        let number = self
            .extension
            .as_ref()
            .and_then(|it| i32::try_from(it.number()).ok());
        self.protos.place(method, number)
    }
}

struct OperationInfo {
    response_type: String,
    metadata_type: String,
}
