//! A method attribute without the one on the impl.

use proc_macro2::TokenStream;
use quote::{ToTokens, quote};
use syn::{
    FnArg, GenericArgument, Path, PathArguments, ReturnType, Type, TypeParamBound, parse_quote,
};

use crate::{errors::Errors, model::Method, types};

// Input:  a marked method that no annotated impl took the mark from
// Output: the method, or what the trait wants in its place
pub(crate) fn method(method: Method, errors: &mut Errors) -> TokenStream {
    if method.sig.receiver().is_none() {
        errors.here(
            "`#[long_running]` marks methods of a tonic service: write it on the impl, and on the methods in it",
        );
        return method.into_token_stream();
    }
    errors.here(
        "write `#[long_running]` on the impl, too, in place of `#[tonic::async_trait]`: \
         it makes operations of the marked methods",
    );
    rpc(&method).unwrap_or_else(|| method.into_token_stream())
}

/// The method that the service's trait expects, made from one that `async_trait` has already
/// rewritten, so that the compiler reports only the forgotten attribute.
// Input:  fn export<'life0, 'async_trait>(&'life0 self, request: Q, operation: OperationContext<M>)
//             -> Pin<Box<dyn Future<Output = Result<R, E>> + Send + 'async_trait>> where .. { body }
// Output: fn export<'life0, 'async_trait>(&'life0 self, request: Request<Q>)
//             -> Pin<Box<dyn Future<Output = Result<Response<Operation<R, M>>, Status>> + Send + 'async_trait>> where ..
fn rpc(method: &Method) -> Option<TokenStream> {
    if !method.is_boxed() {
        return None;
    }
    let mut sig = method.sig.clone();
    let context = sig.inputs.pop()?;
    sig.inputs.pop_punct();
    let (Some(FnArg::Typed(request)), FnArg::Typed(context)) = (sig.inputs.last_mut(), &context)
    else {
        return None;
    };
    let ReturnType::Type(_, boxed) = &mut sig.output else {
        return None;
    };
    let output = future_output(boxed)?;

    let message = &request.ty;
    let metadata = types::metadata(&context.ty)?;
    let response = types::outcome(output)?.response?;
    let answer = parse_quote! {
        ::core::result::Result<
            ::lro_server::__private::Response<::lro_server::__private::Operation<#response, #metadata>>,
            ::lro_server::__private::Status,
        >
    };
    request.ty = parse_quote! { ::lro_server::__private::Request<#message> };
    request.pat = parse_quote! { __request };
    *output = answer;
    // The context stays named, lest its import is called unused.
    let context = &context.ty;
    Some(quote! {
        #sig {
            let _ = ::core::marker::PhantomData::<#context>;
            loop {}
        }
    })
}

// Input:  Pin<Box<dyn Future<Output = T> + Send>>
// Output: T
fn future_output(ty: &mut Type) -> Option<&mut Type> {
    match ty {
        Type::Path(ty) => last_arguments(&mut ty.path)?.find_map(|argument| match argument {
            GenericArgument::Type(inner) => future_output(inner),
            _ => None,
        }),
        Type::TraitObject(object) => object.bounds.iter_mut().find_map(|bound| match bound {
            TypeParamBound::Trait(bound) => {
                last_arguments(&mut bound.path)?.find_map(|argument| match argument {
                    GenericArgument::AssocType(output) if output.ident == "Output" => {
                        Some(&mut output.ty)
                    }
                    _ => None,
                })
            }
            _ => None,
        }),
        _ => None,
    }
}

fn last_arguments(path: &mut Path) -> Option<impl Iterator<Item = &mut GenericArgument>> {
    match &mut path.segments.last_mut()?.arguments {
        PathArguments::AngleBracketed(arguments) => Some(arguments.args.iter_mut()),
        _ => None,
    }
}
