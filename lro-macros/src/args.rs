//! The arguments of the attribute, on the impl and on a method.
//!
//! Every argument is looked at, also after a mistake in another one.

mod duration;
mod list;
mod parent;
mod promise;

use std::{fmt::Display, time::Duration};

use proc_macro2::{Ident, TokenStream};
use syn::{Expr, ExprPath, LitBool, LitInt, LitStr, Path, Type, parse::Parser};

use self::list::Argument;
pub(crate) use self::promise::Promise;
use crate::errors::Errors;

/// Of the impl, and of the methods that want another one.
const PARENT: (&str, &str) = ("parent", "\"projects/*/locations/*\"");

/// Name and an example of each argument on the impl.
const ON_IMPL: [(&str, &str); 3] = [
    ("operations", "self.operations"),
    ("crate", "lro_server"),
    PARENT,
];

/// Name and an example of each argument on a method.
const ON_METHOD: [(&str, &str); 15] = [
    ("response", "ExportResponse"),
    ("metadata", "ExportMetadata"),
    ("prepare", "Self::prepare_export"),
    PARENT,
    ("timeout", "\"30m\""),
    ("lifetime", "\"30d\""),
    ("max_attempts", "5"),
    ("on_crash", "resume"),
    ("on_delete", "cancel"),
    ("cancel_grace", "\"10s\""),
    ("retain", "\"30d\""),
    ("concurrency", "8"),
    ("standard_fields", "false"),
    ("promise", "(\"approved\" = Approval)"),
    ("steps", "\"by_name\""),
];

/// An argument, or what became of it.
#[derive(Debug, Default)]
pub(crate) enum Given<T> {
    #[default]
    No,
    /// It is there, and a mistake about it has been reported.
    Unreadable,
    Yes(T),
}

impl<T> Given<T> {
    pub(crate) fn cloned(&self) -> Option<T>
    where
        T: Clone,
    {
        match self {
            Self::Yes(value) => Some(value.clone()),
            Self::No | Self::Unreadable => None,
        }
    }

    pub(crate) fn value(self) -> Option<T> {
        match self {
            Self::Yes(value) => Some(value),
            Self::No | Self::Unreadable => None,
        }
    }

    pub(crate) fn is_unreadable(&self) -> bool {
        matches!(self, Self::Unreadable)
    }

    fn is_given(&self) -> bool {
        !matches!(self, Self::No)
    }
}

/// `#[long_running(..)]` on the impl.
#[derive(Debug, Default)]
pub(crate) struct ImplArgs {
    pub(crate) operations: Given<Expr>,
    pub(crate) krate: Given<Path>,
    pub(crate) parent: Given<LitStr>,
}

