//! Second pass: the impl as written becomes the service that is meant, or mistakes.

mod attributes;
mod claim;
mod signature;

use proc_macro2::{Ident, Span, TokenStream, TokenTree};
use quote::format_ident;
use syn::{
    Attribute, Expr, ExprPath, Generics, LitStr, Meta, MetaList, Path, Signature, Token, Type,
    ext::IdentExt, parse_quote, parse_quote_spanned, spanned::Spanned as _,
};

use self::attributes::beside;
pub(crate) use self::{attributes::ImplAttrs, claim::Claim, signature::SignatureTypes};
use crate::{
    args::{Given, ImplArgs, MethodArgs, OnCrash, OnDelete, Promise, StepOrder},
    errors::Errors,
    model::{Impl, Member, Method},
};

/// The checked model, which `expand` turns into code.
#[derive(Debug)]
pub(crate) struct Service {
    pub(crate) krate: Path,
    /// The expression that gives the `Operations`.
    pub(crate) operations: Expr,
    pub(crate) names: Names,
    pub(crate) attrs: ImplAttrs,
    pub(crate) unsafety: Option<Token![unsafe]>,
    pub(crate) impl_token: Token![impl],
    pub(crate) generics: Generics,
    pub(crate) self_ty: Type,
    pub(crate) members: Vec<ServiceMember>,
}

#[derive(Debug)]
pub(crate) enum ServiceMember {
    Kept(TokenStream),
    Operation(Box<Operation>),
    /// A marked method whose signature is wrong.
    Broken(Box<Stub>),
}

/// The names that the generated code beside the trait goes by.
#[derive(Debug)]
pub(crate) struct Names {
    /// `pb::exporter_server::Exporter`
    pub(crate) trait_path: Path,
    /// `pb::exporter_server`; `None` when the trait was written without it, which has been
    /// reported.
    pub(crate) module: Option<Path>,
    /// `ExporterServer`
    pub(crate) server: Ident,
}

#[derive(Debug)]
pub(crate) struct Operation {
    pub(crate) method: Handler,
    pub(crate) request: Type,
    pub(crate) response: Claim,
    pub(crate) metadata: Claim,
    /// The error in `Result<_, E>`, if it is written there.
    pub(crate) error: Option<Type>,
    /// The written types of the two parameters, where errors about them are reported.
    pub(crate) parameters: [Type; 2],
    pub(crate) prepare: Option<ExprPath>,
    /// The pattern of what its requests name that is the parent.
    pub(crate) parent: Option<LitStr>,
    pub(crate) options: Options,
}

#[derive(Debug)]
pub(crate) struct Stub {
    pub(crate) method: Handler,
    /// As far as they could be read.
    pub(crate) types: Option<SignatureTypes>,
}

/// The method as the user wrote it.
#[derive(Debug)]
pub(crate) struct Handler {
    /// For the method itself.
    pub(crate) attrs: Vec<Attribute>,
    /// For what is generated from it.
    pub(crate) beside: Vec<Attribute>,
    pub(crate) sig: Signature,
    pub(crate) body: TokenTree,
}

#[derive(Debug)]
pub(crate) struct Options {
    pub(crate) timeout: Option<std::time::Duration>,
    pub(crate) max_attempts: Option<u32>,
    pub(crate) on_crash: Option<OnCrash>,
    pub(crate) on_delete: Option<OnDelete>,
    pub(crate) cancel_grace: Option<std::time::Duration>,
    pub(crate) retain: Option<std::time::Duration>,
    pub(crate) concurrency: Option<u32>,
    pub(crate) standard_fields: Option<bool>,
    pub(crate) lifetime: Option<std::time::Duration>,
    pub(crate) promises: Vec<Promise>,
    pub(crate) steps: Option<StepOrder>,
}

/// Checks an annotated impl.
///
/// # Errors
///
/// An impl without a trait is returned unchanged: it holds no service. All other mistakes leave
/// stubs in the service.
pub(crate) fn service(
    args: TokenStream,
    written: Impl,
    errors: &mut Errors,
) -> Result<Service, Box<Impl>> {
    let args = ImplArgs::read(args, errors);
    let Some(trait_path) = written.trait_path.clone() else {
        errors.at(
            &written.self_ty,
            "`#[long_running]` belongs on the impl of a tonic service's trait, \
             as in `impl pb::exporter_server::Exporter for Exporter`",
        );
        return Err(Box::new(written));
    };

    let is_boxed = async_trait_above(&written.members, errors);
    if !is_boxed && !written.members.iter().any(is_marked) {
        errors.here(
            "no method is marked: write `#[long_running]` on each method that starts an operation",
        );
    }

    let names = names(trait_path, errors);
    let attrs = ImplAttrs::read(written.attrs, errors);
    let members = written
        .members
        .into_iter()
        .map(|member| match member {
            Member::Kept { tokens, .. } => ServiceMember::Kept(tokens),
            Member::Marked(method) => {
                marked(*method, is_boxed, &names, args.parent.cloned(), errors)
            }
        })
        .collect();

    let krate = args
        .krate
        .value()
        .unwrap_or_else(|| parse_quote!(::lro_server));
    Ok(Service {
        operations: args
            .operations
            .value()
            .unwrap_or_else(|| own_operations(&krate, &written.self_ty)),
        krate,
        names,
        attrs,
        unsafety: written.unsafety,
        impl_token: written.impl_token,
        generics: written.generics,
        self_ty: written.self_ty,
        members,
    })
}

