//! Which rpcs are long-running, and what their operations carry.

use prost_reflect::{ExtensionDescriptor, Kind, MessageDescriptor, MethodDescriptor};

use crate::error::{Error, Place, Problem};
use crate::extern_paths::{ExternPaths, is_carried};
use crate::names;
use crate::protos::Protos;
use crate::standard::Standard;

mod info;
mod missing;
mod standard_methods;
mod type_name;
mod untyped;
mod warnings;

#[cfg(test)]
mod tests;

pub(crate) use info::{Given, OperationInfo};
pub(crate) use missing::missing;
pub(crate) use warnings::Warning;

const OPERATION: &str = "google.longrunning.Operation";
const OPERATION_INFO: &str = "google.longrunning.operation_info";

/// An rpc that starts an operation.
pub(crate) struct OperationMethod {
    pub(crate) method: MethodDescriptor,
    pub(crate) types: Types,
    pub(crate) standard: Standard,
}

/// The types that an operation carries.
pub(crate) enum Types {
    /// The types that its `operation_info` names.
    Declared {
        response: MessageDescriptor,
        metadata: MessageDescriptor,
    },
    /// `Any`, as it has no `operation_info`. A handler may choose among these.
    Untyped(Vec<MessageDescriptor>),
}

/// Whether the rpc returns an operation, by its output alone.
pub(crate) fn returns_operation(method: &MethodDescriptor) -> bool {
    method.output().full_name() == OPERATION
}

/// The operation rpcs of a build.
pub(crate) struct Operations {
    pub(crate) methods: Vec<OperationMethod>,
    /// For the user to see; the build continues.
    pub(crate) warnings: Vec<Warning>,
}

