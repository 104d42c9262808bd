//! `lro complete`: the value of a promise, or its error.

use lro_core::inspection::CompletePromiseRequest;
use lro_core::inspection::complete_promise_request::Outcome;
use lro_core::pb::rpc;
use prost::Message as _;
use prost_reflect::MessageDescriptor;
use prost_types::Any;
use serde_json::Value;

use super::start;
use super::steps::one;
use crate::args::Complete;
use crate::context::Context;
use crate::exit::{Exit, code_name};
use crate::failure::{Failure, nearest};
use crate::steps::Steps;

/// The short names of types that protobuf has wrappers for.
const WRAPPERS: [(&str, &str); 10] = [
    ("bool", "BoolValue"),
    ("string", "StringValue"),
    ("bytes", "BytesValue"),
    ("int32", "Int32Value"),
    ("int64", "Int64Value"),
    ("uint32", "UInt32Value"),
    ("uint64", "UInt64Value"),
    ("float", "FloatValue"),
    ("double", "DoubleValue"),
    ("empty", "Empty"),
];

pub(crate) async fn run(context: &Context, args: &Complete) -> Result<Exit, Failure> {
    context.writable("complete")?;
    let name = one(context, &args.name).await?;
    let steps = Steps::required(context, "complete").await?;
    let outcome = match (&args.error, &args.value) {
        (Some(error), _) => Outcome::Error(parse_error(error)?),
        (None, Some(value)) => {
            let json = start::json(context, value)?;
            let of_type = match &args.of_type {
                Some(given) => Some(full_name(given)),
                None if named(&json).is_some() => None,
                None => declared(context, &steps, &name, args).await?,
            };
            Outcome::Response(response(context, of_type, &json).await?)
        }
        (None, None) => return Err(Failure::usage("give the value as JSON, or --error")),
    };
    let completed = steps.complete(CompletePromiseRequest {
        name: name.clone(),
        promise: args.promise.clone(),
        outcome: Some(outcome),
    });
    completed.await.map_err(|status| {
        let doing = format!("cannot complete {} of {name}", args.promise);
        let failure = context.failed(&status, &doing);
        match failure.exit() {
            Exit::Refused => failure.advise(format!(
                "`lro steps {}` shows what it waits for",
                super::list::quoted(&name)
            )),
            Exit::Unknown => failure.advise("the same command again does no harm"),
            _ => failure,
        }
    })?;
    let (promise, name) = (
        crate::neutral::line(&args.promise),
        crate::neutral::line(&name),
    );
    context
        .terminal
        .say(&format!("{promise} of {name} is completed"));
    Ok(Exit::Done)
}

/// `CODE:MESSAGE`.
fn parse_error(text: &str) -> Result<rpc::Status, Failure> {
    let (code, message) = text.split_once(':').unwrap_or((text, ""));
    let codes: Vec<String> = (1..=16).map(code_name).collect();
    let wanted = code.trim().to_uppercase().replace('-', "_");
    let Some(at) = codes.iter().position(|it| *it == wanted) else {
        let failure = Failure::usage(format!("`{code}` is no code of an error"));
        return Err(match nearest(&wanted, codes.iter().map(String::as_str)) {
            Some(near) => failure.advise(format!("did you mean `{near}`?")),
            None => failure.advise("write CODE:MESSAGE, such as 'PERMISSION_DENIED:legal said no'"),
        });
    };
    Ok(rpc::Status {
        code: i32::try_from(at).unwrap_or_default() + 1,
        message: message.trim().to_owned(),
        details: Vec::new(),
    })
}

