//! Changes of steps that a visitor asks for: values for promises, steps to forget, blocks to end.

use http::Response;
use lro_core::inspection::complete_promise_request::Outcome;
use lro_core::inspection::{CompletePromiseRequest, ForgetStepsRequest, UnblockRequest};
use lro_core::{Reason, TYPE_URL_PREFIX};
use lro_json::ReadOptions;
use prost::Message as _;
use prost_types::Any;
use tonic::body::Body;
use tonic::{Code, Status};

use crate::action::with_reason;
use crate::answer::see_other;
use crate::page::confirm::Chosen;
use crate::page::fault::{self, code_name};
use crate::params::{Params, link};
use crate::route::Visit;
use crate::source::StepChange;

/// The answer to a form of the page of an operation: the operation again.
pub(crate) async fn change(visit: &Visit, form: &Params) -> Response<Body> {
    match changed(visit, form).await {
        Ok(name) => see_other(&link(
            "operation",
            &[("did", form.get("action")), ("name", &name)],
        )),
        Err(status) => fault::show(visit, &status).await,
    }
}

async fn changed(visit: &Visit, form: &Params) -> Result<String, Status> {
    let mut chosen = Chosen::all(form)?;
    let (Some(chosen), true) = (chosen.pop(), chosen.is_empty()) else {
        return Err(Reason::InvalidField.field_status("operation", "give one operation"));
    };
    let name = chosen.name.as_str().to_owned();
    let key = form.get("key").to_owned();
    let action = form.get("action");
    let change = match action {
        "complete" => StepChange::Complete(CompletePromiseRequest {
            name: name.clone(),
            promise: key.clone(),
            outcome: Some(Outcome::Response(value(visit, form)?)),
        }),
        "forget" if form.get("sure") == "yes" => StepChange::Forget(ForgetStepsRequest {
            name: name.clone(),
            keys: forgotten(visit, &chosen, &key, form.get("later") == "yes").await?,
        }),
        "forget" => {
            let text = "confirm that its effects may happen again; nothing was done";
            return Err(Reason::InvalidField.field_status("sure", text));
        }
        "unblock" => StepChange::Unblock(UnblockRequest { name: name.clone() }),
        _ => {
            let text = "is none of `complete`, `forget` and `unblock`";
            return Err(Reason::InvalidField.field_status("action", text));
        }
    };
    let visitor = with_reason(&visit.visitor, form.get("reason"));
    let outcome = async {
        // Another operation may have the name by now.
        chosen.read(visit).await?;
        visit.settings.source.change_steps(&visitor, change).await
    };
    let outcome = outcome.await;
    let principal = visit.principal().await;
    let code = outcome.as_ref().map_or_else(Status::code, |()| Code::Ok);
    tracing::info!(
        target: "lro_console::audit",
        principal,
        action,
        operation = name,
        uid = chosen.uid,
        step = key,
        outcome = code_name(code),
        "console action"
    );
    outcome.map(|()| name)
}

/// The step, and those that were recorded after it.
async fn forgotten(
    visit: &Visit,
    chosen: &Chosen,
    key: &str,
    later: bool,
) -> Result<Vec<String>, Status> {
    let mut keys = vec![key.to_owned()];
    if !later {
        return Ok(keys);
    }
    let source = &visit.settings.source;
    let listed = source.steps(&visit.visitor, &chosen.name).await?;
    let listed = listed.unwrap_or_default();
    if !listed.next_page_token.is_empty() {
        let text = format!(
            "the operation has more than {} steps, and those after {key:?} may not all be known here; use \
             `lro steps forget --later`, or forget single steps",
            listed.steps.len()
        );
        return Err(Reason::InvalidField.field_status("later", text));
    }
    if let Some(first) = listed.steps.iter().find(|step| step.key == key) {
        let after = listed
            .steps
            .iter()
            .filter(|step| step.sequence > first.sequence);
        keys.extend(after.map(|step| step.key.clone()));
    }
    Ok(keys)
}

/// The value of the form, of the type that it names.
fn value(visit: &Visit, form: &Params) -> Result<Any, Status> {
    let name = form.get("type").trim();
    let types = &visit.settings.types;
    let Some(descriptor) = types.get_message_by_name(name) else {
        let text = format!(
            "{name:?} is no type that the server describes; write the full name of a message"
        );
        return Err(Reason::InvalidField.field_status("type", text));
    };
    let options = ReadOptions::new().types(types.clone());
    let read = options.read(&descriptor, form.get("value").as_bytes());
    let value = read.map_err(|error| {
        let text = format!("is no {name}: {error}");
        Reason::InvalidField.field_status("value", text)
    })?;
    Ok(Any {
        type_url: format!("{TYPE_URL_PREFIX}{name}"),
        value: value.encode_to_vec(),
    })
}
