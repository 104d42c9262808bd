#![doc = include_str!("../README.md")]
//!
//! ```
//! # mod server {
//! #     include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/support/server.rs"));
//! # }
//! use exporter::pb::exporter_client::ExporterClient;
//! use exporter::pb::{ExportRequest, ExportResponse};
//! use lro_client::{IntoPoller as _, OperationsClient};
//! use tonic::transport::Channel;
//!
//! # #[tokio::main]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let server = server::start().await?;
//! # let url = server.url.clone();
//! let channel = Channel::from_shared(url)?.connect().await?;
//! let mut exporter = ExporterClient::new(channel.clone());
//! let operations = OperationsClient::new(channel.clone());
//!
//! let request = ExportRequest { tables: vec!["users".into(), "orders".into()] };
//! let operation = exporter.export(request).await?.into_inner();
//! let response: ExportResponse = operation.into_poller(&operations).until_done().await?;
//! assert_eq!(response.tables_exported, 2);
//! # Ok(()) }
//! ```
//!
//! The generated client returns an [`Operation<R, M>`](Operation), so a caller who expects another
//! response or metadata than the method has does not compile. It works with every server of
//! `google.longrunning.Operations`.
//!
//! # The main types
//!
//! * [`OperationsClient`] — the calls: get, wait, list, cancel and delete, over any tonic channel;
//! * [`Poller`] — waits for one operation, or watches it: on the server where that offers
//!   WaitOperation, by polling where it does not;
//! * [`IntoPoller`] — makes a poller of an operation just started; [`Poller::resume`] makes one of
//!   a name;
//! * [`WaitError`] — tells a failed operation from a failed wait, and gives the poller of a failed
//!   wait back;
//! * [`PollingBackoffPolicy`] and [`PollingErrorPolicy`] — the pace, and which errors to retry;
//! * [`PollerSet`] — waits for many operations with few calls;
//! * [`ResumeToken`] — text with which another process resumes a poller;
//! * [`TokenProvider`] — where the tokens come from that the calls carry.
//!
//! # What it does not do
//!
//! It opens no connection, starts no task and keeps nothing on disk: a poller lives as long as it
//! is awaited, and its token or name is what to store. Dropping a poller cancels no operation,
//! except with [`Poller::cancel_on_drop`], by a task. All time is tokio's, so tests of
//! what waits can pause it.
//!
//! # Features
//!
//! | feature | default | what it adds |
//! | --- | --- | --- |
//! | `blocking` | no | `lro_client::blocking`: the client and the poller for callers that are not async |
//!
//! # In a browser
//!
//! Nothing here needs a transport of tonic's or a source of randomness of the system's, so the
//! crate is made to compile for `wasm32-unknown-unknown` without the feature `blocking`; this is
//! read from its dependencies, and not checked. Two things are up to the program: `uuid`, which
//! `lro-core` uses, wants one of its features `js` or `rng-getrandom` there, and tokio's time,
//! which everything that waits uses, has no clock on that target.

#![cfg_attr(docsrs, feature(doc_cfg))]

mod backoff;
#[cfg(feature = "blocking")]
pub mod blocking;
mod client;
mod error;
mod policy;
mod poller;
mod result;
mod transport;

pub use backoff::ExponentialBackoff;
pub use client::{CallSettings, DEFAULT_SCOPES, OperationList, OperationsClient, TokenProvider};
pub use error::WaitError;
pub use lro_core::{
    self, ListOptions, Operation, OperationName, OperationsRpc, Outcome, RemoteOperations,
    UnpackError, include_protos,
};
pub use policy::{
    ContinueOnTransient, PollingBackoffPolicy, PollingErrorAction, PollingErrorPolicy, PollingState,
};
pub use poller::{
    Cancellation, IncompletePolicy, IntoPoller, PollAnswer, Poller, PollerSet, ResumeError,
    ResumeToken, Updates,
};
pub use result::PollingResult;
/// The error details of `google.rpc`, in the version that [`WaitError::details`] uses.
pub use tonic_types;
