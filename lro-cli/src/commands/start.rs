//! `lro start`: calls a method that starts an operation, with a request from flags or JSON.

mod edit;
pub(crate) mod fields;
mod stored;

use std::io::Read as _;
use std::sync::PoisonError;

use lro_json::{ReadError, ReadOptions, WriteOptions};
use prost::Message as _;
use prost_reflect::{
    Cardinality, DynamicMessage, FieldDescriptor, Kind, MessageDescriptor, MethodDescriptor,
    ReflectMessage as _, Value,
};

use crate::args::{Start, Until};
use crate::call;
use crate::context::Context;
use crate::exit::Exit;
use crate::failure::{Failure, nearest};
use crate::output::Output;
use crate::show;
use crate::types::starts_operation;
pub(super) use stored::edit_stored;

/// The longest request that is read, in bytes.
const MAX_LEN: u64 = 64 << 20;

pub(crate) async fn run(context: &Context, args: &Start) -> Result<Exit, Failure> {
    let output = context
        .settings
        .text("output")
        .map(Output::parse)
        .transpose()?;
    if !args.template {
        context.writable("start")?;
    }
    let method = find(context, &args.method).await?;
    if args.template {
        context.terminal.json(&template(&method)?)?;
        return Ok(Exit::Done);
    }
    let mut request = if args.edit {
        let (draft, json) = edit::Draft::new(context, &method).await?;
        read(context, &method.input(), &json).map_err(|failure| draft.keep(failure))?
    } else {
        request(context, args, &method)?
    };
    let request_id = set_request_id(&mut request, args.request_id.as_deref())?;
    let path = format!("/{}/{}", method.parent_service().full_name(), method.name());
    let path = path
        .parse()
        .map_err(|_| Failure::usage(format!("`{path}` is no path of a method")))?;
    let limit = context.settings.duration("rpc_timeout")?;
    let started = call::start(
        &context.connection.service,
        path,
        request.encode_to_vec(),
        limit,
    )
    .await;
    let operation = started.map_err(|status| {
        let failure = context.failed(&status, &format!("cannot start {}", method.full_name()));
        match failure.exit() {
            Exit::Unknown if request_id.is_some() => failure.advise(format!(
                "it may have started: the same command with --request-id {} starts it once",
                request_id.clone().unwrap_or_default()
            )),
            Exit::Unknown => failure.advise("it may have started: see `lro list --limit 5`"),
            _ => failure,
        }
    })?;
    let name = operation.name.clone();
    let id = request_id
        .map(|id| format!(" (request id {id})"))
        .unwrap_or_default();
    context
        .terminal
        .say(&format!("{} started{id}", crate::neutral::line(&name)));
    if !args.wait {
        let shown = context.shower()?.show(operation).await?;
        match output {
            None => context.terminal.line(&name)?,
            Some(Output::Json) => context.terminal.json(&show::pretty(&shown.json))?,
            Some(output) => show::write(context, &output, &[shown], "")?,
        }
        return Ok(Exit::Done);
    }
    let names = [name];
    let follow = super::wait::follow(&names, args.timeout);
    let ends = follow.run(context).await?;
    super::wait::conclude(context, &follow, &ends, output.as_ref(), &Until::Done).await
}

/// The method of this name, or the only one whose name ends so.
pub(crate) async fn find(context: &Context, name: &str) -> Result<MethodDescriptor, Failure> {
    let (all, has_reflection) = context.types.methods().await?;
    let wanted = name.trim_start_matches('/').replace('/', ".");
    let is_named = |method: &MethodDescriptor| {
        let full = method.full_name();
        full == wanted || full.ends_with(&format!(".{wanted}"))
    };
    let starting: Vec<MethodDescriptor> = all
        .iter()
        .filter(|it| starts_operation(it))
        .cloned()
        .collect();
    let matches: Vec<&MethodDescriptor> = starting.iter().filter(|it| is_named(it)).collect();
    match *matches {
        [only] => return Ok(only.clone()),
        [] => {}
        _ => {
            let names = matches
                .iter()
                .map(|it| path_of(it))
                .collect::<Vec<_>>()
                .join(", ");
            return Err(
                Failure::usage(format!("`{name}` is the end of several methods"))
                    .advise(format!("write one of {names}")),
            );
        }
    }
    if let Some(other) = all.iter().find(|it| is_named(it)) {
        return Err(Failure::usage(format!(
            "{} returns {}, and starts no operation",
            path_of(other),
            other.output().full_name()
        )));
    }
    let failure = Failure::usage(format!(
        "there is no method `{name}` that starts an operation"
    ))
    .server(&context.server());
    if starting.is_empty() && !has_reflection {
        return Err(failure.advise("the server has no reflection: give --descriptor-set"));
    }
    let paths: Vec<String> = starting.iter().map(path_of).collect();
    let short = |path: &String| path.rsplit('.').next().unwrap_or_default().to_owned();
    let shorts: Vec<String> = paths.iter().map(short).collect();
    Err(
        match nearest(name, shorts.iter().chain(&paths).map(String::as_str)) {
            Some(nearest) => failure.advise(format!("did you mean `{nearest}`?")),
            None => failure.advise("`lro methods` lists them"),
        },
    )
}

