//! ListOperations: pages and filters.

use lro_core::filter::Filter;
use lro_core::store::{ListPolicy, ListQuery, OperationRecord, Page, PageCursor};
use lro_core::{ListOptions, ParentPattern, Reason, Timestamp, pb};
use prost::Message as _;
use tonic::Status;

use super::Operations;
use crate::access::Grant;
use crate::page_token::PageTokenSealer;
use crate::records::RecordPage;
use crate::rpc::error::store_failed;

/// After how many operations a filtered list gives what it has found.
const EXAMINED_MAX: usize = 2_000;

/// The bytes of a page besides its operations: its token, and the length prefixes.
pub(crate) const PAGE_OVERHEAD: usize = 1024;

/// The largest message that the server sends to a caller, in the extensions of a request.
#[derive(Clone, Copy, Debug)]
pub(crate) struct MaxMessageLen(pub(crate) usize);

/// The request for the page that the options name.
pub(crate) fn list_request(options: &ListOptions) -> pb::ListOperationsRequest {
    pb::ListOperationsRequest {
        filter: options.filter.clone(),
        page_size: options.page_size,
        page_token: options.page_token.clone(),
        return_partial_success: options.return_partial_success,
        ..Default::default()
    }
}

impl Operations {
    /// One page of the operations directly below a parent, newest first: those that the
    /// [filter](lro_core::filter) says (AIP-160), all when it is empty.
    ///
    /// The [policy](crate::ServiceSettings::list_policy) of the service that owns the parent
    /// determines the fields that the filter may name and the page sizes.
    ///
    /// A page may be short, or even empty, before the end of the list: only an empty
    /// `next_page_token` says that there is no more.
    ///
    /// # Errors
    ///
    /// INVALID_ARGUMENT for a negative page size, a filter that does not parse, or a page token of
    /// another list; UNIMPLEMENTED for [`return_partial_success`](ListOptions::return_partial_success)
    /// where the policy does not offer it; or the store's failure.
    ///
    /// # Cancel safety
    ///
    /// Safe to drop.
    pub async fn list(
        &self,
        parent: ParentPattern,
        options: &ListOptions,
    ) -> Result<pb::ListOperationsResponse, Status> {
        self.page(&Grant::trusted(None), parent, options, None)
            .await
    }

    /// The same, of the operations that the grant admits, and of one method if a path is given.
    pub(super) async fn page(
        &self,
        grant: &Grant<'_>,
        parent: ParentPattern,
        options: &ListOptions,
        method: Option<&'static str>,
    ) -> Result<pb::ListOperationsResponse, Status> {
        let request = list_request(options);
        self.list_as(grant, parent, &request, method, None).await
    }

    /// The same for a request from outside, with the largest message that its caller can receive.
    pub(crate) async fn list_as(
        &self,
        grant: &Grant<'_>,
        parent: ParentPattern,
        request: &pb::ListOperationsRequest,
        method: Option<&'static str>,
        max_message: Option<MaxMessageLen>,
    ) -> Result<pb::ListOperationsResponse, Status> {
        let listing = self.listing(grant, parent, request, method, max_message);
        let listing = listing.await?;
        let page = self.page_of(&listing).await?;
        let records = page.records.iter().filter(|record| grant.lists(record));
        let response = pb::ListOperationsResponse {
            operations: records.map(OperationRecord::to_operation).collect(),
            next_page_token: self.page_token(&listing, page.next).await?,
            unreachable: Vec::new(),
        };
        match &*response.operations {
            [only] if response.encoded_len() > listing.max_len => {
                Err(too_long(only, listing.max_len))
            }
            _ => Ok(response),
        }
    }

    /// One page of records, those that the grant admits.
    pub(crate) async fn records_as(
        &self,
        grant: &Grant<'_>,
        parent: ParentPattern,
        request: &pb::ListOperationsRequest,
    ) -> Result<RecordPage, Status> {
        let listing = self.listing(grant, parent, request, None, None).await?;
        let page = self.page_of(&listing).await?;
        let mut records = page.records;
        records.retain(|record| grant.lists(record));
        Ok(RecordPage {
            records,
            next_page_token: self.page_token(&listing, page.next).await?,
        })
    }

