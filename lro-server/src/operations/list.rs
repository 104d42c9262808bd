//! ListOperations: pages and filters.

use lro_core::filter::Filter;
use lro_core::store::{ListPolicy, ListQuery, OperationRecord};
use lro_core::{ListOptions, ParentPattern, Reason, pb};
use prost::Message as _;
use tonic::Status;

use super::Operations;
use crate::access::Pass;
use crate::page_token::PageTokenSealer;
use crate::records::RecordPage;
use crate::rpc::error::store_failed;

/// After how many operations a filtered list gives what it has found.
const EXAMINED_MAX: usize = 2_000;

/// The bytes of a page besides its operations: its token, and the length prefixes.
const PAGE_OVERHEAD: usize = 1024;

/// The largest message that the server sends to a caller, in the extensions of a request.
#[derive(Clone, Copy, Debug)]
pub(crate) struct MaxMessageLen(pub(crate) usize);

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
        self.page(&Pass::trusted(None), parent, options, None).await
    }

    /// The same, of the operations that the pass admits, and of one method if a path is given.
    pub(super) async fn page(
        &self,
        pass: &Pass<'_>,
        parent: ParentPattern,
        options: &ListOptions,
        method: Option<&'static str>,
    ) -> Result<pb::ListOperationsResponse, Status> {
        let request = pb::ListOperationsRequest {
            filter: options.filter.clone(),
            page_size: options.page_size,
            page_token: options.page_token.clone(),
            return_partial_success: options.return_partial_success,
            ..Default::default()
        };
        self.list_as(pass, parent, &request, method, None).await
    }

    /// The same for a request from outside, with the largest message that its caller can receive.
    pub(crate) async fn list_as(
        &self,
        pass: &Pass<'_>,
        parent: ParentPattern,
        request: &pb::ListOperationsRequest,
        method: Option<&'static str>,
        max_message: Option<MaxMessageLen>,
    ) -> Result<pb::ListOperationsResponse, Status> {
        let max_len = self.max_page_len(max_message);
        let page = self
            .records_as(pass, parent, request, method, max_len)
            .await?;
        let records = page.records.iter();
        let response = pb::ListOperationsResponse {
            operations: records.map(OperationRecord::to_operation).collect(),
            next_page_token: page.next_page_token,
            unreachable: Vec::new(),
        };
        match &*response.operations {
            [only] if response.encoded_len() > max_len => Err(too_long(only, max_len)),
            _ => Ok(response),
        }
    }

    /// The most bytes of a page for a caller that receives messages of this size.
    pub(crate) fn max_page_len(&self, max_message: Option<MaxMessageLen>) -> usize {
        let max_len = self.engine().limits().max_page_len;
        max_message.map_or(max_len, |MaxMessageLen(max)| max.min(max_len))
    }

    /// The records of a page that the pass admits.
    pub(crate) async fn records_as(
        &self,
        pass: &Pass<'_>,
        parent: ParentPattern,
        request: &pb::ListOperationsRequest,
        method: Option<&'static str>,
        max_len: usize,
    ) -> Result<RecordPage, Status> {
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
        // A token belongs to all of its list.
        let scope = pass.token_scope();
        let partial = if partial { "partial" } else { "" };
        let mut list = vec![parent.as_str(), &*request.filter, partial, &*scope];
        list.extend(method);
        let now = self.engine().clock().now();
        let after = match &*request.page_token {
            "" => None,
            token => Some(self.page_tokens().await?.open(token, &list, now)?),
        };
        let mut query = ListQuery::new(parent.clone(), limit);
        query.filter = filter;
        query.after = after;
        query.max_examined = EXAMINED_MAX;
        query.max_bytes = max_len.saturating_sub(PAGE_OVERHEAD);
        let page = self.engine().store().list(query).await;
        let page = page.map_err(|error| store_failed(&error))?;
        let mut records = page.records;
        records.retain(|record| pass.lists(record));
        Ok(RecordPage {
            records,
            next_page_token: match page.next {
                Some(cursor) => self.page_tokens().await?.seal(cursor, &list, now),
                None => String::new(),
            },
        })
    }

    async fn page_tokens(&self) -> Result<PageTokenSealer<'_>, Status> {
        let sealer = self
            .inner
            .page_tokens
            .sealer(&**self.engine().store())
            .await;
        sealer.map_err(|error| store_failed(&error))
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
