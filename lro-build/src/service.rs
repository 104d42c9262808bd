//! prost-build's services as tonic-build sees them, with typed operations.

use std::collections::HashMap;

use proc_macro2::TokenStream;
use quote::quote;

use crate::descriptors::Added;
use crate::extern_paths::carried;
use crate::names;
use crate::standard::Standard;

/// Paths that generated code uses to reach other crates.
#[derive(Debug, Clone)]
pub(crate) struct RustPaths {
    pub(crate) core: String,
    pub(crate) codec: String,
}

/// A service whose operation rpcs return `Operation<Response, Metadata>`.
pub(crate) struct TypedService {
    service: prost_build::Service,
    methods: Vec<TypedMethod>,
}

/// An rpc and, if it is long-running, the types of its operation.
#[derive(Clone)]
pub(crate) struct TypedMethod {
    method: prost_build::Method,
    /// The request's type in Rust.
    request: String,
    operation: Option<Operation>,
    paths: RustPaths,
}

/// The types that an rpc's operation carries, as paths from the module of the package.
#[derive(Debug, Clone)]
pub(crate) struct Operation {
    pub(crate) response: String,
    pub(crate) metadata: String,
    /// The types that a handler may choose among, if response and metadata are `Any`.
    pub(crate) candidates: Vec<String>,
    pub(crate) standard: Standard,
}

impl TypedService {
    /// Takes the methods that were added for their types out again.
    pub(crate) fn new(
        mut service: prost_build::Service,
        paths: &RustPaths,
        standards: &HashMap<String, Standard>,
    ) -> Self {
        let (rpcs, added): (Vec<_>, Vec<_>) = std::mem::take(&mut service.methods)
            .into_iter()
            .partition(|method| Added::parse(&method.proto_name).is_none());
        let full_name = full_name(&service);
        let mut operations: HashMap<String, Operation> = HashMap::new();
        for method in added {
            let types =
                [&method.input_type, &method.output_type].map(|rust| carried(&paths.core, rust));
            let [response, metadata] = types;
            match Added::parse(&method.proto_name) {
                Some(Added::Types(rpc)) => {
                    let standard = standards.get(&format!("{full_name}.{rpc}"));
                    let operation = Operation {
                        response,
                        metadata,
                        candidates: vec![],
                        standard: standard.cloned().unwrap_or_default(),
                    };
                    operations.insert(rpc.to_owned(), operation);
                }
                Some(Added::Candidates(rpc)) => {
                    if let Some(operation) = operations.get_mut(rpc) {
                        operation.candidates.extend([response, metadata]);
                    }
                }
                None => {}
            }
        }
        let methods = rpcs
            .into_iter()
            .map(|method| {
                let operation = operations.remove(&method.proto_name);
                let request = match &operation {
                    // The engine stores it by its name.
                    Some(_) => carried(&paths.core, &method.input_type),
                    None => method.input_type.clone(),
                };
                TypedMethod {
                    operation,
                    request,
                    method,
                    paths: paths.clone(),
                }
            })
            .collect();
        Self { service, methods }
    }

    /// The service as its client sees it, which has methods of its own.
    pub(crate) fn for_client(&self) -> Self {
        let is_taken = |name: &str| self.methods.iter().any(|other| other.method.name == name);
        let methods = self.methods.iter().map(|method| {
            let mut method = method.clone();
            let name = names::client_method(&method.method.name, is_taken);
            if name != method.method.name {
                let handler = std::mem::replace(&mut method.method.name, name);
                let doc = &mut method.method.comments.leading;
                if !doc.is_empty() {
                    doc.push(String::new());
                }
                doc.push(format!(
                    " The rpc `{}`. It is not called `{handler}`, because every client has a method \
                     of that name.",
                    method.method.proto_name,
                ));
            }
            method
        });
        Self {
            methods: methods.collect(),
            service: self.service.clone(),
        }
    }

    /// The service's name in Rust.
    pub(crate) fn rust_name(&self) -> &str {
        &self.service.name
    }

    /// The service's full name in the proto.
    pub(crate) fn full_name(&self) -> String {
        full_name(&self.service)
    }

    pub(crate) fn methods(&self) -> impl Iterator<Item = (&TypedMethod, Option<&Operation>)> {
        self.methods
            .iter()
            .map(|method| (method, method.operation.as_ref()))
    }

    pub(crate) fn operations(&self) -> impl Iterator<Item = (&TypedMethod, &Operation)> {
        self.methods()
            .filter_map(|(method, operation)| Some((method, operation?)))
    }
}

impl TypedMethod {
    pub(crate) fn proto_name(&self) -> &str {
        &self.method.proto_name
    }

    /// The method's name in Rust, as the server trait has it.
    pub(crate) fn handler(&self) -> &str {
        &self.method.name
    }

    pub(crate) fn request(&self) -> &str {
        &self.request
    }

    pub(crate) fn doc(&self) -> &[String] {
        &self.method.comments.leading
    }
}

impl tonic_build::Service for TypedService {
    type Comment = String;
    type Method = TypedMethod;

    fn name(&self) -> &str {
        &self.service.name
    }

    fn package(&self) -> &str {
        &self.service.package
    }

    fn identifier(&self) -> &str {
        &self.service.proto_name
    }

    fn methods(&self) -> &[Self::Method] {
        &self.methods
    }

    fn comment(&self) -> &[Self::Comment] {
        &self.service.comments.leading
    }
}

impl tonic_build::Method for TypedMethod {
    type Comment = String;

    fn name(&self) -> &str {
        &self.method.name
    }

    fn identifier(&self) -> &str {
        &self.method.proto_name
    }

    fn codec_path(&self) -> &str {
        &self.paths.codec
    }

    fn client_streaming(&self) -> bool {
        self.method.client_streaming
    }

    fn server_streaming(&self) -> bool {
        self.method.server_streaming
    }

    fn comment(&self) -> &[Self::Comment] {
        &self.method.comments.leading
    }

    fn deprecated(&self) -> bool {
        self.method.options.deprecated()
    }

    fn request_response_name(&self, _: &str, _: bool) -> (TokenStream, TokenStream) {
        let request = rust_type(&self.request);
        let response = match &self.operation {
            Some(types) => {
                let core = tokens(&self.paths.core);
                let response = rust_type(&types.response);
                let metadata = rust_type(&types.metadata);
                quote!(#core::Operation<#response, #metadata>)
            }
            None => rust_type(&self.method.output_type),
        };
        (request, response)
    }
}

fn full_name(service: &prost_build::Service) -> String {
    match service.package.as_str() {
        "" => service.proto_name.clone(),
        package => format!("{package}.{}", service.proto_name),
    }
}

/// A type seen from a module within the module of the package.
///
/// prost-build gives paths relative to the latter, absolute ones, and for the well-known wrappers
/// primitive types.
pub(crate) fn rust_type(path: &str) -> TokenStream {
    const PRIMITIVES: [&str; 8] = ["()", "bool", "i32", "i64", "u32", "u64", "f32", "f64"];
    let path_tokens = tokens(path);
    let is_absolute = path.starts_with("::") || path.starts_with("crate::");
    if is_absolute || PRIMITIVES.contains(&path) {
        path_tokens
    } else {
        quote!(super::#path_tokens)
    }
}

/// Paths are checked before they get here; one that is no Rust would not compile either way.
pub(crate) fn tokens(path: &str) -> TokenStream {
    path.parse().unwrap_or_default()
}
