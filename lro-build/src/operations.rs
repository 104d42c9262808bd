//! Which rpcs are long-running, and what their operations carry.

use prost_reflect::{ExtensionDescriptor, MessageDescriptor, MethodDescriptor};

use crate::error::{Error, Place, Problem};
use crate::extern_paths::{ExternPaths, has_type_url, is_carried};
use crate::names;
use crate::protos::Protos;
use crate::standard::Standard;

mod habits;
mod info;
mod type_name;
mod untyped;

#[cfg(test)]
mod tests;

pub(crate) use info::OperationInfo;

const OPERATION: &str = "google.longrunning.Operation";
const OPERATION_INFO: &str = "google.longrunning.operation_info";

/// An rpc that starts an operation.
pub(crate) struct OperationMethod {
    pub(crate) method: MethodDescriptor,
    pub(crate) types: Types,
    pub(crate) standard: Standard,
}

/// What an operation carries.
pub(crate) enum Types {
    /// What its `operation_info` names.
    Declared {
        response: MessageDescriptor,
        metadata: MessageDescriptor,
    },
    /// `Any`, as it has no `operation_info`. A handler may choose among these.
    Untyped(Vec<MessageDescriptor>),
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
    /// `externs` and `given` are the user's.
    pub(crate) fn find(
        protos: &Protos,
        generated: impl Fn(&str) -> bool,
        externs: &ExternPaths,
        given: &[OperationInfo],
    ) -> Result<Self, Error> {
        info::check_rpcs(protos, given)?;
        let extension = protos.pool.get_extension_by_name(OPERATION_INFO);
        let mut search = Search {
            protos,
            externs,
            given,
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
    given: &'a [OperationInfo],
    extension: Option<ExtensionDescriptor>,
    methods: Vec<OperationMethod>,
    warnings: Vec<Problem>,
    problems: Vec<Problem>,
}

impl Search<'_> {
    fn visit(&mut self, method: MethodDescriptor) {
        let returns_operation = method.output().full_name() == OPERATION;
        let Some(info) = self.operation_info(&method) else {
            // `google.longrunning.Operations` shows operations, it starts none.
            if returns_operation && method.parent_file().package_name() != "google.longrunning" {
                self.visit_untyped(method);
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
        let is_named = has_type_url(request.full_name());
        let request = self.check_type_url(&method, &what, &request, is_named);
        if let (Some(response), Some(metadata), Some(())) = (response, metadata, request) {
            self.warn_of_habits(&method, &response, &metadata);
            self.methods.push(OperationMethod {
                standard: Standard::new(&method, Some(&metadata), self.externs),
                method,
                types: Types::Declared { response, metadata },
            });
        }
    }

    /// An rpc that does not say what its operation carries.
    fn visit_untyped(&mut self, method: MethodDescriptor) {
        if method.is_client_streaming() || method.is_server_streaming() {
            let text = format!(
                "streams and returns {OPERATION}, which stays the raw message and is none of the \
                 framework's operations; remove `stream` if it starts one"
            );
            return self.warning(&method, None, text);
        }
        let text = format!(
            "returns {OPERATION} without operation_info, so its types stay unknown; write `option \
             (google.longrunning.operation_info) = {{ response_type: \"..\" metadata_type: \"..\" \
             }};` in its body, or if the file is not yours `.operation_info(\"{}\", \"..\", \
             \"..\")` in the build script",
            method.full_name(),
        );
        self.warning(&method, None, text);
        let request = method.input();
        let is_named = has_type_url(request.full_name())
            || self
                .externs
                .cover_type(&format!(".{}", request.full_name()));
        if is_named {
            let candidates = untyped::candidates(&method, self.externs);
            self.methods.push(OperationMethod {
                standard: Standard::new(&method, None, self.externs),
                method,
                types: Types::Untyped(candidates),
            });
        }
    }

    /// What AIP-151 and its neighbours advise against, and what works all the same.
    fn warn_of_habits(
        &mut self,
        method: &MethodDescriptor,
        response: &MessageDescriptor,
        metadata: &MessageDescriptor,
    ) {
        if let Some(text) = habits::response_of_standard_method(method.name(), response) {
            self.warning(method, self.option_number(), text);
        }
        if metadata.full_name() == "google.protobuf.Empty" {
            let text = format!(
                "metadata_type \"google.protobuf.Empty\" tells callers nothing while the operation \
                 runs, and can never be changed without breaking them; write a message such as \
                 `{}Metadata`, even without fields",
                method.name(),
            );
            self.warning(method, self.option_number(), text);
        }
        if names::handler(method.name())
            .split('_')
            .any(|word| word == "async")
        {
            let text = "says Async in its name, which AIP-136 rules out, for the return type says \
                it; remove the word, or end the name in `LongRunning` if there is a quick variant";
            self.warning(method, None, text.to_owned());
        }
    }

    fn operation_info(&mut self, method: &MethodDescriptor) -> Option<OperationInfo> {
        let declared = self
            .extension
            .as_ref()
            .and_then(|extension| OperationInfo::read(method, extension));
        let given = self.given.iter().find(|it| it.rpc == method.full_name());
        match (declared, given) {
            (Some(declared), Some(given)) if !declared.agrees_with(given, method) => {
                let text = format!(
                    "has operation_info with \"{}\" and \"{}\", but the build script says \"{}\" \
                     and \"{}\"; remove the call of `operation_info`, or correct it",
                    declared.response_type,
                    declared.metadata_type,
                    given.response_type,
                    given.metadata_type,
                );
                self.problem(method, text);
                Some(declared)
            }
            (Some(declared), _) => Some(declared),
            (None, given) => given.cloned(),
        }
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
        let what = format!("{field} \"{name}\"");
        let is_named = is_carried(message.full_name());
        self.check_type_url(method, &what, &message, is_named)?;
        let declared = message.parent_file();
        let is_given = self.given.iter().any(|it| it.rpc == method.full_name());
        if declared != file && !is_given && !file.dependencies().any(|import| import == declared) {
            let text = format!(
                "{field} \"{name}\" is declared in a file that is not imported here, which other \
                 generators refuse; write `import \"{}\";`",
                declared.name(),
            );
            self.warning(method, self.option_number(), text);
        }
        Some(message)
    }

    /// The framework stores all three messages as `Any`.
    fn check_type_url(
        &mut self,
        method: &MethodDescriptor,
        what: &str,
        message: &MessageDescriptor,
        is_named: bool,
    ) -> Option<()> {
        if is_named
            || self
                .externs
                .cover_type(&format!(".{}", message.full_name()))
        {
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
        let place = self.protos.place(method, self.option_number());
        self.problems.push(Problem { place, text });
    }

    fn warning(&mut self, method: &MethodDescriptor, option: Option<i32>, text: String) {
        let place: Place = self.protos.place(method, option);
        self.warnings.push(Problem { place, text });
    }

    fn option_number(&self) -> Option<i32> {
        i32::try_from(self.extension.as_ref()?.number()).ok()
    }
}