fn path_of(method: &MethodDescriptor) -> String {
    format!("{}/{}", method.parent_service().full_name(), method.name())
}

fn request(
    context: &Context,
    args: &Start,
    method: &MethodDescriptor,
) -> Result<DynamicMessage, Failure> {
    let input = method.input();
    if let Some(data) = &args.data {
        let json = json(context, data)?;
        return read(context, &input, &json);
    }
    let mut request = DynamicMessage::new(input);
    for field in &args.fields {
        let Some((path, value)) = field.split_once('=') else {
            return Err(Failure::usage(format!("`{field}` sets no field"))
                .advise("write FIELD=VALUE, or -d JSON for the whole request"));
        };
        set(&mut request, path, value)?;
    }
    Ok(request)
}

/// A request from its JSON.
pub(super) fn read(
    context: &Context,
    input: &MessageDescriptor,
    json: &[u8],
) -> Result<DynamicMessage, Failure> {
    let options = ReadOptions::new().types(context.types.pool());
    options
        .read(input, json)
        .map_err(|error| unread(input, &error))
}

/// The text itself, of a file, or of stdin.
pub(super) fn json(context: &Context, data: &str) -> Result<Vec<u8>, Failure> {
    let fault = |what: &str, error: &std::io::Error| {
        Failure::new(Exit::Fault, format!("cannot read {what}: {error}"))
    };
    let mut bytes = Vec::new();
    if data == "-" {
        let mut stdin = context.stdin.lock().unwrap_or_else(PoisonError::into_inner);
        let read = (&mut *stdin).take(MAX_LEN).read_to_end(&mut bytes);
        read.map_err(|error| fault("stdin", &error))?;
    } else if let Some(path) = data.strip_prefix('@') {
        bytes = std::fs::read(path).map_err(|error| fault(path, &error))?;
    } else {
        bytes = data.as_bytes().to_vec();
    }
    Ok(bytes)
}

/// Sets a field from its text, and appends to a repeated one.
fn set(message: &mut DynamicMessage, path: &str, text: &str) -> Result<(), Failure> {
    let (step, rest) = match path.split_once('.') {
        Some((step, rest)) => (step, Some(rest)),
        None => (path, None),
    };
    let descriptor = message.descriptor();
    let field = field(&descriptor, step)?;
    let options = ReadOptions::new();
    let unread = |error: ReadError| unread(&descriptor, &error);
    if field.is_map() {
        let key = rest.ok_or_else(|| {
            Failure::usage(format!("`{step}` is a map")).advise(format!("write {step}.KEY=VALUE"))
        })?;
        let (key, value) = options.read_map_entry(&field, key, text).map_err(unread)?;
        if let Value::Map(map) = message.get_field_mut(&field) {
            map.insert(key, value);
        }
        return Ok(());
    }
    if let Some(rest) = rest {
        let is_message = matches!(field.kind(), Kind::Message(_)) && !field.is_list();
        return match message.get_field_mut(&field) {
            Value::Message(inner) if is_message => set(inner, rest, text),
            _ => Err(Failure::usage(format!(
                "`{step}` is {} and has no field `{rest}`",
                kind(&field)
            ))
            .advise("give the whole request with -d JSON")),
        };
    }
    let has_text = match field.kind() {
        Kind::Message(inner) => inner.full_name().starts_with("google.protobuf."),
        _ => true,
    };
    let value = if has_text && !text.starts_with(['{', '[']) {
        options.read_text(&field, text).map_err(unread)?
    } else if matches!(field.kind(), Kind::Message(_)) || field.is_list() {
        match options
            .read_field(&field, text.as_bytes())
            .map_err(unread)?
        {
            Some(value) => {
                message.set_field(&field, value);
                return Ok(());
            }
            None => return Ok(()),
        }
    } else {
        options.read_text(&field, text).map_err(unread)?
    };
    if field.is_list() {
        if let Value::List(list) = message.get_field_mut(&field) {
            list.push(value);
        }
    } else {
        message.set_field(&field, value);
    }
    Ok(())
}

