//! The contract of long-running operations in the sense of `google.longrunning` and AIP-151:
//! what the server side, the client side and the stores agree on.
//!
//! Service authors start at `lro_server`, callers at `lro_client`; both re-export this crate.
//! Authors of an [`OperationStore`] need only this one.
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
//! * [`OperationRecord`], [`Command`] and [`OperationRecord::apply`] — the state machine, pure
//!   functions over values;
//! * [`OperationStore`] — where records are kept, and [`MemoryStore`], its simplest form;
//! * [`Clock`] — the only source of wall time.
//!
//! # Features
//!
//! | feature | what |
//! | --- | --- |
//! | `filter` | the module `filter`: AIP-160 filters of ListOperations; for servers and stores |
//!
//! # What it does not do
//!
//! It starts no task, opens no socket and reads no clock but through [`Clock`].

mod clock;
pub mod codec;
#[cfg(feature = "filter")]
pub mod filter;
mod memory;
mod method;
mod name;
mod operation;
mod page;
mod payload;
pub mod pb;
mod ready;
mod reason;
mod record;
mod standard;
mod state;
mod store;
pub mod wkt;

pub use clock::{Clock, SystemClock, Timestamp};
pub use memory::MemoryStore;
pub use method::{
    LongRunningMethod, MetadataFields, MetadataOf, RequestFields, RequestOf, ResponseOf,
};
pub use name::{InvalidName, OperationName, ParentName};
pub use operation::Operation;
pub use page::PageCursor;
pub use payload::{TYPE_URL_PREFIX, UnpackError, pack, type_name, unpack};
pub use ready::ReadyQueue;
pub use reason::{DOMAIN, Reason};
pub use record::{
    ExecutionPolicy, Lease, NewOperation, OnCrash, OperationRecord, OperationResult, Origin,
    RequestId,
};
pub use standard::StandardMetadata;
pub use state::{Change, Command, OperationState, Outcome, Refusal};
pub use store::{
    Claim, Claimed, ListQuery, OperationStore, Page, StartError, Started, StoreError,
    StoreErrorKind, StoreEvent, StoreObserver, Update, Updated, WorkerId,
};
