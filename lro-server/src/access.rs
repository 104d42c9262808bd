//! Authorization: which callers may call which methods on which operations.
//!
//! Without an [`Authorizer`], every caller that reaches the server may get, list, wait for, cancel
//! and delete every operation. With one, it decides on each call of google.longrunning.Operations
//! and on each start:
//!
//! ```
//! use lro_core::store::MemoryStore;
//! use lro_server::access::{Access, Authorizer, Call, Caller, Principal};
//! use lro_server::{Operations, ServiceSettings};
//! use tonic::Status;
//!
//! /// Callers behind a proxy that says who they are; each has the operations below its own name.
//! #[derive(Debug)]
//! struct EachTheirOwn;
//!
//! #[tonic::async_trait]
//! impl Authorizer for EachTheirOwn {
//!     async fn authenticate(&self, caller: &Caller<'_>) -> Result<Principal, Status> {
//!         let user = caller.header("x-user").ok_or_else(|| Status::unauthenticated("no user"))?;
//!         Ok(Principal::new(user))
//!     }
//!
//!     async fn authorize(&self, call: &Call<'_>) -> Result<Access, Status> {
//!         Ok(Access::allowed_if(call.is_within(&format!("users/{}", call.principal().name()))))
//!     }
//! }
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let operations = Operations::builder(MemoryStore::new())
//!     .bind(ServiceSettings::new("google.example.v1.Exporter").parent("users/*".parse()?))
//!     .authorizer(EachTheirOwn)
//!     .build();
//! # Ok(()) }
//! ```
//!
//! # The order of a call
//!
//! 1. A method that the server or the service does not offer is UNIMPLEMENTED.
//! 2. [`Authorizer::authenticate`] returns the principal, or UNAUTHENTICATED.
//! 3. An invalid name is INVALID_ARGUMENT, which reveals nothing about any operation.
//! 4. The service's [scopes](crate::ServiceSettings::scopes), then [`Authorizer::authorize`], for
//!    the permission `{service}.operations.{get,list,wait,cancel,delete}` on the name or the parent.
//! 5. Only now the server checks the other arguments and reads the operation.
//! 6. [`Authorizer::authorize_operation`], for policies that depend on the principal that started
//!    the operation.
//!
//! A caller denied in step 4 or 6 gets PERMISSION_DENIED with the same text whether the operation
//! exists or not (AIP-193, AIP-211). A caller that asks for a missing operation gets the same answer,
//! unless it may list the parent: only then does it get NOT_FOUND. Each page of a list and each
//! WaitOperation is authorized anew; a page token grants no permission.
//!
//! A start goes through step 2 and [`Authorizer::authorize_start`]. The operation records the
//! caller as its principal, unless `prepare` names another one
//! ([`StartOptions::principal`](crate::StartOptions::principal)). Request ids are separate for each
//! principal.
//!
//! The methods of [`Operations`](crate::Operations) itself need no permission: code that holds this
//! value is part of the server.

mod authorizer;
mod call;
mod gate;
mod grant;
#[cfg(feature = "inspection")]
mod inspection;
#[cfg(feature = "jwt")]
pub mod jwt;
mod principal;
mod refusal;

pub use authorizer::{Access, Authorizer, StartCall};
pub use call::{Call, Caller, OperationFacts};
#[cfg(feature = "inspection")]
pub use inspection::{InspectionCall, InspectionPermission};
pub use lro_core::OperationsRpc;
pub use principal::Principal;

pub(crate) use gate::{Gate, Visit};
pub(crate) use grant::Grant;
#[cfg(feature = "inspection")]
pub(crate) use inspection::Sight;