fn field(message: &MessageDescriptor, name: &str) -> Result<FieldDescriptor, Failure> {
    let found = message
        .get_field_by_name(name)
        .or_else(|| message.get_field_by_json_name(name));
    found.ok_or_else(|| {
        let text = format!("{} has no field `{name}`", message.full_name());
        let fields: Vec<FieldDescriptor> = message.fields().collect();
        let names = fields.iter().map(FieldDescriptor::name);
        let nearest = nearest(name, names.clone());
        let meant = nearest.and_then(|name| fields.iter().find(|it| it.name() == name));
        match meant {
            Some(meant) => Failure::usage(format!(
                "{text}; did you mean `{}` ({})?",
                meant.name(),
                kind(meant)
            )),
            None => Failure::usage(text)
                .advise(format!("it has {}", names.collect::<Vec<_>>().join(", "))),
        }
    })
}

/// The type of a field as a proto says it: `repeated string`.
pub(crate) fn kind(field: &FieldDescriptor) -> String {
    if field.is_map() {
        return "map".to_owned();
    }
    let name = match field.kind() {
        Kind::Message(message) => message.full_name().to_owned(),
        Kind::Enum(values) => values.full_name().to_owned(),
        kind => format!("{kind:?}").to_lowercase(),
    };
    match field.cardinality() {
        Cardinality::Repeated => format!("repeated {name}"),
        _ => name,
    }
}

fn unread(message: &MessageDescriptor, error: &ReadError) -> Failure {
    let what = match error.field() {
        "" => format!("this is no {}: {}", message.full_name(), error.reason()),
        field => format!("{} `{field}`: {}", message.full_name(), error.reason()),
    };
    let failure = Failure::usage(what);
    let names = message
        .fields()
        .map(|it| it.name().to_owned())
        .collect::<Vec<_>>();
    let last = error.field().rsplit('.').next().unwrap_or_default();
    match nearest(last, names.iter().map(String::as_str)) {
        Some(near) if near != last && error.field() == last => {
            failure.advise(format!("did you mean `{near}`?"))
        }
        _ if names.is_empty() || names.iter().any(|name| name == last) => failure,
        _ => failure.advise(format!("{} has {}", message.full_name(), names.join(", "))),
    }
}

/// Fills in `request_id` (AIP-155) where the request has the field, so that it can be sent again.
fn set_request_id(
    request: &mut DynamicMessage,
    given: Option<&str>,
) -> Result<Option<String>, Failure> {
    let descriptor = request.descriptor();
    let field = descriptor
        .get_field_by_name("request_id")
        .filter(|field| field.kind() == Kind::String && !field.is_list());
    let Some(field) = field else {
        return match given {
            None => Ok(None),
            Some(_) => Err(Failure::usage(format!(
                "{} has no field `request_id`",
                descriptor.full_name()
            ))),
        };
    };
    if given.is_none() && request.has_field(&field) {
        let value = request.get_field(&field).as_str().map(str::to_owned);
        return Ok(value);
    }
    let id = given.map_or_else(|| uuid::Uuid::new_v4().to_string(), str::to_owned);
    request.set_field(&field, Value::String(id.clone()));
    Ok(Some(id))
}

/// A request with every field once, for people to fill in.
fn template(method: &MethodDescriptor) -> Result<String, Failure> {
    let mut message = DynamicMessage::new(method.input());
    fill(&mut message, 0);
    let written = WriteOptions::new()
        .pretty(true)
        .default_values(true)
        .write(&message);
    let written =
        written.map_err(|error| Failure::new(Exit::Fault, format!("no template: {error}")))?;
    Ok(written.json)
}

/// Sets the messages within a message, and an element of each list of messages, to three levels.
fn fill(message: &mut DynamicMessage, depth: usize) {
    let descriptor = message.descriptor();
    let mut oneofs = std::collections::HashSet::new();
    for field in descriptor.fields() {
        if let Some(oneof) = field.containing_oneof()
            && !oneofs.insert(oneof.full_name().to_owned())
        {
            continue;
        }
        let Kind::Message(inner) = field.kind() else {
            continue;
        };
        if field.is_map() || depth == 3 || inner.full_name() == "google.protobuf.Any" {
            continue;
        }
        let mut value = DynamicMessage::new(inner.clone());
        if !inner.full_name().starts_with("google.protobuf.") {
            fill(&mut value, depth + 1);
        }
        if field.is_list() {
            message.set_field(&field, Value::List(vec![Value::Message(value)]));
        } else {
            message.set_field(&field, Value::Message(value));
        }
    }
}