impl Operations {
    /// Looks at every rpc of the files that `generated` picks, and reports all mistakes at once.
    ///
    /// `externs` and `given` are the user's.
    pub(crate) fn find(
        protos: &Protos,
        generated: impl Fn(&str) -> bool,
        externs: &ExternPaths,
        given: Given<'_>,
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
    given: Given<'a>,
    extension: Option<ExtensionDescriptor>,
    methods: Vec<OperationMethod>,
    warnings: Vec<Warning>,
    problems: Vec<Problem>,
}

impl<'a> Search<'a> {
    fn visit(&mut self, method: MethodDescriptor) {
        let returns_operation = returns_operation(&method);
        let Some(info) = self.operation_info(&method) else {
            // `google.longrunning.Operations` shows operations, it starts none.
            if returns_operation && method.parent_file().package_name() != "google.longrunning" {
                self.visit_untyped(method);
            }
            return;
        };
        if !returns_operation {
            return self.visit_other(&method);
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
                     the option, or if the file is not yours write \
                     `.ignore_operation_info(\"{}\")` in the build script",
                    method.full_name(),
                ),
            );
        }
        let response = self.resolve(&method, "response_type", &info.response_type);
        let metadata = self.resolve(&method, "metadata_type", &info.metadata_type);
        let request = method.input();
        let what = format!("request type {}", request.full_name());
        let is_named = is_carried(request.full_name());
        let request = self.check_type_url(&method, &what, &request, is_named);
        if let (Some(response), Some(metadata), Some(())) = (response, metadata, request) {
            self.advise_on_style(&method, &response, &metadata);
            self.methods.push(OperationMethod {
                standard: Standard::new(&method, Some(&metadata), self.externs),
                method,
                types: Types::Declared { response, metadata },
            });
        }
    }

    /// An rpc with the option that returns something else than an operation. A message with an
    /// operation in it is a habit of some APIs, and works as a plain rpc.
    fn visit_other(&mut self, method: &MethodDescriptor) {
        let output = method.output();
        let rpc = method.full_name();
        let wrapping = output.fields().find(
            |field| matches!(field.kind(), Kind::Message(inner) if inner.full_name() == OPERATION),
        );
        let text = match wrapping {
            Some(field) => {
                let text = format!(
                    "has operation_info, but returns {}, whose field {} is the operation, so it \
                     stays a plain rpc; write `returns ({OPERATION})` to make it long-running, or \
                     `.ignore_operation_info(\"{rpc}\")` in the build script if the file is not \
                     yours",
                    output.full_name(),
                    field.name(),
                );
                return self.warning(method, self.option_number(), text);
            }
            None => format!(
                "has operation_info but returns {}; write `returns ({OPERATION})`, or remove the \
                 option, or if the file is not yours write `.ignore_operation_info(\"{rpc}\")` in \
                 the build script",
                output.full_name(),
            ),
        };
        self.problem(method, text);
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
        let is_named = is_carried(request.full_name())
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

    /// Advice of AIP-151 and its neighbours against code that works all the same.
    fn advise_on_style(
        &mut self,
        method: &MethodDescriptor,
        response: &MessageDescriptor,
        metadata: &MessageDescriptor,
    ) {
        if let Some(text) = standard_methods::response_advice(method.name(), response) {
            self.advice(method, self.option_number(), text);
        }
        if metadata.full_name() == "google.protobuf.Empty" {
            let text = format!(
                "metadata_type \"google.protobuf.Empty\" tells callers nothing while the operation \
                 runs, and can never be changed without breaking them; write a message such as \
                 `{}Metadata`, even without fields",
                method.name(),
            );
            self.advice(method, self.option_number(), text);
        }
        if names::handler(method.name())
            .split('_')
            .any(|word| word == "async")
        {
            let text = "says Async in its name, which AIP-136 rules out, for the return type says \
                it; remove the word, or end the name in `LongRunning` if there is a quick variant";
            self.advice(method, None, text.to_owned());
        }
    }

    fn operation_info(&mut self, method: &MethodDescriptor) -> Option<OperationInfo> {
        let is_ignored = self
            .given
            .ignored
            .iter()
            .any(|rpc| rpc == method.full_name());
        let declared = self
            .extension
            .as_ref()
            .filter(|_| !is_ignored)
            .and_then(|extension| OperationInfo::read(method, extension));
        let given = self.given(method);
        match (declared, given) {
            // The build script corrects what cannot be meant.
            (Some(declared), Some(given)) if !declared.names_messages(method) => {
                Some(given.clone())
            }
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

    /// The option of the build script for the rpc.
    fn given(&self, method: &MethodDescriptor) -> Option<&'a OperationInfo> {
        let mut infos = self.given.infos.iter();
        infos.find(|info| info.rpc == method.full_name())
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
            let text = type_name::advise(self.protos, method, field, name);
            self.problem(method, text);
            return None;
        };
        let what = format!("{field} \"{name}\"");
        let is_named = is_carried(message.full_name());
        self.check_type_url(method, &what, &message, is_named)?;
        let declared = message.parent_file();
        let is_given = self.given(method).is_some();
        if declared != file && !is_given && !file.dependencies().any(|import| import == declared) {
            let found = if self.protos.is_found(declared.name()) {
                ", and was found below the include paths"
            } else {
                ""
            };
            let text = format!(
                "{field} \"{name}\" is declared in a file that is not imported here{found}, which \
                 other generators refuse; write `import \"{}\";`",
                declared.name(),
            );
            self.advice(method, self.option_number(), text);
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
        self.warn(method, option, text, false);
    }

    fn advice(&mut self, method: &MethodDescriptor, option: Option<i32>, text: String) {
        self.warn(method, option, text, true);
    }

    fn warn(
        &mut self,
        method: &MethodDescriptor,
        option: Option<i32>,
        text: String,
        is_style: bool,
    ) {
        let place: Place = self.protos.place(method, option);
        self.warnings.push(Warning {
            problem: Problem { place, text },
            package: method.parent_file().package_name().to_owned(),
            is_style,
        });
    }

    fn option_number(&self) -> Option<i32> {
        i32::try_from(self.extension.as_ref()?.number()).ok()
    }
}