/// `#[long_running(..)]` on a method.
#[derive(Debug, Default)]
pub(crate) struct MethodArgs {
    pub(crate) response: Given<Type>,
    pub(crate) metadata: Given<Type>,
    pub(crate) prepare: Given<ExprPath>,
    /// Empty for none, whatever the impl says.
    pub(crate) parent: Given<LitStr>,
    pub(crate) timeout: Given<Duration>,
    pub(crate) max_attempts: Given<u32>,
    pub(crate) on_crash: Given<OnCrash>,
    pub(crate) on_delete: Given<OnDelete>,
    pub(crate) cancel_grace: Given<Duration>,
    pub(crate) retain: Given<Duration>,
    pub(crate) concurrency: Given<u32>,
    pub(crate) standard_fields: Given<bool>,
    pub(crate) lifetime: Given<Duration>,
    pub(crate) promises: Given<Vec<Promise>>,
    pub(crate) steps: Given<StepOrder>,
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum OnCrash {
    Resume,
    Abort,
}

/// The order in which a later run has to make its durable calls.
#[derive(Clone, Copy, Debug)]
pub(crate) enum StepOrder {
    Strict,
    ByName,
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum OnDelete {
    Continue,
    Cancel,
}

// Input:  operations = self.inner.ops, crate = my::lro_server
// Output: ImplArgs { operations, krate }
impl ImplArgs {
    pub(crate) fn read(args: TokenStream, errors: &mut Errors) -> Self {
        let mut read = Self::default();
        for argument in list::read(args, &ON_IMPL, errors) {
            match argument.name.to_string().as_str() {
                "operations" => set(&mut read.operations, &argument, errors, |value| {
                    syn::parse2(value)
                        .ok()
                        .ok_or("`operations` is the expression that gives the `Operations`, as in `operations = self.inner.operations`")
                }),
                "crate" => set(&mut read.krate, &argument, errors, |value| {
                    Path::parse_mod_style
                        .parse2(value)
                        .ok()
                        .ok_or("`crate` is the path of lro_server, as in `crate = my::lro_server`")
                }),
                "parent" => set(&mut read.parent, &argument, errors, |value| {
                    let pattern = parent::pattern(value)?;
                    if pattern.value().is_empty() {
                        return Err("`parent` is empty: leave it out".to_owned());
                    }
                    Ok(pattern)
                }),
                _ if is_of(&ON_METHOD, &argument.name) => errors.at(
                    &argument.name,
                    format!(
                        "`{}` is an argument of a method's `#[long_running]`: write it on the method",
                        argument.name
                    ),
                ),
                _ => unknown(&ON_IMPL, "an impl", &argument.name, errors),
            }
        }
        read
    }
}

// Input:  response = ExportResponse, timeout = "30m", on_crash = abort
// Output: MethodArgs { response, timeout: 1800 s, on_crash: Abort, .. }
impl MethodArgs {
    pub(crate) fn read(args: TokenStream, errors: &mut Errors) -> Self {
        let mut read = Self::default();
        for argument in list::read(args, &ON_METHOD, errors) {
            match argument.name.to_string().as_str() {
                "response" => set(&mut read.response, &argument, errors, |value| {
                    syn::parse2(value).ok().ok_or(
                        "`response` is the type of the response message, as in `response = ExportResponse`",
                    )
                }),
                "metadata" => set(&mut read.metadata, &argument, errors, |value| {
                    syn::parse2(value).ok().ok_or(
                        "`metadata` is the type of the metadata message, as in `metadata = ExportMetadata`",
                    )
                }),
                "prepare" => set(&mut read.prepare, &argument, errors, |value| {
                    syn::parse2(value).ok().ok_or(
                        "`prepare` is the path of an `async fn(&self, &Request<Q>) -> Result<StartOptions<M>, Status>`, as in `prepare = Self::prepare_export`",
                    )
                }),
                "parent" => set(&mut read.parent, &argument, errors, parent::pattern),
                "timeout" => set(&mut read.timeout, &argument, errors, |value| {
                    limit("timeout", "30m", value)
                }),
                "lifetime" => set(&mut read.lifetime, &argument, errors, |value| {
                    limit("lifetime", "30d", value)
                }),
                "promise" => set(&mut read.promises, &argument, errors, promise::list),
                "steps" => set(&mut read.steps, &argument, errors, step_order),
                "max_attempts" => set(&mut read.max_attempts, &argument, errors, |value| {
                    count("max_attempts", 5, value)
                }),
                "on_crash" => set(&mut read.on_crash, &argument, errors, on_crash),
                "on_delete" => set(&mut read.on_delete, &argument, errors, on_delete),
                "cancel_grace" => set(&mut read.cancel_grace, &argument, errors, |value| {
                    duration("cancel_grace", "10s", value)
                }),
                "retain" => set(&mut read.retain, &argument, errors, |value| {
                    duration("retain", "30d", value)
                }),
                "concurrency" => set(&mut read.concurrency, &argument, errors, |value| {
                    count("concurrency", 8, value)
                }),
                "standard_fields" => set(&mut read.standard_fields, &argument, errors, |value| {
                    syn::parse2(value).map(|literal: LitBool| literal.value).map_err(|_| {
                        "`standard_fields` is `true` or `false`, as in `standard_fields = false`"
                    })
                }),
                _ if is_of(&ON_IMPL, &argument.name) => errors.at(
                    &argument.name,
                    format!(
                        "`{}` is an argument of the impl's `#[long_running]`: write it on the impl",
                        argument.name
                    ),
                ),
                _ => unknown(&ON_METHOD, "a method", &argument.name, errors),
            }
        }
        read
    }
}

/// Reads one value into its field; a mistake, or a second value, is reported.
fn set<T, M: Display>(
    field: &mut Given<T>,
    argument: &Argument,
    errors: &mut Errors,
    read: impl FnOnce(TokenStream) -> Result<T, M>,
) {
    let Argument { name, value } = argument;
    if field.is_given() {
        errors.at(name, format!("`{name}` is given twice"));
        return;
    }
    *field = match value {
        None => Given::Unreadable,
        Some(value) => match read(value.clone()) {
            Ok(value) => Given::Yes(value),
            Err(message) => {
                errors.at(value, message);
                Given::Unreadable
            }
        },
    };
}

// Input:  "1h30m"
// Output: 5400 s
fn duration(name: &str, example: &str, value: TokenStream) -> Result<Duration, String> {
    let literal: LitStr = syn::parse2(value)
        .map_err(|_| format!("`{name}` is a duration in quotes, as in `{name} = \"{example}\"`"))?;
    duration::parse(&literal.value()).map_err(|wrong| format!("`{name}`: {wrong}"))
}

/// A duration longer than zero.
fn limit(name: &str, example: &str, value: TokenStream) -> Result<Duration, String> {
    match duration(name, example, value)? {
        limit if limit.is_zero() => Err(format!("`{name}` must be longer than zero")),
        limit => Ok(limit),
    }
}

fn count(name: &str, example: u32, value: TokenStream) -> Result<u32, String> {
    syn::parse2(value)
        .and_then(|literal: LitInt| literal.base10_parse())
        .ok()
        .filter(|&number| number > 0)
        .ok_or_else(|| {
            format!("`{name}` is a whole number of at least 1, as in `{name} = {example}`")
        })
}

fn on_crash(value: TokenStream) -> Result<OnCrash, &'static str> {
    match syn::parse2::<Ident>(value) {
        Ok(word) if word == "resume" => Ok(OnCrash::Resume),
        Ok(word) if word == "abort" => Ok(OnCrash::Abort),
        _ => Err("after a crash: write `on_crash = resume` or `on_crash = abort`"),
    }
}

fn on_delete(value: TokenStream) -> Result<OnDelete, &'static str> {
    match syn::parse2::<syn::Path>(value) {
        Ok(word) if word.is_ident("continue_running") => Ok(OnDelete::Continue),
        Ok(word) if word.is_ident("cancel") => Ok(OnDelete::Cancel),
        _ => Err("after a deletion: write `on_delete = cancel` or `on_delete = continue_running`"),
    }
}

fn step_order(value: TokenStream) -> Result<StepOrder, &'static str> {
    let order = syn::parse2::<LitStr>(value).map(|it| it.value());
    match order.as_deref() {
        Ok("by_name") => Ok(StepOrder::ByName),
        Ok("strict") => Ok(StepOrder::Strict),
        _ => {
            Err("the order of recorded steps: write `steps = \"strict\"` or `steps = \"by_name\"`")
        }
    }
}

fn is_of(known: &[(&str, &str)], name: &Ident) -> bool {
    known.iter().any(|(known, _)| name == known)
}

fn unknown(known: &[(&str, &str)], place: &str, name: &Ident, errors: &mut Errors) {
    let names: Vec<_> = known.iter().map(|(name, _)| format!("`{name}`")).collect();
    let names = names.join(", ");
    errors.at(
        name,
        format!("unknown argument `{name}`: on {place}, `#[long_running]` takes {names}"),
    );
}
