//! Last pass: the service becomes tokens. Nothing fails here.
//!
//! The expansion names the user's own types, what `lro-build` generated beside the trait, and this
//! of `lro_server::__private`:
//!
//! ```text
//! async_trait, Arc, Box, Request, Response, Status, Operation, OnCrash::{Resume, Abort}
//! trait LongRunningMethod { type Request; type Response; type Metadata; .. }
//! async fn start<M, H, S>(&Operations, Request<M::Request>, StartOptions<M::Metadata>)
//!     -> Result<Response<Operation<M::Response, M::Metadata>>, Status>      StartOptions is Default
//! trait Host<S> { fn register(registration: &mut Registration<Self>); }
//! fn parent_from<M>(StartOptions<M::Metadata>, &M::Request, field: &str, pattern: &str)
//!     -> Result<StartOptions<M::Metadata>, Status>
//! trait Targeted: LongRunningMethod { const TARGET_FIELD: &str; }      where requests have a parent or a name
//! impl Registration<H> { fn body<M>(&mut self, options: MethodOptions, body: fn(Arc<H>, Attempt) -> BodyFuture) }
//! impl MethodOptions { fn new() -> Self; fn timeout(self, Duration) -> Self; max_attempts(u32); on_crash(OnCrash);
//!     cancel_grace(Duration); retain(Duration); concurrency(usize); standard_fields(bool);
//!     lifetime(Duration); promise<T>(&'static str); step_order(StepOrder::{Strict, ByName}) }
//! impl Attempt { fn request<Q>(&mut self, unpack: fn(&Any) -> Result<Q, UnpackError>) -> Result<Q, HandlerError> }
//! trait RequestOf<M> { fn unpack(&Any) -> Result<Self, UnpackError>; }
//! trait ResponseOf<M> { const DECLARED: (); fn pack(&self) -> Any; }
//! trait MetadataOf<M> { const DECLARED: (); }
//! trait ContextOf<D> { fn of(Attempt) -> Self; }      trait Prepare: Future { fn prepare(self) -> Self; }
//! trait IntoHandlerError { fn into_handler_error(self) -> HandlerError; }
//! ```
//!
//! `RequestOf<M>`, `ResponseOf<M>` and `MetadataOf<M>` are implemented by the one message that the
//! rpc `M` declares; `ContextOf<D>` by `OperationContext<D>`.
//!
//! Beside the trait `pb::exporter_server::Exporter` it names
//! `pb::exporter_server::ExporterServer<T>`, and per method
//! `pb::exporter_server::long_running_rpcs::export`: the method's name.
//!
//! Only the paths `<Type as SomethingOf<..>>` in the registration compare types of the user's, so
//! that a wrong one is reported once, where it is written. The trait's methods take all their types
//! from the `LongRunningMethod`.

mod registration;

use proc_macro2::{Span, TokenStream, TokenTree};
use quote::{ToTokens, quote, quote_spanned};
use syn::{ExprPath, LitStr, spanned::Spanned};

use crate::{
    check::{Handler, Operation, Service, ServiceMember, Stub},
    model::{Impl, Member},
};

// Input:  Service { pb::exporter_server::Exporter for Exporter, members }
// Output: impl Exporter for Exporter { .. }  impl Exporter { .. }  impl Host<ExporterServer<Self>> for Exporter { .. }
pub(crate) fn service(service: &Service) -> TokenStream {
    let trait_impl = trait_impl(service);
    let written_impl = written_impl(service);
    let host_impl = registration::host_impl(service);
    quote! {
        #trait_impl
        #written_impl
        #host_impl
    }
}

