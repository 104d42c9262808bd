//! The service `lro.v1.Inspection`: records of operations for operators and developers, such as those
//! of the command `lro`. It needs the feature `inspection`.
//!
//! ```
//! use lro_core::store::MemoryStore;
//! use lro_server::Operations;
//! use lro_server::serve::Server;
//!
//! let operations = Operations::new(MemoryStore::new());
//! let server = Server::builder(&operations).add_service(operations.inspection());
//! ```
//!
//! The service adds to `google.longrunning.Operations` and never replaces it. It describes an
//! operation with its attempts, its request, who started it and why it waits; lists and watches
//! records; counts operations by state and method; lists methods and workers; and starts an ended
//! operation again with the same request.
//!
//! # Permissions
//!
//! A caller needs the permission of the standard method that reads the same operations (get for one,
//! list for several), and one of [`InspectionPermission`](crate::access::InspectionPermission)
//! besides, which [`Authorizer::authorize_inspection`](crate::access::Authorizer::authorize_inspection)
//! decides. Facts about operations of others, such as the load of workers, need
//! [`Operate`](crate::access::InspectionPermission::Operate), which authorizers deny by default.
//! **Without an authorizer every caller may do everything.**
//!
//! # Redaction
//!
//! Fields that a proto marks as `debug_redact` are cleared from the request, the metadata and the
//! response. The server finds the mark in the descriptor sets of
//! [`OperationsBuilder::file_descriptor_set`](crate::OperationsBuilder::file_descriptor_set) and
//! [`Server::file_descriptor_set`](crate::serve::Server::file_descriptor_set). A request of a type that
//! no set describes is withheld as a whole.
//!
//! # Steps
//!
//! [`Operations::steps_server`] serves `lro.v1.Steps` beside it: the recorded
//! [steps](crate::OperationContext::step) of an operation, values for its promises, and what an operator
//! does about an operation that is blocked. A caller that may get the operation sees its steps; recorded values,
//! promises and changes have
//! [permissions](crate::access::InspectionPermission) that authorizers deny by default.
//!
//! # This process
//!
//! Workers, their methods and the reasons of waiting are what the answering process knows. Where
//! processes share the store, others may have workers, too. Only a process that serves a method can
//! resubmit its operations: with [`Server`](crate::serve::Server), not with a plain tonic server.

mod counts;
mod list;
mod method_types;
mod operators;
mod permissions;
mod recent;
mod record;
mod redaction;
mod resubmit;
mod service;
mod steps;
mod waiting;
mod watch;

use std::fmt;
use std::sync::{Arc, OnceLock};

use lro_core::inspection::inspection_server::InspectionServer;

pub use permissions::Described;
pub(crate) use resubmit::{Resubmission, Servers};
pub use steps::StepsService;

use crate::operations::Operations;
use recent::Recent;
use redaction::Redactor;

/// `lro.v1.Inspection` over [`Operations`]: what [`Operations::inspection`] serves.
///
/// ```
/// use lro_server::Operations;
///
/// # let store = lro_server::lro_core::store::MemoryStore::new();
/// let operations = Operations::new(store);
/// let server = tonic::transport::Server::builder().add_service(operations.inspection());
/// ```
#[derive(Clone)]
pub struct InspectionService {
    operations: Operations,
    /// Made when it is first needed, with the descriptor sets of the servers that serve by then.
    redactor: Arc<OnceLock<Redactor>>,
    recent: Arc<Recent>,
}

impl Operations {
    /// The gRPC service `lro.v1.Inspection`, for a server. See the [module](crate::inspection).
    pub fn inspection(&self) -> InspectionServer<InspectionService> {
        InspectionServer::new(InspectionService::from(self.clone()))
    }
}

/// For servers that wrap the service themselves.
impl From<Operations> for InspectionService {
    fn from(operations: Operations) -> Self {
        Self {
            operations,
            redactor: Arc::default(),
            recent: Arc::default(),
        }
    }
}

impl InspectionService {
    fn redactor(&self) -> &Redactor {
        self.redactor.get_or_init(|| {
            let own = self.operations.descriptor_sets().to_vec();
            let served = self.operations.servers().descriptor_sets();
            Redactor::new(own.into_iter().chain(served))
        })
    }
}

impl fmt::Debug for InspectionService {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("InspectionService")
            .field("operations", &self.operations)
            .finish_non_exhaustive()
    }
}
