//! Changes of an operator to operations that do not continue.

use lro_core::Reason;
use lro_core::store::{Command, OperationRecord, Refusal, StepKey, Update};
use tonic::Status;

use super::StepsService;
use crate::engine::update::update_one;
use crate::rpc::error::{not_found, store_failed};

/// The most steps that one call forgets.
const MAX_KEYS: usize = 1_000;

/// The keys of a request.
pub(super) fn keys(keys: &[String]) -> Result<Vec<StepKey>, Status> {
    let fault = |text: String| Err(Reason::InvalidField.field_status("keys", text));
    match keys.len() {
        0 => return fault("is empty; name the steps to forget".to_owned()),
        1..=MAX_KEYS => {}
        many => return fault(format!("has {many} keys, more than {MAX_KEYS}")),
    }
    let parsed = keys.iter().enumerate().map(|(at, key)| {
        key.parse().map_err(|error| {
            let field = format!("keys[{at}]");
            Reason::InvalidField.field_status(&field, format!("{key:?}: {error}"))
        })
    });
    parsed.collect()
}

impl StepsService {
    pub(super) async fn repair(
        &self,
        record: &OperationRecord,
        command: Command,
    ) -> Result<(), Status> {
        // By uid: another operation may have the name by the time of the write.
        let update = Update::by_uid(record.name.clone(), record.uid, command);
        let store = self.operations().engine().store();
        let answer = update_one(&**store, update).await;
        match answer.map_err(|error| store_failed(&error))? {
            Ok(_) => Ok(()),
            Err(refusal) => Err(refused(record, &refusal)),
        }
    }
}

fn refused(record: &OperationRecord, refusal: &Refusal) -> Status {
    let name = record.name.as_str();
    let advice = match refusal {
        Refusal::NotFound => return not_found(&record.name),
        Refusal::StepUnknown(key) => {
            let text = format!("the operation has no step `{key}`; ListSteps tells its keys");
            return Reason::StepNotFound.field_status("keys", text);
        }
        Refusal::Running => "; wait until it waits, or stop its worker",
        _ => "",
    };
    let message = format!("operation `{name}`: {refusal}{advice}");
    refusal.reason().resource_status(message, name, [])
}