    /// Checks a request for a list, and opens its page token.
    pub(crate) async fn listing(
        &self,
        grant: &Grant<'_>,
        parent: ParentPattern,
        request: &pb::ListOperationsRequest,
        method: Option<&'static str>,
        max_message: Option<MaxMessageLen>,
    ) -> Result<Listing, Status> {
        let policy = self.gate().services().list_policy(&parent);
        let partial = request.return_partial_success;
        if partial {
            check_partial(&parent, policy)?;
        }
        let limit = self
            .engine()
            .limits()
            .page_size(request.page_size, policy)?;
        let mut filter = Filter::parse(&request.filter, &policy.schema).map_err(Status::from)?;
        if let Some(method) = method {
            filter = filter.of_method(method);
        }
        let max_len = self.engine().limits().max_page_len;
        let max_len = max_message.map_or(max_len, |MaxMessageLen(max)| max.min(max_len));
        let mut query = ListQuery::new(parent, limit);
        query.filter = filter;
        query.max_examined = EXAMINED_MAX;
        query.max_bytes = max_len.saturating_sub(PAGE_OVERHEAD);
        let mut listing = Listing {
            query,
            filter: request.filter.clone(),
            is_partial: partial,
            scope: grant.token_scope(),
            method,
            max_len,
            now: self.engine().clock().now(),
        };
        if !request.page_token.is_empty() {
            let tokens = self.page_tokens().await?;
            let after = tokens.open(&request.page_token, &listing.identity(), listing.now)?;
            listing.query.after = Some(after);
        }
        Ok(listing)
    }

    /// The page of records that a checked request asks for.
    pub(crate) async fn page_of(&self, listing: &Listing) -> Result<Page, Status> {
        let page = self.engine().store().list(listing.query.clone()).await;
        page.map_err(|error| store_failed(&error))
    }

    /// The token that continues a list behind the cursor; empty without one.
    pub(crate) async fn page_token(
        &self,
        listing: &Listing,
        next: Option<PageCursor>,
    ) -> Result<String, Status> {
        Ok(match next {
            Some(cursor) => {
                let tokens = self.page_tokens().await?;
                tokens.seal(cursor, &listing.identity(), listing.now)
            }
            None => String::new(),
        })
    }

    pub(super) async fn page_tokens(&self) -> Result<PageTokenSealer<'_>, Status> {
        let sealer = self
            .inner
            .page_tokens
            .sealer(&**self.engine().store())
            .await;
        sealer.map_err(|error| store_failed(&error))
    }
}

/// A request for a list that was checked.
#[derive(Debug)]
pub(crate) struct Listing {
    query: ListQuery,
    /// The filter as it was sent.
    filter: String,
    is_partial: bool,
    scope: String,
    method: Option<&'static str>,
    /// The most bytes that the page may have.
    max_len: usize,
    now: Timestamp,
}

impl Listing {
    /// The list that a page token belongs to.
    fn identity(&self) -> Vec<&str> {
        let partial = if self.is_partial { "partial" } else { "" };
        let parent = self.query.parent.as_str();
        let mut identity = vec![parent, &*self.filter, partial, &*self.scope];
        identity.extend(self.method);
        identity
    }

    /// Continues behind this operation.
    #[cfg(feature = "inspection")]
    pub(crate) fn continue_behind(&mut self, cursor: PageCursor) {
        self.query.after = Some(cursor);
    }

    /// Whether a record belongs to the list, on whatever page.
    #[cfg(feature = "inspection")]
    pub(crate) fn matches(&self, record: &OperationRecord) -> bool {
        self.query.matches(record)
    }

    /// The most bytes that the records of the page may have.
    #[cfg(feature = "inspection")]
    pub(crate) fn max_len(&self) -> usize {
        self.query.max_bytes
    }
}

/// The error of a page that has a single operation, and is too long.
fn too_long(operation: &pb::Operation, max_len: usize) -> Status {
    let (name, len) = (&operation.name, operation.encoded_len());
    let message = format!(
        "operation `{name}` has {len} bytes, more than the {max_len} that a page may have; \
         read it with GetOperation, and list the others with a filter such as \
         `name != \"{name}\"`, or raise Limits::max_page_len of the server and, \
         if it has one, its limit of messages"
    );
    let (len, max) = (len.to_string(), max_len.to_string());
    let metadata = [("operation", &**name), ("length", &*len), ("limit", &*max)];
    Reason::LimitExceeded.status(message, metadata)
}

/// Whether a list below this parent takes `return_partial_success`.
fn check_partial(parent: &ParentPattern, policy: &ListPolicy) -> Result<(), Status> {
    if !policy.partial_success {
        let message = "return_partial_success is not supported: no operation is unreachable \
                       while others are not";
        return Err(Reason::Unimplemented.field_status("return_partial_success", message));
    }
    match parent.exact() {
        None => Ok(()),
        Some(_) => {
            let message = "is for lists across collections only, whose name has a wildcard";
            Err(Reason::InvalidField.field_status("return_partial_success", message))
        }
    }
}
