#![doc = include_str!("../README.md")]
//!
//! ```
//! use lro_core::{Operation, OperationName, pb};
//! use prost::Message as _;
//!
//! // A typed view of the wire message: it *is* a `google.longrunning.Operation`.
//! let wire = pb::Operation { name: "operations/42".into(), ..Default::default() };
//! let operation = Operation::<(), ()>::decode(&*wire.encode_to_vec())?;
//! assert!(!operation.done());
//! let name: OperationName = operation.name().parse()?;
//! assert_eq!((name.parent(), name.operation_id()), ("", "42"));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # The main types
//!
//! * [`Operation<R, M>`](Operation) — the typed view of [`pb::Operation`];
//! * [`OperationName`] — a validated resource name;
//! * [`LongRunningMethod`] — one annotated rpc, as a type;
//! * [`Clock`] — the only source of wall time;
//! * [`store`] — the contract of stores, the state machine, and the store in memory;
//! * [`filter`] — the filters of lists (AIP-160).
//!
//! # Features
//!
//! | feature | adds |
//! | --- | --- |
//! | `store` | the modules [`store`] and [`filter`]: for servers and stores |
//! | `inspection` | the module [`inspection`]: the wire types of `lro.v1.Inspection` |
//!
//! # Limitations
//!
//! It starts no task, opens no socket and reads no clock but through [`Clock`].

#![cfg_attr(docsrs, feature(doc_cfg))]

pub mod changes;
mod clock;
pub mod codec;
#[cfg(feature = "store")]
pub mod filter;
mod http_route;
mod include_protos;
#[cfg(feature = "inspection")]
pub mod inspection;
mod list_options;
mod local_hosts;
mod method;
mod name;
mod operation;
mod operations_rpc;
mod payload;
pub mod pb;
mod promise;
mod reason;
mod remote;
mod status_code;
#[cfg(feature = "store")]
pub mod store;
mod unknown_types;
pub mod wkt;

pub use clock::{Clock, SystemClock, Timestamp};
pub use http_route::HttpRoute;
pub use list_options::ListOptions;
pub use local_hosts::LocalHosts;
pub use method::{
    LongRunningMethod, MetadataFields, MetadataOf, RequestFields, RequestOf, ResponseOf, Targeted,
};
pub use name::{InvalidName, OperationName, ParentName, ParentPattern};
pub use operation::{Operation, Outcome};
pub use operations_rpc::OperationsRpc;
pub use payload::{TYPE_URL_PREFIX, UnpackError, pack, type_name, unpack};
pub use promise::is_promise_of;
pub use reason::{DOMAIN, Reason};
pub use remote::RemoteOperations;
pub use status_code::{code_name, http_status};
pub use unknown_types::UnknownTypes;