/// The full name of the type that the method declares for the promise, if it declares any.
async fn declared(
    context: &Context,
    steps: &Steps,
    name: &str,
    args: &Complete,
) -> Result<Option<String>, Failure> {
    let listed = steps.declared(name).await;
    let listed = listed.map_err(|status| {
        context.failed(&status, &format!("cannot find the promises of {name}"))
    })?;
    let names = listed.declared_promises.iter().map(|it| &*it.name);
    match listed.declared_type(&args.promise) {
        Some(declared) => Ok(Some(declared.to_owned())),
        None if listed.declared_promises.is_empty() => Ok(None),
        None => {
            let text = format!(
                "the method of {name} declares no promise `{}`",
                args.promise
            );
            let failure = Failure::usage(text);
            Err(match nearest(&args.promise, names.clone()) {
                Some(near) => failure.advise(format!("did you mean `{near}`?")),
                None => failure.advise(format!(
                    "it declares {}",
                    names.collect::<Vec<_>>().join(", ")
                )),
            })
        }
    }
}

/// The type URL that a value names.
fn named(json: &[u8]) -> Option<String> {
    let shown = serde_json::from_slice::<Value>(json).ok()?;
    Some(shown.get("@type")?.as_str()?.to_owned())
}

/// The value, of the type that is known, that its `@type` names, or that its JSON shows.
async fn response(context: &Context, of_type: Option<String>, json: &[u8]) -> Result<Any, Failure> {
    let named = named(json).filter(|_| of_type.is_none());
    let is_boolean = serde_json::from_slice::<bool>(json).is_ok();
    let name = match (of_type, &named) {
        (Some(name), _) => name,
        (None, Some(url)) => lro_core::type_name(url).to_owned(),
        (None, None) if is_boolean => full_name("bool"),
        (None, None) => {
            return Err(Failure::usage(
                "the type of the value is not known: the method declares none",
            )
            .advise("give --type: the full name of a message, or bool, string, int64, ..")
            .advise("or write it into the value: {\"@type\":\"type.googleapis.com/NAME\",..}"));
        }
    };
    let descriptor = find(context, &name).await?;
    if named.is_some() {
        let any = find(context, "google.protobuf.Any").await?;
        let value = start::read(context, &any, json)?.encode_to_vec();
        return Any::decode(&*value)
            .map_err(|error| Failure::new(Exit::Fault, format!("cannot pack the value: {error}")));
    }
    let value = start::read(context, &descriptor, json)?;
    Ok(Any {
        type_url: format!("{}{name}", lro_core::TYPE_URL_PREFIX),
        value: value.encode_to_vec(),
    })
}

fn full_name(name: &str) -> String {
    let wrapper = WRAPPERS.iter().find(|(short, _)| *short == name);
    wrapper.map_or_else(
        || name.to_owned(),
        |(_, wrapper)| format!("google.protobuf.{wrapper}"),
    )
}

/// The type of this name, as files and reflection describe it.
async fn find(context: &Context, name: &str) -> Result<MessageDescriptor, Failure> {
    let known = || context.types.pool().get_message_by_name(name);
    if let Some(found) = known() {
        return Ok(found);
    }
    match context.types.load(name).await {
        // Said below, with what to do about it.
        Err(failure) if failure.exit() == Exit::NotFound => {}
        loaded => drop(loaded?),
    }
    known().ok_or_else(|| {
        let text = format!("the type `{name}` is not known");
        Failure::usage(text)
            .advise("the server's reflection does not have it: give --descriptor-set")
            .server(&context.server())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_are_codes_with_messages() {
        let error = parse_error("permission-denied: legal said no").unwrap();
        assert_eq!((error.code, &*error.message), (7, "legal said no"));
        assert_eq!(parse_error("ABORTED").unwrap().code, 10);
        for (wrong, advice) in [
            ("PERMISSION_DENID:x", "did you mean `PERMISSION_DENIED`?"),
            ("OK", "CODE:MESSAGE"),
            ("", "CODE:MESSAGE"),
        ] {
            let failure = parse_error(wrong).unwrap_err().to_string();
            assert!(failure.contains(advice), "{failure}");
        }
    }

    #[test]
    fn short_names_are_wrappers() {
        assert_eq!(full_name("uint32"), "google.protobuf.UInt32Value");
        assert_eq!(full_name("a.b.C"), "a.b.C");
    }
}
