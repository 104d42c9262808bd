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
//! | `store` | [`OperationStore`], [`MemoryStore`], the state machine and the module [`filter`] (AIP-160): for servers and stores |
//!
//! # What it does not do
//!
//! It starts no task, opens no socket and reads no clock but through [`Clock`].

mod clock;
pub mod codec;
#[cfg(feature = "store")]
pub mod filter;
#[cfg(feature = "store")]
mod list_policy;
#[cfg(feature = "store")]
mod memory;
mod method;
mod name;
mod operation;
#[cfg(feature = "store")]
mod page;
mod payload;
pub mod pb;
#[cfg(feature = "store")]
mod ready;
mod reason;
#[cfg(feature = "store")]
mod record;
#[cfg(feature = "store")]
mod refusal;
#[cfg(feature = "store")]
mod standard;
#[cfg(feature = "store")]
mod state;
#[cfg(feature = "store")]
mod store;
#[cfg(feature = "store")]
mod stored;
pub mod wkt;

pub use clock::{Clock, SystemClock, Timestamp};
#[cfg(feature = "store")]
pub use list_policy::ListPolicy;
#[cfg(feature = "store")]
pub use memory::MemoryStore;
pub use method::{
    LongRunningMethod, MetadataFields, MetadataOf, RequestFields, RequestOf, ResponseOf, Targeted,
};
pub use name::{InvalidName, OperationName, ParentName, ParentPattern};
pub use operation::Operation;
#[cfg(feature = "store")]
pub use page::{ListQuery, Page, PageBuilder, PageCursor};
pub use payload::{TYPE_URL_PREFIX, UnpackError, pack, type_name, unpack};
#[cfg(feature = "store")]
pub use ready::ReadyQueue;
pub use reason::{DOMAIN, Reason};
#[cfg(feature = "store")]
pub use record::{
    ExecutionPolicy, Lease, NewOperation, OnCrash, OperationRecord, OperationResult, Origin,
    RequestId,
};
#[cfg(feature = "store")]
pub use refusal::Refusal;
#[cfg(feature = "store")]
pub use standard::StandardMetadata;
#[cfg(feature = "store")]
pub use state::{Change, Command, OperationState, Outcome};
#[cfg(feature = "store")]
pub use store::{
    Claim, Claimed, OperationStore, StartError, Started, StoreError, StoreErrorKind, StoreEvent,
    StoreObserver, Update, Updated, WorkerId,
};
#[cfg(feature = "store")]
pub use stored::{decode_labels, encode_labels};
