//! Information from a written type.

use syn::{AngleBracketedGenericArguments, GenericArgument, Ident, PathArguments, Type, TypePath};

/// A type written as `path::Name<A, B>`, seen from its last segment.
#[derive(Debug)]
pub(crate) struct Named<'a> {
    pub(crate) name: &'a Ident,
    pub(crate) args: Vec<&'a Type>,
}

// Input:  tonic::Result<ExportResponse, Status>
// Output: Named { name: Result, args: [ExportResponse, Status] }
pub(crate) fn named(ty: &Type) -> Option<Named<'_>> {
    match ty {
        Type::Paren(inner) => named(&inner.elem),
        Type::Group(inner) => named(&inner.elem),
        Type::Path(TypePath { path, .. }) => {
            let last = path.segments.last()?;
            let args = match &last.arguments {
                PathArguments::AngleBracketed(AngleBracketedGenericArguments { args, .. }) => args
                    .iter()
                    .filter_map(|argument| match argument {
                        GenericArgument::Type(ty) => Some(ty),
                        _ => None,
                    })
                    .collect(),
                _ => Vec::new(),
            };
            Some(Named {
                name: &last.ident,
                args,
            })
        }
        _ => None,
    }
}

/// Whether the type is called `OperationContext`.
pub(crate) fn is_context(ty: &Type) -> bool {
    named(ty).is_some_and(|named| named.name == "OperationContext")
}

/// The message in `OperationContext<Message>`, whatever name the context was imported by.
pub(crate) fn metadata(context: &Type) -> Option<&Type> {
    match named(context)?.args[..] {
        [metadata] => Some(metadata),
        _ => None,
    }
}

/// A return type that is called a result: `Result<R, E>`, `RpcResult<R>`, `ExportResult`.
#[derive(Debug)]
pub(crate) struct Outcome<'a> {
    pub(crate) response: Option<&'a Type>,
    pub(crate) error: Option<&'a Type>,
}

pub(crate) fn outcome(output: &Type) -> Option<Outcome<'_>> {
    let named = named(output)?;
    let is_result = named.name.to_string().ends_with("Result");
    is_result.then(|| Outcome {
        response: named.args.first().copied(),
        error: named.args.get(1).copied(),
    })
}