/// An impl that is no service, as it was written.
pub(crate) fn unmarked(written: &Impl) -> TokenStream {
    let Impl {
        attrs,
        unsafety,
        impl_token,
        generics,
        trait_path,
        self_ty,
        members,
    } = written;
    let (params, _, bounds) = generics.split_for_impl();
    let of = trait_path.iter().map(|path| quote! { #path for });
    let members = members.iter().map(|member| match member {
        Member::Marked(method) => method.to_token_stream(),
        Member::Kept { tokens, .. } => tokens.clone(),
    });
    quote! {
        #(#attrs)*
        #unsafety #impl_token #params #(#of)* #self_ty #bounds {
            #(#members)*
        }
    }
}

// Input:  members of the service
// Output: impl pb::exporter_server::Exporter for Exporter { each marked method started, the others as they were }
fn trait_impl(service: &Service) -> TokenStream {
    let private = service.private();
    let attrs = &service.attrs.all;
    let unsafety = &service.unsafety;
    let impl_token = &service.impl_token;
    let trait_path = &service.names.trait_path;
    let self_ty = &service.self_ty;
    let (params, _, bounds) = service.generics.split_for_impl();
    let members = service.members.iter().map(|member| match member {
        ServiceMember::Kept(tokens) => tokens.clone(),
        ServiceMember::Operation(operation) => start(service, operation),
        ServiceMember::Broken(stub) => stand_in(service, stub),
    });
    quote! {
        #(#attrs)*
        #[#private::async_trait]
        #unsafety #impl_token #params #trait_path for #self_ty #bounds {
            #(#members)*
        }
    }
}

// Input:  async fn export(&self, request: ExportRequest, ..) -> Result<ExportResponse, Status> { body }
// Output: async fn export(&self, __request: Request<..>) -> Result<Response<Operation<..>>, Status> { start(..).await }
fn start(service: &Service, operation: &Operation) -> TokenStream {
    let private = service.private();
    let operations = &service.operations;
    let marker = service.marker(&operation.method);
    let server = service.server();
    let head = head(service, &operation.method, &service.rpc_types(&marker));
    let options = match &operation.prepare {
        Some(prepare) => prepared(service, &marker, prepare),
        None => quote! { ::core::default::Default::default() },
    };
    let parent = operation
        .parent
        .iter()
        .map(|pattern| parent(service, &marker, pattern));
    let body = quote! {
        let __options = #options;
        #(#parent)*
        #private::start::<#marker, Self, #server>(&#operations, __request, __options).await
    };
    quote_spanned! {located_at(&operation.method.sig.ident)=> #head { #body } }
}

/// The compiler points at the function when it is one of another shape.
// Input:  Self::prepare_export
// Output: { let __options = Prepare::prepare(Self::prepare_export(self, &__request)).await?; .. }
fn prepared(service: &Service, marker: &TokenStream, prepare: &ExprPath) -> TokenStream {
    let name = prepare.path.segments.last().map(|last| &last.ident);
    let place = located_at(&name);
    let private = respanned(service.private(), place);
    let metadata = respanned(service.rpc_types(marker).metadata, place);
    quote_spanned! {place=> {
        let __options = #private::Prepare::prepare(#prepare(self, &__request)).await?;
        let __options: #private::StartOptions<#metadata> = __options;
        __options
    }}
}

/// The compiler points at the pattern when the request has nothing to compare it with.
// Input:  "projects/*"
// Output: let __options = parent_from::<M>(__options, __request.get_ref(), <M as Targeted>::TARGET_FIELD, "projects/*")?;
fn parent(service: &Service, marker: &TokenStream, pattern: &LitStr) -> TokenStream {
    let place = located_at(pattern);
    let private = respanned(service.private(), place);
    let marker = respanned(marker.clone(), place);
    quote_spanned! {place=>
        let __options = #private::parent_from::<#marker>(
            __options,
            __request.get_ref(),
            <#marker as #private::Targeted>::TARGET_FIELD,
            #pattern,
        )?;
    }
}

