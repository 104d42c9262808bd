//! One type for each operation rpc, by which the macro and the compiler know it.

use proc_macro2::{Literal, TokenStream};
use quote::{format_ident, quote};

use crate::names;
use crate::service::{Operation, RustPaths, TypedMethod, TypedService, rust_type, tokens};
use crate::standard::{Field, RequestFields, Standard, Target};

/// The module with the types of all operation rpcs of a service; nothing if it has none.
pub(crate) fn module(service: &TypedService, paths: &RustPaths) -> TokenStream {
    let markers: Vec<TokenStream> = service
        .operations()
        .map(|(method, types)| marker(service, method, types, paths))
        .collect();
    if markers.is_empty() {
        return TokenStream::new();
    }
    let name = format_ident!("{}", names::methods_module(service.rust_name()));
    let doc = format!(" Long-running methods of `{}`.", service.full_name());
    quote! {
        #[doc = #doc]
        pub mod #name {
            #![allow(dead_code)]
            #(#markers)*
        }
    }
}

/// Makes the types reachable from the server trait's module, which is what the macro is given: by
/// their own names, and by those of the handlers.
///
/// The compiler quotes the module's name, and the condition, when a marked method is a plain rpc;
/// when it is misspelt, the nearest of the handlers.
// Input:  rpc Export(..) returns (google.longrunning.Operation)   rpc GetTable(..) returns (Table)
// Output: mod exporter_server { .. pub use super::exporter_methods as methods;
//             pub mod long_running_rpcs {
//                 pub use super::methods::Export as export;
//                 #[cfg(returns_google_longrunning_operation)] pub enum get_table {}
//             } }
pub(crate) fn link(server: TokenStream, service: &TypedService) -> TokenStream {
    let Ok(mut module) = syn::parse2::<syn::ItemMod>(server.clone()) else {
        return server;
    };
    let Some((_, items)) = &mut module.content else {
        return server;
    };
    if service.operations().next().is_some() {
        let name = format_ident!("{}", names::methods_module(service.rust_name()));
        items.push(syn::parse_quote! {
            #[allow(unused_imports)]
            pub use super::#name as methods;
        });
    }
    let rpcs = service.methods().map(|(method, operation)| {
        let handler = format_ident!("{}", method.handler());
        if operation.is_none() {
            return quote! {
                #[cfg(returns_google_longrunning_operation)]
                pub enum #handler {}
            };
        }
        let marker = format_ident!("{}", names::marker(method.proto_name()));
        quote!(pub use super::methods::#marker as #handler;)
    });
    items.push(syn::parse_quote! {
        #[doc(hidden)]
        pub mod long_running_rpcs {
            #![allow(unexpected_cfgs, unused_imports)]
            #(#rpcs)*
        }
    });
    quote!(#module)
}

/// The constant with the descriptors of the build.
pub(crate) fn descriptor_set(file: &str) -> TokenStream {
    quote! {
        /// The descriptors of this build, imports and options included, as an encoded
        /// `google.protobuf.FileDescriptorSet`.
        #[allow(dead_code)]
        pub const FILE_DESCRIPTOR_SET: &[u8] = ::core::include_bytes!(#file);
    }
}

// Input:
//
//     // Dumps tables.
//     rpc Export(ExportRequest) returns (google.longrunning.Operation) { option .. }
//
// Output:
//
//     /// Dumps tables.
//     #[derive(Debug, Clone, Copy)]
//     pub enum Export {}
//     impl ::lro_core::LongRunningMethod for Export { .. }
//     impl ::lro_core::RequestOf<Export> for super::ExportRequest {}
//     ..
fn marker(
    service: &TypedService,
    method: &TypedMethod,
    operation: &Operation,
    paths: &RustPaths,
) -> TokenStream {
    let core = tokens(&paths.core);
    let name = format_ident!("{}", names::marker(method.proto_name()));
    let path = format!("/{}/{}", service.full_name(), method.proto_name());
    let request = rust_type(method.request());
    let response = rust_type(&operation.response);
    let metadata = rust_type(&operation.metadata);
    let standard = standard(&operation.standard, &core);
    let fallback = [format!(
        " `{}` of `{}`.",
        method.proto_name(),
        service.full_name()
    )];
    let doc = if method.doc().is_empty() {
        &fallback
    } else {
        method.doc()
    };
    let carried = carried(operation).map(|ty| {
        quote! {
            impl #core::ResponseOf<#name> for #ty {}
            impl #core::MetadataOf<#name> for #ty {}
        }
    });
    let targeted = operation.standard.request.target.iter().map(|target| {
        let field = target.path();
        quote! {
            impl #core::Targeted for #name {
                const TARGET_FIELD: &'static str = #field;
            }
        }
    });
    quote! {
        #(#[doc = #doc])*
        #[derive(Debug, Clone, Copy)]
        pub enum #name {}
        impl #core::LongRunningMethod for #name {
            type Request = #request;
            type Response = #response;
            type Metadata = #metadata;
            const PATH: &'static str = #path;
            #standard
        }
        #(#targeted)*
        #[diagnostic::do_not_recommend]
        impl #core::RequestOf<#name> for #request {}
        #[diagnostic::do_not_recommend]
        impl #core::ResponseOf<#name> for #response {}
        #[diagnostic::do_not_recommend]
        impl #core::MetadataOf<#name> for #metadata {}
        #(#carried)*
    }
}

/// The types that an untyped operation may carry besides `Any`, each once.
fn carried(operation: &Operation) -> impl Iterator<Item = TokenStream> {
    let is_untyped = !operation.candidates.is_empty();
    let empty = is_untyped.then(|| "()".to_owned());
    let mut all: Vec<String> = operation.candidates.iter().cloned().chain(empty).collect();
    all.sort_unstable();
    all.dedup();
    all.into_iter().map(|path| rust_type(&path))
}

// Input:  Standard { verb: "create", request: RequestFields { request_id, .. }, metadata: [("verb", 4)] }
// Output: const VERB: &'static str = "create";  const METADATA_FIELDS: ..  fn request_fields(..) { .. }
fn standard(standard: &Standard, core: &TokenStream) -> TokenStream {
    let verb = &standard.verb;
    let version = standard
        .api_version
        .iter()
        .map(|version| quote!(const API_VERSION: &'static str = #version;));
    let request = request_fields(&standard.request, core);
    let metadata = metadata_fields(&standard.metadata, core);
    quote! {
        #metadata
        const VERB: &'static str = #verb;
        #(#version)*
        #request
    }
}

fn metadata_fields(fields: &[(&str, u32)], core: &TokenStream) -> TokenStream {
    if fields.is_empty() {
        return TokenStream::new();
    }
    let rest = (fields.len() < 12).then(|| quote!(..#core::MetadataFields::NONE));
    let fields = fields.iter().map(|(name, number)| {
        let name = format_ident!("{name}");
        let number = Literal::u32_unsuffixed(*number);
        quote!(#name: #number)
    });
    quote! {
        const METADATA_FIELDS: #core::MetadataFields = #core::MetadataFields {
            #(#fields,)*
            #rest
        };
    }
}

fn request_fields(fields: &RequestFields, core: &TokenStream) -> TokenStream {
    if fields.is_empty() {
        return TokenStream::new();
    }
    let request = quote!(request);
    let mut values = vec![];
    if let Some(field) = &fields.request_id {
        let value = owned(&request, field);
        values.push(quote!(request_id: #value));
    }
    if let Some(Field { name, is_option }) = &fields.validate_only {
        let name = format_ident!("{name}");
        let default = is_option.then(|| quote!(.unwrap_or_default()));
        values.push(quote!(validate_only: request.#name #default));
    }
    if let Some(target) = &fields.target {
        let value = match target {
            Target::Field(field) => owned(&request, field),
            Target::Resource { resource, name } => {
                let resource = format_ident!("{resource}");
                let value = owned(&quote!(resource), name);
                quote! {
                    match &request.#resource {
                        ::core::option::Option::Some(resource) => #value,
                        ::core::option::Option::None => ::core::default::Default::default(),
                    }
                }
            }
        };
        values.push(quote!(target: #value));
    }
    let rest = (values.len() < 3).then(|| quote!(..::core::default::Default::default()));
    quote! {
        fn request_fields(request: &Self::Request) -> #core::RequestFields {
            #core::RequestFields {
                #(#values,)*
                #rest
            }
        }
    }
}

/// The text of a field, which the request keeps.
fn owned(message: &TokenStream, field: &Field) -> TokenStream {
    let name = format_ident!("{}", field.name);
    let default = field.is_option.then(|| quote!(.unwrap_or_default()));
    quote!(#message.#name.clone() #default)
}