/// Where the type has no such field, the compiler points at the type, and its message has the cure
/// in the name of the one that lacks the field.
// Input:  Exporter
// Output: ::lro_server::__private::AddTheFieldOrTheArgument::of(self).operations
fn own_operations(krate: &Path, self_ty: &Type) -> Expr {
    let place = Span::call_site().located_at(self_ty.span());
    parse_quote_spanned! {place=>
        #krate::__private::AddTheFieldOrTheArgument::of(self).operations
    }
}

fn is_marked(member: &Member) -> bool {
    matches!(member, Member::Marked(_))
}

fn async_trait_above(members: &[Member], errors: &mut Errors) -> bool {
    let found = members.iter().any(|member| match member {
        Member::Marked(method) => method.is_boxed(),
        Member::Kept { boxed, .. } => *boxed,
    });
    if found {
        errors.here(
            "`#[async_trait]` stands above `#[long_running]` and has already rewritten the methods; \
             leave it out, or write it below `#[long_running]`",
        );
    }
    found
}

// Input:  pb::exporter_server::Exporter
// Output: Names { module: pb::exporter_server, server: ExporterServer }
fn names(trait_path: Path, errors: &mut Errors) -> Names {
    let mut module = trait_path.clone();
    let last = module.segments.pop();
    let name = last.expect("a path has a last segment").ident;
    // Without the `::` that stood before the trait's own name.
    module.segments.pop_punct();
    let module = Some(module).filter(|module| !module.segments.is_empty());
    if module.is_none() {
        let generated = generated_module(&name.unraw().to_string());
        errors.at(
            &trait_path,
            format!(
                "write the trait with its module, as in `pb::{generated}::{name}`: \
                 `#[long_running]` needs what is generated beside the trait"
            ),
        );
    }
    Names {
        server: format_ident!("{}Server", name.unraw(), span = name.span()),
        trait_path,
        module,
    }
}

/// The module that tonic generates for the trait of a service.
fn generated_module(service: &str) -> String {
    let mut module = String::new();
    for (at, letter) in service.char_indices() {
        if at > 0 && letter.is_uppercase() {
            module.push('_');
        }
        module.extend(letter.to_lowercase());
    }
    module + "_server"
}

fn marked(
    method: Method,
    is_boxed: bool,
    names: &Names,
    parent: Option<LitStr>,
    errors: &mut Errors,
) -> ServiceMember {
    if method.marks.is_empty() && !is_boxed {
        let name = &method.sig.ident;
        errors.at(
            name,
            format!("`{name}` takes an `OperationContext`: write `#[long_running]` on it, too"),
        );
    }
    let args = method_args(&method.marks, errors);
    let mut handler = Handler {
        beside: beside(&method.attrs),
        attrs: method.attrs,
        sig: method.sig,
        body: method.body,
    };
    if is_boxed {
        return broken(handler, None);
    }
    let (types, is_sound) = signature::check(&handler.sig, &args, errors);
    match types {
        Some(types) if is_sound && names.module.is_some() => {
            ServiceMember::Operation(Box::new(operation(handler, types, args, parent)))
        }
        types => {
            // `.await` in the body shall not be a second mistake.
            handler.sig.asyncness.get_or_insert_default();
            broken(handler, types)
        }
    }
}

fn broken(method: Handler, types: Option<SignatureTypes>) -> ServiceMember {
    ServiceMember::Broken(Box::new(Stub { method, types }))
}

fn operation(
    method: Handler,
    types: SignatureTypes,
    args: MethodArgs,
    parent: Option<LitStr>,
) -> Operation {
    let SignatureTypes {
        request,
        response,
        metadata,
        error,
        parameters,
    } = types;
    Operation {
        method,
        request,
        response,
        metadata,
        error,
        parameters,
        prepare: args.prepare.value(),
        parent: match args.parent {
            Given::No => parent,
            own => own.value().filter(|pattern| !pattern.value().is_empty()),
        },
        options: Options {
            timeout: args.timeout.value(),
            max_attempts: args.max_attempts.value(),
            on_crash: args.on_crash.value(),
            on_delete: args.on_delete.value(),
            cancel_grace: args.cancel_grace.value(),
            retain: args.retain.value(),
            concurrency: args.concurrency.value(),
            standard_fields: args.standard_fields.value(),
            lifetime: args.lifetime.value(),
            promises: args.promises.value().unwrap_or_default(),
            steps: args.steps.value(),
        },
    }
}

// Input:  #[long_running(timeout = "30m")]
// Output: MethodArgs { timeout: 1800 s }
fn method_args(marks: &[Attribute], errors: &mut Errors) -> MethodArgs {
    for again in marks.iter().skip(1) {
        errors.at(
            again,
            "the method is marked twice: write all arguments in one `#[long_running(..)]`",
        );
    }
    match marks.first().map(|mark| &mark.meta) {
        Some(Meta::List(MetaList { tokens, .. })) => MethodArgs::read(tokens.clone(), errors),
        Some(Meta::NameValue(wrong)) => {
            errors.at(
                wrong,
                "arguments stand in parentheses, as in `#[long_running(timeout = \"30m\")]`",
            );
            MethodArgs::default()
        }
        Some(Meta::Path(_)) | None => MethodArgs::default(),
    }
}
