#![doc = include_str!("../README.md")]
//!
//! The expansion runs in passes, a module each:
//!
//! ```text
//! tokens --model--> Impl --check (reads args)--> Service --expand--> tokens
//!              \                  |
//!               \--> lone fn      +--> Errors, each at a token of the user's
//! ```
//!
//! Only `check` (and the reading of arguments below it) reports mistakes. `expand` cannot fail, and
//! it runs after a mistake too: what the mistake made impossible is replaced by a stub, so that one
//! mistake prints one message.

mod args;
mod check;
mod errors;
mod expand;
mod lone;
mod model;
mod types;

#[cfg(test)]
mod tests;

use proc_macro2::TokenStream;
use quote::quote;

use crate::{errors::Errors, model::Item};

/// Turns rpc handlers into long-running operations.
///
/// Write it on the impl of a tonic service, and on each method that starts an operation.
///
/// ```text
/// #[long_running]
/// impl pb::exporter_server::Exporter for Exporter {
///     #[long_running(response = ExportResponse, metadata = ExportMetadata)]
///     async fn export(
///         &self,
///         request: ExportRequest,
///         operation: OperationContext<ExportMetadata>,
///     ) -> Result<ExportResponse, Status> {
///         operation.set_metadata(ExportMetadata { .. });
///         Ok(ExportResponse { .. })
///     }
///
///     async fn get_table(&self, request: Request<GetTableRequest>) -> Result<Response<Table>, Status> { .. }
/// }
/// ```
///
/// A marked method takes the request message itself, and an `OperationContext` of the metadata
/// message; it returns the response message itself. It stays an ordinary `pub(crate)` async method,
/// so that a test can call it. The service's rpc of the same name stores the request as an
/// operation and answers at once; a worker that hosts the service runs the method. Methods without
/// the attribute do not change.
///
/// The compiler compares the request, response and metadata types with the rpc and its
/// `operation_info`.
///
/// `#[tonic::async_trait]` is not needed. It is allowed below `#[long_running]`, and an error above
/// it.
///
/// # On the impl
///
/// | argument | meaning | without it |
/// | --- | --- | --- |
/// | `operations = self.inner.ops` | the expression that gives the `Operations` | `self.operations` |
/// | `crate = my::lro_server` | the path of `lro_server` | `::lro_server` |
/// | `parent = "projects/*"` | the `parent` of the methods that say nothing else | operations of the root |
///
/// Write the trait with its module, as in `pb::exporter_server::Exporter`: the attribute uses the
/// code that `lro-build` generated in this module.
///
/// Generics, where-clauses, attributes, associated types and streaming rpcs stay as they are
/// written. A type may implement several services, each in an impl with the attribute; then name
/// the service for the worker: `.host::<LoansServer<Service>, _>(service)`.
///
/// # On a method
///
/// | argument | meaning | without it |
/// | --- | --- | --- |
/// | `response = ExportResponse` | the response message | read from `Result<ExportResponse, ..>` |
/// | `metadata = ExportMetadata` | the metadata message | read from `OperationContext<ExportMetadata>` |
/// | `prepare = Self::prepare_export` | an `async fn(&self, &Request<Q>) -> Result<StartOptions<M>, Status>` that validates and says how to start, before an operation exists | default options |
/// | `parent = "projects/*"` | which start of the request's `parent`, `name` or updated resource's name is the operation's parent, with `*` for any segment; a request that begins otherwise is INVALID_ARGUMENT; a parent that `prepare` sets goes before; `""` is none | what the impl says |
/// | `timeout = "30m"` | the longest that one attempt may run; longer than zero | no limit |
/// | `lifetime = "30d"` | the longest from the start of the operation to its end, waits included; longer than zero | no limit |
/// | `max_attempts = 5` | how often the method may be run, crashes and retries included; at least 1 | 10 |
/// | `on_crash = resume` or `abort` | after a crash run it again, or end the operation | `resume` |
/// | `on_delete = cancel` or `continue_running` | when a running operation is deleted, cancel it, or let it run on unseen | `continue_running` |
/// | `cancel_grace = "10s"` | how long a cancelled method may tidy up before it is dropped | no time |
/// | `retain = "30d"` | how long a finished operation is kept | 30 days |
/// | `concurrency = 8` | how many operations of this method one worker runs at a time; at least 1 | only the worker's own limit |
/// | `standard_fields = false` | whether the engine reads `request_id` and `validate_only` from the request, and fills in times, target, verb, API version and the request for cancellation in the metadata, as far as the proto declares them | `true` |
/// | `promise("approved" = Approval)` | the promises that the method waits for, with the types of their values; other names and types are refused | any promise |
/// | `steps = "strict"` or `"by_name"` | whether a run may make a new durable call before it has reached all recorded ones | `"strict"` |
///
/// Durations are strings of whole numbers with the units `d` (days), `h`, `m` (minutes), `s` and
/// `ms`, the largest first and each at most once: `"250ms"`, `"1h30m"`, `"30d"`. The longest is
/// `"36500d"`. Numbers are plain literals.
///
/// All of them together:
///
/// ```text
/// #[long_running(
///     response = ExportResponse,
///     metadata = ExportMetadata,
///     prepare = Self::prepare_export,
///     parent = "projects/*/locations/*",
///     timeout = "1h30m",
///     lifetime = "30d",
///     max_attempts = 3,
///     on_crash = abort,
///     cancel_grace = "250ms",
///     retain = "7d",
///     concurrency = 8,
///     standard_fields = false,
///     promise("approved" = Approval, "paid" = Payment),
///     steps = "by_name",
/// )]
/// ```
///
/// # Limits
///
/// * A marked method has no generic parameters of its own.
/// * Its body moves to an inherent impl of the type. So the trait's associated types are written
///   there as `<Self as pb::exporter_server::Exporter>::ListStream`, not `Self::ListStream`, and the
///   type has no other inherent method of the name.
/// * Under `#![no_implicit_prelude]`, `Box` has to be imported, for `async_trait` takes it from the
///   prelude.
#[proc_macro_attribute]
pub fn long_running(
    args: proc_macro::TokenStream,
    item: proc_macro::TokenStream,
) -> proc_macro::TokenStream {
    expand(args.into(), item.into()).into()
}

/// The attribute as a pure function, which is what the tests call.
fn expand(args: TokenStream, item: TokenStream) -> TokenStream {
    let (errors, expansion) = pass(args, item);
    let errors = errors.iter().map(syn::Error::to_compile_error);
    quote! { #(#errors)* #expansion }
}

/// Runs the passes; the expansion is there whatever was found wrong.
fn pass(args: TokenStream, item: TokenStream) -> (Vec<syn::Error>, TokenStream) {
    let mut errors = Errors::new();
    let expansion = match model::read(item) {
        Ok(Item::Impl(written)) => match check::service(args, *written, &mut errors) {
            Ok(service) => expand::service(&service),
            Err(written) => expand::unmarked(&written),
        },
        Ok(Item::Method(method)) => lone::method(*method, &mut errors),
        Ok(Item::Other(item)) => {
            errors.here(
                "`#[long_running]` belongs on the impl of a tonic service, and on the methods in it",
            );
            item
        }
        Err(error) => {
            errors.add(error);
            TokenStream::new()
        }
    };
    (errors.take(), expansion)
}
