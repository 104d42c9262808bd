//! From rules to a router.

use std::collections::BTreeMap;
use std::sync::Arc;

use lro_core::HttpRoute;
use prost_reflect::{
    DescriptorPool, DynamicMessage, FieldDescriptor, Kind, MessageDescriptor, MethodDescriptor,
    Value,
};

use super::{Binding, Body, BuildError, Capture, HttpRule, Rpc};
use crate::reply::GET_OPERATION;
use crate::router::{EVERY_METHOD, Router};
use crate::template::{Template, Variable};

/// Rules by the full name of their rpc, `depot.v1.Depot.GetParcel`: they replace the annotation.
pub(crate) type Rules = BTreeMap<String, HttpRule>;

/// Compiles the annotations of all services, and the rules that replace them.
pub(crate) fn compile(
    types: &DescriptorPool,
    rules: &Rules,
) -> Result<Router<Arc<Binding>>, BuildError> {
    let mut bindings = Bindings::default();
    let mut unused = rules.clone();
    for service in types.services() {
        for method in service.methods() {
            let rule = match unused.remove(method.full_name()) {
                Some(rule) => rule,
                None => match annotation(&method)? {
                    Some(rule) => rule,
                    None => continue,
                },
            };
            add(&mut bindings, &method, &rule)?;
        }
    }
    match unused.into_keys().next() {
        Some(name) => Err(BuildError::new(format!(
            "a rule is for the rpc `{name}`, which no service has"
        ))),
        None => Ok(bindings.into_router()),
    }
}

/// The verb of a path that watches what the path without it gets.
const WATCH: &str = "watch";

/// The bindings that are compiled so far.
#[derive(Default)]
struct Bindings {
    router: Router<Arc<Binding>>,
    /// Those that no rule writes: each path of an operation can be watched.
    watches: Vec<(Template, Arc<Binding>)>,
}

impl Bindings {
    fn into_router(self) -> Router<Arc<Binding>> {
        let mut router = self.router;
        for (template, watch) in self.watches {
            if let Err(other) = router.add("GET", &template, watch) {
                tracing::debug!(binding = other.text, "a rule takes the path of a watch");
            }
        }
        router
    }
}

/// The rule that stands in the proto.
fn annotation(method: &MethodDescriptor) -> Result<Option<HttpRule>, BuildError> {
    let Some(extension) = method
        .parent_pool()
        .get_extension_by_name("google.api.http")
    else {
        return Ok(None);
    };
    let options = method.options();
    if !options.has_extension(&extension) {
        return Ok(None);
    }
    let rule = options.get_extension(&extension);
    let rule = rule.as_message().and_then(read_rule);
    rule.map(Some)
        .ok_or_else(|| fault(method, "an annotation `google.api.http` without a pattern"))
}

fn read_rule(message: &DynamicMessage) -> Option<HttpRule> {
    let text = |name: &str| {
        let value = message.get_field_by_name(name)?;
        value.as_str().map(str::to_owned)
    };
    let set = |name: &str| text(name).filter(|_| message.has_field_by_name(name));
    let (method, path) = ["get", "put", "post", "delete", "patch"]
        .into_iter()
        .find_map(|name| Some((name.to_uppercase(), set(name)?)))
        .or_else(|| {
            let custom = message.get_field_by_name("custom")?;
            let custom = custom
                .as_message()
                .filter(|_| message.has_field_by_name("custom"))?;
            let part = |name: &str| Some(custom.get_field_by_name(name)?.as_str()?.to_owned());
            Some((part("kind")?, part("path")?))
        })?;
    let mut rule = HttpRule::new(method, path)
        .body(text("body")?)
        .response_body(text("response_body")?);
    let additional = message.get_field_by_name("additional_bindings")?;
    for binding in additional.as_list()?.iter().filter_map(Value::as_message) {
        rule = rule.additional_binding(read_rule(binding)?);
    }
    Some(rule)
}

fn fault(method: &MethodDescriptor, reason: &str) -> BuildError {
    BuildError::new(format!("{}: {reason}", method.full_name()))
}

