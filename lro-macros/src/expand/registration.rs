//! The part of the expansion that a worker reads: which methods a service hosts.

use proc_macro2::{Ident, Span, TokenStream};
use quote::{quote, quote_spanned};

use super::{located_at, respanned};
use crate::{
    args::{OnCrash, OnDelete, Promise, StepOrder},
    check::{Claim, Operation, Options, Service, ServiceMember},
};

// Input:  operations of the service
// Output: impl Host<pb::exporter_server::ExporterServer<Self>> for Exporter { fn register(..) { each registered } }
pub(super) fn host_impl(service: &Service) -> TokenStream {
    let private = service.private();
    let attrs = &service.attrs.beside;
    let self_ty = &service.self_ty;
    let (params, _, bounds) = service.generics.split_for_impl();
    if service.names.module.is_none() {
        // The mistake is reported. A worker that hosts the type is no second one.
        return quote! {
            #(#attrs)*
            #[automatically_derived]
            impl #params #private::Host<()> for #self_ty #bounds {
                fn register(_: &mut #private::Registration<Self>) {}
            }
        };
    }
    let server = service.server();
    let methods = service.members.iter().filter_map(|member| match member {
        ServiceMember::Operation(operation) => Some(method(service, operation)),
        ServiceMember::Kept(_) | ServiceMember::Broken(_) => None,
    });
    quote! {
        #(#attrs)*
        #[automatically_derived]
        impl #params #private::Host<#server> for #self_ty #bounds {
            fn register(__registration: &mut #private::Registration<Self>) {
                #(#methods)*
            }
        }
    }
}

// Input:  Operation { export, ExportRequest, ExportResponse, ExportMetadata, timeout: 1800 s }
// Output: __registration.body::<methods::Export>(MethodOptions::new().timeout(..), |..| unpack, run, pack)
fn method(service: &Service, operation: &Operation) -> TokenStream {
    let private = service.private();
    let marker = service.marker(&operation.method);
    let attrs = &operation.method.beside;
    let name = &operation.method.sig.ident;

    // The types keep the tokens that the user wrote, and stand in paths of their own: so the
    // compiler points there, and has nothing else to point at.
    let request = &operation.request;
    let Claim {
        ty: response,
        also: response_also,
    } = &operation.response;
    let Claim {
        ty: metadata,
        also: metadata_also,
    } = &operation.metadata;
    let error = match &operation.error {
        Some(error) => quote! { #error },
        None => quote! { _ },
    };
    let claims = [
        ("ResponseOf", response_also.as_ref()),
        ("MetadataOf", metadata_also.as_ref()),
        ("MetadataOf", Some(metadata)),
    ]
    .into_iter()
    .filter_map(|(of, ty)| {
        let of = Ident::new(of, Span::call_site());
        ty.map(|ty| quote! { _ = <#ty as #private::#of<#marker>>::DECLARED; })
    });

    let options = options(service, &operation.options);
    let [request_ty, context_ty] = &operation.parameters;
    let __request = Ident::new("__request", located_at(request_ty));
    let __operation = Ident::new("__operation", located_at(context_ty));
    let place = located_at(name);
    let run = quote_spanned! {place=>
        match Self::#name(&__host, #__request, #__operation).await
    };
    let ok = quote! { ::core::result::Result::Ok };
    let err = quote! { ::core::result::Result::Err };
    let body = quote! {{
        let #__request = match __attempt.request(<#request as #private::RequestOf<#marker>>::unpack) {
            #ok(__request) => __request,
            #err(__error) => return #err(__error),
        };
        let #__operation = <#context_ty as #private::ContextOf<#metadata>>::of(__attempt);
        #run {
            #ok(__response) => #ok(<#response as #private::ResponseOf<#marker>>::pack(&__response)),
            #err(__error) => #err(<#error as #private::IntoHandlerError>::into_handler_error(__error)),
        }
    }};
    // A future that is not `Send` is reported at the method's name.
    let here = respanned(private.clone(), place);
    let future = quote_spanned! {place=> #here::Box::pin(async move #body) };
    quote! {
        #(#attrs)*
        {
            #(#claims)*
            __registration.body::<#marker>(
                #options,
                |__host: #private::Arc<Self>, mut __attempt: #private::Attempt| #future,
            );
        }
    }
}

// Input:  Options { timeout: 1800 s, on_crash: Abort }
// Output: MethodOptions::new().timeout(Duration::from_millis(1800000)).on_crash(OnCrash::Abort)
fn options(service: &Service, options: &Options) -> TokenStream {
    let private = service.private();
    let mut tokens = quote! { #private::MethodOptions::new() };
    let durations = [
        ("timeout", options.timeout),
        ("cancel_grace", options.cancel_grace),
        ("retain", options.retain),
        ("lifetime", options.lifetime),
    ];
    for (name, duration) in durations {
        if let Some(duration) = duration {
            let name = Ident::new(name, Span::call_site());
            let secs = duration.as_secs();
            let nanos = duration.subsec_nanos();
            tokens.extend(quote! { .#name(::core::time::Duration::new(#secs, #nanos)) });
        }
    }
    if let Some(attempts) = options.max_attempts {
        tokens.extend(quote! { .max_attempts(#attempts) });
    }
    if let Some(on_crash) = options.on_crash {
        let on_crash = match on_crash {
            OnCrash::Resume => quote! { Resume },
            OnCrash::Abort => quote! { Abort },
        };
        tokens.extend(quote! { .on_crash(#private::OnCrash::#on_crash) });
    }
    if let Some(on_delete) = options.on_delete {
        let on_delete = match on_delete {
            OnDelete::Continue => quote! { Continue },
            OnDelete::Cancel => quote! { Cancel },
        };
        tokens.extend(quote! { .on_delete(#private::OnDelete::#on_delete) });
    }
    if let Some(concurrency) = options.concurrency {
        let concurrency = proc_macro2::Literal::u32_unsuffixed(concurrency);
        tokens.extend(quote! { .concurrency(#concurrency) });
    }
    if let Some(standard_fields) = options.standard_fields {
        tokens.extend(quote! { .standard_fields(#standard_fields) });
    }
    for Promise { name, ty } in &options.promises {
        tokens.extend(quote! { .promise::<#ty>(#name) });
    }
    if let Some(order) = options.steps {
        let order = match order {
            StepOrder::Strict => quote! { Strict },
            StepOrder::ByName => quote! { ByName },
        };
        tokens.extend(quote! { .step_order(#private::StepOrder::#order) });
    }
    tokens
}
