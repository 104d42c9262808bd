//! One type for each operation rpc, by which the macro and the compiler know it.

use proc_macro2::TokenStream;
use quote::{format_ident, quote};

use crate::names;
use crate::service::{OperationTypes, RustPaths, TypedMethod, TypedService, rust_type, tokens};

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
            #(#markers)*
        }
    }
}

/// Makes the types reachable from the server trait's module, which is what the macro is given.
pub(crate) fn link(server: TokenStream, service: &TypedService) -> TokenStream {
    if service.operations().next().is_none() {
        return server;
    }
    let Ok(mut module) = syn::parse2::<syn::ItemMod>(server.clone()) else {
        return server;
    };
    let name = format_ident!("{}", names::methods_module(service.rust_name()));
    if let Some((_, items)) = &mut module.content {
        items.push(syn::parse_quote!(pub use super::#name as methods;));
    }
    quote!(#module)
}

/// The constant with the descriptors of the build.
pub(crate) fn descriptor_set(file: &str) -> TokenStream {
    quote! {
        /// The descriptors of this build, imports and options included, as an encoded
        /// `google.protobuf.FileDescriptorSet`.
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
    types: &OperationTypes,
    paths: &RustPaths,
) -> TokenStream {
    let core = tokens(&paths.core);
    let name = format_ident!("{}", names::marker(method.proto_name()));
    let path = format!("/{}/{}", service.full_name(), method.proto_name());
    let request = rust_type(method.request());
    let response = rust_type(&types.response);
    let metadata = rust_type(&types.metadata);
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
    quote! {
        #(#[doc = #doc])*
        #[derive(Debug, Clone, Copy)]
        pub enum #name {}
        impl #core::LongRunningMethod for #name {
            type Request = #request;
            type Response = #response;
            type Metadata = #metadata;
            const PATH: &'static str = #path;
        }
        impl #core::RequestOf<#name> for #request {}
        impl #core::ResponseOf<#name> for #response {}
        impl #core::MetadataOf<#name> for #metadata {}
    }
}