fn add(
    bindings: &mut Bindings,
    method: &MethodDescriptor,
    rule: &HttpRule,
) -> Result<(), BuildError> {
    if method.is_client_streaming() {
        return Err(fault(
            method,
            "an rpc with a stream of requests cannot be bound to HTTP; remove its rule",
        ));
    }
    let path = format!("/{}/{}", method.parent_service().full_name(), method.name());
    let rpc = Rpc {
        path: path
            .parse()
            .map_err(|_| fault(method, "its name is no path"))?,
        input: method.input(),
        output: method.output(),
        server_streaming: method.is_server_streaming(),
    };
    add_binding(bindings, method, &rpc, rule)?;
    for binding in &rule.additional {
        if !binding.additional.is_empty() {
            return Err(fault(
                method,
                "additional bindings have no additional bindings of their own",
            ));
        }
        add_binding(bindings, method, &rpc, binding)?;
    }
    Ok(())
}

fn add_binding(
    bindings: &mut Bindings,
    method: &MethodDescriptor,
    rpc: &Rpc,
    rule: &HttpRule,
) -> Result<(), BuildError> {
    let text = format!("{} {}", rule.method, rule.path);
    let fault = |reason: &str| fault(method, &format!("`{text}`: {reason}"));
    let is_token =
        rule.method == EVERY_METHOD || http::Method::from_bytes(rule.method.as_bytes()).is_ok();
    if !is_token {
        return Err(fault("the method is no HTTP method"));
    }
    let template = Template::parse(&rule.path).map_err(|error| fault(&error.to_string()))?;
    let mut variables: Vec<Capture> = Vec::new();
    for variable in &template.variables {
        let capture = capture(&rpc.input, variable).map_err(|reason| fault(&reason))?;
        if variables.iter().any(|other| other.field == capture.field) {
            return Err(fault(&format!(
                "the field `{}` is bound twice",
                variable.field.join(".")
            )));
        }
        variables.push(capture);
    }
    let field = |message: &MessageDescriptor, name: &str| {
        (message.get_field_by_name(name)).ok_or_else(|| {
            fault(&format!(
                "no field `{name}` in {}; a body is `*` or the name of one field",
                message.full_name()
            ))
        })
    };
    let body = match &*rule.body {
        "" => Body::None,
        "*" => Body::Message,
        name => Body::Field(field(&rpc.input, name)?),
    };
    if let Body::Field(body) = &body
        && variables
            .iter()
            .any(|variable| variable.field[..] == [body.clone()])
    {
        return Err(fault(&format!(
            "the field `{}` is bound twice, by the path and by the body",
            body.name()
        )));
    }
    let response_body = match &*rule.response_body {
        "" => None,
        name => Some(field(&rpc.output, name)?),
    };
    let binding = Binding {
        rpc: rpc.clone(),
        text: text.clone(),
        route: HttpRoute::new(&*rule.path),
        variables,
        body,
        response_body,
        is_watch: false,
    };
    if binding.rpc.path == GET_OPERATION && rule.method == "GET" && template.verb.is_none() {
        let watch = Binding {
            text: format!("{text}:{WATCH}"),
            route: HttpRoute::new(format!("{}:{WATCH}", rule.path)),
            is_watch: true,
            ..binding.clone()
        };
        let watched = Template {
            verb: Some(WATCH.to_owned()),
            ..template.clone()
        };
        // A rule of the program's own for this path takes its place.
        bindings.watches.push((watched, Arc::new(watch)));
    }
    bindings
        .router
        .add(&rule.method, &template, Arc::new(binding))
        .map_err(|other| {
            fault(&format!(
                "the same method and path as `{}` of {}",
                other.text, other.rpc.path
            ))
        })
}

/// The field of a variable: a singular scalar, perhaps within singular messages.
fn capture(input: &MessageDescriptor, variable: &Variable) -> Result<Capture, String> {
    let mut field: Vec<FieldDescriptor> = Vec::new();
    let mut message = Some(input.clone());
    for name in &variable.field {
        let Some(parent) = &message else {
            return Err(format!("`{name}` is below a field that is no message"));
        };
        let found = parent.get_field_by_name(name);
        let found = found.ok_or_else(|| format!("no field `{name}` in {}", parent.full_name()))?;
        if found.is_list() || found.is_map() {
            return Err(format!(
                "the field `{name}` is repeated; a variable is one scalar"
            ));
        }
        message = match found.kind() {
            Kind::Message(message) => Some(message),
            _ => None,
        };
        field.push(found);
    }
    if message.is_some() {
        return Err(format!(
            "the field `{}` is a message; a variable is one scalar",
            variable.field.join(".")
        ));
    }
    Ok(Capture {
        field,
        first: variable.first,
        count: variable.count,
        multi: variable.multi,
    })
}
