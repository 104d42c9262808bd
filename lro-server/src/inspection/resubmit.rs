//! The start of an operation with the request of one that has ended.

mod call;

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use lro_core::inspection as pb;
use lro_core::store::OperationRecord;
use lro_core::{Reason, type_name};
use prost_types::Any;
use tonic::metadata::MetadataMap;
use tonic::{Extensions, Status};

use super::InspectionService;
use crate::serve::HostedServices;
use crate::services::service_of;

/// The label of an operation that was resubmitted: the id of the operation whose request it has.
const LABEL: &str = "resubmitted-from";

/// Marks the call that starts an operation again, for the start that it leads to.
#[derive(Clone, Debug)]
pub(crate) struct Resubmission {
    /// The id of the operation that has ended.
    pub(crate) from: String,
    /// The stored request has that of the first start, which would lead back to its operation.
    pub(crate) request_id: String,
}

impl Resubmission {
    /// The label of the new operation.
    pub(crate) fn label(&self) -> (String, String) {
        (LABEL.to_owned(), self.from.clone())
    }
}

impl InspectionService {
    /// Calls the rpc that started the operation, in this process, as the caller.
    pub(super) async fn resubmit(
        &self,
        record: OperationRecord,
        request: pb::ResubmitOperationRequest,
        headers: &MetadataMap,
        extensions: &Extensions,
    ) -> Result<pb::ResubmitOperationResponse, Status> {
        let name = record.name.as_str();
        if !record.state.is_done() {
            let message = format!(
                "operation `{name}` has not ended: wait for its end, or cancel it, and then \
                 resubmit it"
            );
            return Err(Reason::OperationNotDone.resource_status(message, name, []));
        }
        let message = match request.request {
            None => record.request.value.clone(),
            Some(edited) => checked(&record, edited)?,
        };
        let services = self.serving(&record)?;
        let request_id = match request.request_id {
            id if id.is_empty() => self.operations.engine().new_uid().to_string(),
            id => id,
        };
        let mut extensions = extensions.clone();
        extensions.insert(Resubmission {
            from: record.name.operation_id().to_owned(),
            request_id,
        });
        let path = record.method.clone().try_into();
        let path = path.map_err(|_| not_served(&record))?;
        let started = call::start(services, path, headers, extensions, message).await?;
        tracing::info!(from = name, to = started.name, "operation resubmitted");
        Ok(pb::ResubmitOperationResponse {
            operation: Some(started),
        })
    }
}

impl InspectionService {
    /// The services of this process that serve the rpc which started the operation.
    pub(super) fn serving(&self, record: &OperationRecord) -> Result<HostedServices, Status> {
        let servers = self.operations.servers();
        let serving = servers.serving(&record.method);
        serving.ok_or_else(|| not_served(record))
    }
}

/// An edited request, of the type of the stored one.
fn checked(record: &OperationRecord, edited: Any) -> Result<Vec<u8>, Status> {
    let (found, wanted) = (
        type_name(&edited.type_url),
        type_name(&record.request.type_url),
    );
    if found == wanted {
        return Ok(edited.value);
    }
    let message = format!("is a `{found}`, and the operation was started with a `{wanted}`");
    Err(Reason::InvalidField.field_status("request", message))
}

fn not_served(record: &OperationRecord) -> Status {
    let (name, method) = (record.name.as_str(), &*record.method);
    let message = format!(
        "operation `{name}` cannot be resubmitted here: this process does not serve `{method}`; \
         call a server that does"
    );
    Reason::MethodNotServed.resource_status(message, name, [("method", method)])
}

/// The servers of this process that serve the rpcs of the same operations.
#[derive(Default)]
pub(crate) struct Servers {
    /// A server holds its own services as long as it serves.
    servers: Mutex<Vec<Weak<HostedServices>>>,
}

impl Servers {
    pub(crate) fn add(&self, services: &Arc<HostedServices>) {
        let mut servers = self.servers.lock().unwrap_or_else(PoisonError::into_inner);
        servers.retain(|server| server.strong_count() > 0);
        servers.push(Arc::downgrade(services));
    }

    /// The descriptor sets of all of them.
    pub(crate) fn descriptor_sets(&self) -> Vec<Vec<u8>> {
        let servers = self.servers.lock().unwrap_or_else(PoisonError::into_inner);
        let servers: Vec<_> = servers.iter().filter_map(Weak::upgrade).collect();
        let sets = servers.iter().flat_map(|it| it.descriptor_sets());
        sets.map(<[u8]>::to_vec).collect()
    }

    /// The services of a server that serves the rpc of this path.
    pub(crate) fn serving(&self, path: &str) -> Option<HostedServices> {
        let servers = self.servers.lock().unwrap_or_else(PoisonError::into_inner);
        let mut servers = servers.iter().filter_map(Weak::upgrade);
        let services = servers.find(|it| it.names().contains(&service_of(path)));
        services.map(|services| HostedServices::clone(&services))
    }
}

impl fmt::Debug for Servers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Servers")
    }
}
