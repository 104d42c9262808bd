//! The signature of a marked method.

use std::fmt::Display;

use quote::ToTokens;
use syn::{FnArg, Receiver, ReceiverKind, ReturnType, Safety, Signature, Type};

use super::claim::Claim;
use crate::{args::MethodArgs, errors::Errors, types};

/// The types that a marked method is about.
#[derive(Debug)]
pub(crate) struct SignatureTypes {
    pub(crate) request: Type,
    pub(crate) response: Claim,
    pub(crate) metadata: Claim,
    pub(crate) error: Option<Type>,
    pub(crate) parameters: [Type; 2],
}

// Input:  async fn export(&self, request: Q, operation: OperationContext<M>) -> Result<R, E>
// Output: SignatureTypes { request: Q, response: R, metadata: M, error: E }, and whether all else is right
pub(super) fn check(
    sig: &Signature,
    args: &MethodArgs,
    errors: &mut Errors,
) -> (Option<SignatureTypes>, bool) {
    let mut check = Check {
        sig,
        errors,
        is_sound: true,
    };
    check.qualifiers();
    check.receiver();
    let parameters = check.parameters();
    let metadata = parameters
        .as_ref()
        .and_then(|[_, context]| check.metadata(context, args));
    let outcome = check.outcome(args);
    let is_sound = check.is_sound;

    let types = match (parameters, metadata, outcome) {
        (Some(parameters), Some(metadata), Some((response, error))) => Some(SignatureTypes {
            request: parameters[0].clone(),
            response,
            metadata,
            error,
            parameters,
        }),
        _ => None,
    };
    (types, is_sound)
}

struct Check<'a> {
    sig: &'a Signature,
    errors: &'a mut Errors,
    is_sound: bool,
}

