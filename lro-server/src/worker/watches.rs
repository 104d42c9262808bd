//! Watches: operations of the engine's own, each of which waits for a child on another server.

use std::sync::Arc;
use std::time::Duration;

use lro_core::pb::{self, operation};
use lro_core::store::{ExecutionPolicy, OnCrash, StepKey, StepOutcome};
use lro_core::{Reason, RemoteOperations, pack, unpack};
use prost_types::Any;
use tonic::{Code, Status};

use super::WorkerBuilder;
use crate::engine::backoff::Backoff;
use crate::handler::error::HandlerError;
use crate::handler::method_options::MethodOptions;
use crate::handler::registration::HostedMethod;
use crate::handler::run::Run;
use crate::operations::Operations;
use crate::remote::Remote;
use crate::rpc::error::store_failed;
use crate::steps::{NAMED, child_unknown, promise_timed_out, read_rows, status};
use crate::{OperationContext, Worker};

/// How many watches a worker runs at a time.
const CONCURRENCY: usize = 10_000;

/// The lease of a watch: a watch that is taken over later loses nothing but time.
const LEASE: Duration = Duration::from_secs(300);

/// How long a watch waits to learn which operation it watches.
const PATIENCE: Duration = Duration::from_secs(7 * 24 * 60 * 60);

/// A worker of the watches alone: they take no slots of bodies, and hold their leases for longer.
pub(super) fn worker_of(operations: &Operations, remotes: Vec<Remote>) -> WorkerBuilder {
    let builder = Worker::builder(operations)
        .concurrency(CONCURRENCY)
        .lease_duration(LEASE)
        // A watch ends with the operation elsewhere, for which no drain waits.
        .drain_timeout(Duration::ZERO);
    remotes
        .into_iter()
        .fold(builder, |builder, remote| builder.method(method(remote)))
}

/// The policy of watches.
pub(crate) fn policy() -> ExecutionPolicy {
    ExecutionPolicy {
        max_attempts: i32::MAX.unsigned_abs(),
        on_crash: OnCrash::ResumeCancelled,
        ..ExecutionPolicy::default()
    }
}

fn method(remote: Remote) -> HostedMethod {
    HostedMethod {
        path: remote.path(),
        options: MethodOptions {
            policy: policy(),
            standard_fields: false,
            ..MethodOptions::new()
        },
        body: Box::new(move |_, run| Box::pin(watch(remote.clone(), run))),
    }
}

/// Returns the result of the operation on the other server.
async fn watch(remote: Remote, run: Arc<Run>) -> Result<Any, HandlerError> {
    let operation = watched(&run).await?;
    let show = |operation: &pb::Operation| {
        if let Some(metadata) = &operation.metadata {
            run.set_metadata(metadata.clone());
        }
    };
    show(&operation);
    if operation.done {
        return result(operation);
    }
    let (client, name) = (remote.client(), operation.name);
    let context = OperationContext::<()>::new(run.clone());
    let done = tokio::select! {
        biased;
        () = context.cancelled() => match forward(&**client, &name, &show).await {
            Some(ended) => Ok(ended),
            // Anew, so that polls are close to each other: the end may be near.
            None => client.until_done(&name, &show).await,
        },
        done = client.until_done(&name, &show) => done,
    };
    match done {
        Ok(operation) => {
            show(&operation);
            result(operation)
        }
        Err(status) if status.code() == Code::NotFound => Err(HandlerError::permanent(status)),
        Err(status) => {
            tracing::warn!(
                remote = remote.name(),
                name,
                ?status,
                "cannot watch an operation on another server; trying again"
            );
            Err(HandlerError::retry(status))
        }
    }
}

/// The operation to watch, which the parent tells when it has started it.
async fn watched(run: &Arc<Run>) -> Result<pb::Operation, HandlerError> {
    let context = OperationContext::<()>::new(run.clone());
    let key: StepKey = NAMED
        .parse()
        .map_err(|_| Status::internal("the key of a promise"))?;
    let told = context.promise::<pb::Operation>(NAMED).timeout(PATIENCE);
    let told = tokio::select! {
        biased;
        told = told => Some(told),
        // The parent tells first, and cancels then.
        () = context.cancelled() => told_before(run).await?,
    };
    match told {
        Some(Err(error)) if error.message() == promise_timed_out(&key).message => Err(unknown(run)),
        Some(told) => told.map_err(HandlerError::permanent),
        None => Err(unknown(run)),
    }
}

/// Whether the operation was started is not known, and will not be.
fn unknown(run: &Run) -> HandlerError {
    tracing::error!(name = %run.name, "it is not known whether a child on another server was started: look for it there");
    HandlerError::permanent(status(&child_unknown()))
}

/// The parent's word, as the store knows it.
async fn told_before(run: &Run) -> Result<Option<Result<pb::Operation, Status>>, HandlerError> {
    let rows = read_rows(run).await;
    let rows = rows.map_err(|error| HandlerError::retry(store_failed(&error)))?;
    let row = rows.into_iter().find(|row| row.key.as_str() == NAMED);
    Ok(match row.and_then(|row| row.outcome) {
        Some(StepOutcome::Response(operation)) => Some(
            unpack(&operation)
                .map_err(|error| Reason::PayloadUnreadable.status(error.to_string(), [])),
        ),
        Some(StepOutcome::Error(error)) => Some(Err(status(&error))),
        _ => None,
    })
}

/// Asks the server to cancel the operation until it takes that. Returns the operation if it ends meanwhile.
async fn forward(
    client: &dyn RemoteOperations,
    name: &str,
    show: &(dyn for<'o> Fn(&'o pb::Operation) + Send + Sync),
) -> Option<pb::Operation> {
    let mut backoff = Backoff::default();
    loop {
        let status = match client.cancel(name).await {
            Ok(()) => return None,
            Err(status) => status,
        };
        if matches!(status.code(), Code::NotFound | Code::Unimplemented) {
            tracing::warn!(
                name,
                ?status,
                "an operation on another server cannot be cancelled; waiting for its end"
            );
            return None;
        }
        let pause = backoff.failed("cannot cancel an operation on another server", &status);
        let pause = tokio::time::sleep(pause);
        tokio::pin!(pause);
        tokio::select! {
            biased;
            ended = client.until_done(name, show) => match ended {
                Ok(ended) => return Some(ended),
                Err(_) => pause.await,
            },
            () = &mut pause => {}
        }
    }
}

/// The result of an operation that is done. One without a response or an error says that it has succeeded.
fn result(operation: pb::Operation) -> Result<Any, HandlerError> {
    match operation.result {
        Some(operation::Result::Response(response)) => Ok(response),
        Some(operation::Result::Error(error)) => Err(HandlerError::permanent(status(&error))),
        None => Ok(pack(&())),
    }
}
