//! Values for the promises of operations.

use lro_core::store::{Command, OperationRecord, Refusal, StepKey, StepOutcome, StepQuery, Update};
use lro_core::{OperationName, Reason, pack, type_name};
use prost::{Message, Name};
use tonic::Status;
use uuid::Uuid;

use super::Operations;
use crate::engine::update::update_one;
use crate::handler::error::to_plain_rpc_status;
use crate::rpc::error::{not_found, store_failed};
use crate::steps::check_value;

impl Operations {
    /// Gives an operation the value of a [promise](crate::OperationContext::promise): the first one counts.
    ///
    /// The value is durable when this returns, and wakes the operation if it waits. It may come before the
    /// body asks for it. Like all methods of `Operations`, this needs no permission: who may complete a
    /// promise is the service's business, for example in an rpc `Approve`.
    ///
    /// ```
    /// use lro_core::OperationName;
    /// use lro_server::Operations;
    /// use tonic::Status;
    ///
    /// async fn approve(operations: &Operations, name: &OperationName) -> Result<(), Status> {
    ///     operations.complete(name, "approved", &true).await
    /// }
    /// ```
    ///
    /// # Errors
    ///
    /// * INVALID_ARGUMENT: the promise's name is malformed, the body makes another kind of call by it, or the
    ///   method [declares](crate::registration::MethodOptions::promise) promises, and none of this name and type.
    /// * NOT_FOUND: there is no such operation.
    /// * FAILED_PRECONDITION: `OPERATION_DONE`, it has ended; `PROMISE_EXPIRED`, its wait has timed out.
    /// * ALREADY_EXISTS, `PROMISE_COMPLETED`: the promise has another value. The same value again is OK.
    /// * RESOURCE_EXHAUSTED: the value has more than 64 KiB, or 64 promises have come before the body
    ///   asked.
    /// * UNIMPLEMENTED: the store keeps no steps.
    pub async fn complete<T: Message + Name + 'static>(
        &self,
        name: &OperationName,
        promise: &str,
        value: &T,
    ) -> Result<(), Status> {
        let outcome = StepOutcome::Response(pack(value));
        self.settle(name, None, promise, outcome).await
    }

    /// Ends a [promise](crate::OperationContext::promise) with an error, which the body gets with all its
    /// details; otherwise as [`complete`](Self::complete).
    ///
    /// ```
    /// use lro_core::OperationName;
    /// use lro_server::Operations;
    /// use tonic::Status;
    ///
    /// async fn reject(operations: &Operations, name: &OperationName) -> Result<(), Status> {
    ///     let why = Status::permission_denied("legal said no");
    ///     operations.fail(name, "approved", &why).await
    /// }
    /// ```
    ///
    /// # Errors
    ///
    /// Those of [`complete`](Self::complete).
    pub async fn fail(
        &self,
        name: &OperationName,
        promise: &str,
        error: &Status,
    ) -> Result<(), Status> {
        let outcome = StepOutcome::Error(to_plain_rpc_status(error));
        self.settle(name, None, promise, outcome).await
    }

    /// Gives a promise its outcome: of the operation with this uid, if one is given, and of no other that may
    /// have its name by now.
    pub(crate) async fn settle(
        &self,
        name: &OperationName,
        uid: Option<Uuid>,
        promise: &str,
        outcome: StepOutcome,
    ) -> Result<(), Status> {
        let key: StepKey = promise.parse().map_err(|error| {
            let description = format!("{promise:?} is no name of a promise: {error}");
            Reason::InvalidField.field_status("promise", description)
        })?;
        if name.is_watch() {
            return Err(not_found(name));
        }
        self.check_declared(name, &key, &outcome).await?;
        let command = Command::Complete {
            key: key.clone(),
            outcome,
        };
        let update = match uid {
            Some(uid) => Update::by_uid(name.clone(), uid, command),
            None => Update::by_name(name.clone(), command),
        };
        let answer = update_one(&**self.engine().store(), update).await;
        match answer.map_err(|error| store_failed(&error))? {
            Ok(_) => Ok(()),
            Err(Refusal::StepFinished(_)) => Err(self.settled(name, &key).await),
            Err(refusal) => Err(refused(name, promise, &refusal)),
        }
    }

    /// Refuses a value that the operation's method does not declare.
    async fn check_declared(
        &self,
        name: &OperationName,
        key: &StepKey,
        outcome: &StepOutcome,
    ) -> Result<(), Status> {
        if !self.declares_promises() {
            return Ok(());
        }
        let record = self.engine().store().get(name).await;
        let record = record.map_err(|error| store_failed(&error))?;
        let record = record.filter(OperationRecord::is_visible);
        let method = record.ok_or_else(|| not_found(name))?.method;
        let type_name = match outcome {
            StepOutcome::Response(response) => Some(type_name(&response.type_url)),
            _ => None,
        };
        check_value(&self.promises_of(&method), name, key.as_str(), type_name)
    }

    /// Why a promise takes no value any more.
    async fn settled(&self, name: &OperationName, key: &StepKey) -> Status {
        let store = self.engine().store();
        let record = match store.get(name).await {
            Ok(record) => record,
            Err(error) => return store_failed(&error),
        };
        let Some((uid, steps)) = record.and_then(|it| Some((it.uid, it.steps?))) else {
            return not_found(name);
        };
        let rows = match store.steps(StepQuery::all(uid, steps.epoch)).await {
            Ok(rows) => rows,
            Err(error) => return store_failed(&error),
        };
        let row = rows.into_iter().find(|row| row.key == *key);
        // A row that a run has finished is one whose time was over.
        let (reason, message) = match row.map_or(0, |row| row.fence) {
            0 => (
                Reason::PromiseCompleted,
                format!("the promise `{key}` has another value"),
            ),
            _ => (
                Reason::PromiseExpired,
                format!("the operation waits for the promise `{key}` no longer"),
            ),
        };
        reason.resource_status(message, name.as_str(), [("promise", key.as_str())])
    }
}

fn refused(name: &OperationName, promise: &str, refusal: &Refusal) -> Status {
    let reason = match refusal {
        Refusal::StepKindDiffers(_) => {
            let description = format!("`{promise}` is another durable call of the operation");
            return Reason::InvalidField.field_status("promise", description);
        }
        Refusal::Done => Reason::OperationDone,
        Refusal::StepLimit(_) => Reason::LimitExceeded,
        Refusal::Unimplemented(_) => Reason::Unimplemented,
        Refusal::NotFound => return not_found(name),
        _ => Reason::Internal,
    };
    reason.resource_status(refusal.to_string(), name.as_str(), [("promise", promise)])
}