/// A method that satisfies the trait in place of one that was reported.
fn stand_in(service: &Service, stub: &Stub) -> TokenStream {
    let types = match (&service.names.module, &stub.types) {
        (Some(_), _) => service.rpc_types(&service.marker(&stub.method)),
        // Without the module the user's own types are the best guess.
        (None, Some(types)) => RpcTypes {
            request: types.request.to_token_stream(),
            response: types.response.ty.to_token_stream(),
            metadata: types.metadata.ty.to_token_stream(),
        },
        (None, None) => return TokenStream::new(),
    };
    let head = head(service, &stub.method, &types);
    quote_spanned! {located_at(&stub.method.sig.ident)=> #head { loop {} } }
}

/// The messages of an rpc, as types.
struct RpcTypes {
    request: TokenStream,
    response: TokenStream,
    metadata: TokenStream,
}

fn head(service: &Service, method: &Handler, types: &RpcTypes) -> TokenStream {
    let private = service.private();
    let attrs = &method.beside;
    let name = &method.sig.ident;
    let RpcTypes {
        request,
        response,
        metadata,
    } = types;
    // A method that the trait does not have is reported where it is written.
    let keywords = quote_spanned! {located_at(name)=> async fn };
    quote! {
        #(#attrs)*
        #keywords #name(&self, __request: #private::Request<#request>) -> ::core::result::Result<
            #private::Response<#private::Operation<#response, #metadata>>,
            #private::Status,
        >
    }
}

// Input:  marked methods of the service
// Output: impl Exporter { the methods as written }
fn written_impl(service: &Service) -> TokenStream {
    let attrs = &service.attrs.beside;
    let self_ty = &service.self_ty;
    let (params, _, bounds) = service.generics.split_for_impl();
    let mut methods = service
        .members
        .iter()
        .filter_map(|member| match member {
            ServiceMember::Kept(_) => None,
            ServiceMember::Operation(operation) => {
                Some(written(&operation.method, &TokenStream::new()))
            }
            // The method is not registered, and that needs no second error.
            ServiceMember::Broken(stub) => {
                Some(written(&stub.method, &quote! { #[allow(dead_code)] }))
            }
        })
        .peekable();
    if methods.peek().is_none() {
        return TokenStream::new();
    }
    quote! {
        #(#attrs)*
        impl #params #self_ty #bounds {
            #(#methods)*
        }
    }
}

fn written(method: &Handler, lint: &TokenStream) -> TokenStream {
    let Handler {
        attrs, sig, body, ..
    } = method;
    // The signature is prescribed, so lints about its shape are no help to the user; in the trait's
    // impl, where it was written, they would not appear either.
    quote! {
        #(#attrs)*
        #lint
        #[allow(
            private_interfaces,
            clippy::needless_pass_by_value,
            clippy::unused_async,
            clippy::unused_self
        )]
        pub(crate) #sig #body
    }
}

impl Service {
    fn private(&self) -> TokenStream {
        let krate = &self.krate;
        quote! { #krate::__private }
    }

    /// `pb::exporter_server::ExporterServer<Self>`
    fn server(&self) -> TokenStream {
        let server = &self.names.server;
        let module = self.names.module.iter();
        quote! { #(#module::)* #server<Self> }
    }

    /// `pb::exporter_server::long_running_rpcs::export`
    fn marker(&self, method: &Handler) -> TokenStream {
        let module = self.names.module.iter();
        let mut rpc = method.sig.ident.clone();
        rpc.set_span(located_at(&rpc));
        quote! { #(#module::)* long_running_rpcs::#rpc }
    }

    fn rpc_types(&self, marker: &TokenStream) -> RpcTypes {
        let private = self.private();
        let rpc = quote! { <#marker as #private::LongRunningMethod> };
        RpcTypes {
            request: quote! { #rpc::Request },
            response: quote! { #rpc::Response },
            metadata: quote! { #rpc::Metadata },
        }
    }
}

/// A span that points at `tokens` and is still the macro's, so that lints leave it alone.
fn located_at(tokens: &impl Spanned) -> Span {
    Span::call_site().located_at(tokens.span())
}

/// The tokens at another span, so that an error points at a whole expression.
fn respanned(tokens: TokenStream, span: Span) -> TokenStream {
    let at = |mut token: TokenTree| {
        token.set_span(span);
        token
    };
    tokens.into_iter().map(at).collect()
}