impl Check<'_> {
    fn wrong(&mut self, tokens: impl ToTokens, message: impl Display) {
        self.errors.at(tokens, message);
        self.is_sound = false;
    }

    fn qualifiers(&mut self) {
        let sig = self.sig;
        if sig.asyncness.is_none() {
            self.wrong(
                sig.fn_token,
                "an operation is an `async fn`: write `async` here",
            );
        }
        if !sig.generics.params.is_empty() {
            self.wrong(
                &sig.generics,
                "an operation has no generic parameters: its messages are those of one rpc",
            );
        }
        if let Some(constness) = sig.constness {
            self.wrong(constness, "an operation is a plain `async fn`");
        }
        if let Safety::Unsafe(token) = sig.safety {
            self.wrong(token, "an operation is a plain `async fn`");
        }
        if let Some(abi) = &sig.abi {
            self.wrong(abi, "an operation is a plain `async fn`");
        }
    }

    fn receiver(&mut self) {
        let sig = self.sig;
        let Some(FnArg::Receiver(Receiver { kind, .. })) = sig.inputs.first() else {
            self.wrong(
                &sig.ident,
                format!(
                    "`{}` is a method of the service: write `&self` first",
                    sig.ident
                ),
            );
            return;
        };
        let receiver = &sig.inputs[0];
        match kind {
            ReceiverKind::Reference(_, _, None) => {}
            ReceiverKind::Reference(_, _, Some(_)) => self.wrong(
                receiver,
                "many operations run at the same time on one service: write `&self`",
            ),
            _ => self.wrong(receiver, "an operation borrows the service: write `&self`"),
        }
    }

    /// The types of the request and of the context.
    fn parameters(&mut self) -> Option<[Type; 2]> {
        const SHAPE: &str =
            "`(&self, request: ExportRequest, operation: OperationContext<ExportMetadata>)`";
        let sig = self.sig;
        let mut typed = sig.inputs.iter().filter_map(|input| match input {
            FnArg::Typed(parameter) => Some(parameter),
            FnArg::Receiver(_) => None,
        });
        match (typed.next(), typed.next()) {
            (Some(request), Some(context)) => {
                for extra in typed {
                    self.wrong(
                        extra,
                        format!(
                            "an operation takes the request and its context, no more, as in {SHAPE}"
                        ),
                    );
                }
                if types::is_context(&request.ty) {
                    self.wrong(
                        &request.ty,
                        format!("the request comes first, then the context, as in {SHAPE}"),
                    );
                    return None;
                }
                self.request(&request.ty);
                Some([(*request.ty).clone(), (*context.ty).clone()])
            }
            (Some(only), None) if types::is_context(&only.ty) => {
                self.wrong(
                    only,
                    format!("the request is missing before the context, as in {SHAPE}"),
                );
                None
            }
            (Some(only), None) => {
                self.request(&only.ty);
                self.wrong(
                    only,
                    format!("the context is missing after the request, as in {SHAPE}"),
                );
                None
            }
            (None, _) => {
                self.wrong(
                    &sig.ident,
                    format!("an operation takes the request and its context, as in {SHAPE}"),
                );
                None
            }
        }
    }

    fn request(&mut self, ty: &Type) {
        match ty {
            Type::Reference(_) => self.wrong(
                ty,
                "an operation owns its request: write the message without `&`",
            ),
            _ => {
                if let Some([message]) = wrapped(ty, "Request").as_deref() {
                    self.wrong(
                        ty,
                        format!(
                            "an operation takes the message itself: write `{}` (headers can be read in `prepare`)",
                            text(message)
                        ),
                    );
                }
            }
        }
    }

    fn metadata(&mut self, context: &Type, args: &MethodArgs) -> Option<Claim> {
        if let Type::Reference(_) = context {
            self.wrong(
                context,
                "an operation owns its context: write it without `&`",
            );
            return None;
        }
        let claim = Claim::new(args.metadata.cloned(), types::metadata(context));
        if claim.is_none() && !args.metadata.is_unreadable() {
            let text = if types::is_context(context) {
                "the metadata type is missing, as in `OperationContext<ExportMetadata>`: write the \
                 message that `metadata_type` names in the proto, `()` for `google.protobuf.Empty`"
            } else {
                "cannot see the metadata type here: write `OperationContext<ExportMetadata>`, \
                 or say it in the attribute, as in `metadata = ExportMetadata`"
            };
            self.wrong(context, text);
        }
        claim
    }

    /// The response, and the error if it is written.
    fn outcome(&mut self, args: &MethodArgs) -> Option<(Claim, Option<Type>)> {
        let ReturnType::Type(_, output) = &self.sig.output else {
            let name = &self.sig.ident;
            self.wrong(
                name,
                "an operation returns a result: write `-> Result<ExportResponse, Status>`, with your response message",
            );
            return None;
        };
        let Some(outcome) = types::outcome(output) else {
            self.wrong(
                output,
                format!(
                    "an operation returns a result: write `Result<{}, Status>`",
                    text(output)
                ),
            );
            return None;
        };
        if let Some(response) = outcome.response
            && let Some([message]) = wrapped(response, "Response").as_deref()
        {
            self.wrong(
                response,
                format!(
                    "an operation returns the message itself: write `{}`",
                    text(message)
                ),
            );
            return None;
        }
        let claim = Claim::new(args.response.cloned(), outcome.response);
        if claim.is_none() && !args.response.is_unreadable() {
            self.wrong(
                output,
                "cannot see the response type here: write `Result<ExportResponse, Status>`, \
                 or say it in the attribute, as in `response = ExportResponse`",
            );
        }
        Some((claim?, outcome.error.cloned()))
    }
}

/// The type arguments of `ty`, if it is called `name`.
fn wrapped<'a>(ty: &'a Type, name: &str) -> Option<Vec<&'a Type>> {
    types::named(ty)
        .filter(|named| named.name == name)
        .map(|named| named.args)
}

/// A type as a user would write it.
fn text(ty: &Type) -> String {
    let spaced = ty.to_token_stream().to_string();
    let mut text = spaced;
    for (from, to) in [
        (" :: ", "::"),
        (":: ", "::"),
        (" <", "<"),
        ("< ", "<"),
        (" >", ">"),
        (" ,", ","),
        ("& ", "&"),
    ] {
        text = text.replace(from, to);
    }
    text
}
