//! ListOperations: pages and filters.

use lro_core::filter::Filter;
use lro_core::{ListQuery, OperationRecord, ParentPattern, Reason, pb};
use tonic::Status;

use super::Operations;
use crate::error::store_failed;
use crate::page_token;

/// After how many operations a filtered list gives what it has found.
const EXAMINED_MAX: usize = 2_000;

impl Operations {
    /// One page of the operations directly below a parent, newest first: those that the
    /// [filter](lro_core::filter) says (AIP-160), all when it is empty.
    ///
    /// A page may be short, or even empty, before the end of the list: only an empty
    /// `next_page_token` says that there is no more.
    ///
    /// # Errors
    ///
    /// INVALID_ARGUMENT for a negative page size, a filter that is none, or a page token that is not
    /// of this list; or the store's failure.
    pub async fn list(
        &self,
        parent: ParentPattern,
        filter: &str,
        page_size: i32,
        page_token: &str,
    ) -> Result<pb::ListOperationsResponse, Status> {
        let limit = self.inner.limits.page_size(page_size)?;
        let filter = Filter::parse(filter, &self.inner.filter_schema).map_err(Status::from)?;
        let text = filter.text().to_owned();
        let list = [parent.as_str(), &text];
        let after = match page_token {
            "" => None,
            token => match page_token::decode(token, &list) {
                None => {
                    let message = "is not a token of this list; ask for its first page again";
                    return Err(Reason::InvalidField.field_status("page_token", message));
                }
                cursor => cursor,
            },
        };
        let query = ListQuery {
            parent: parent.clone(),
            filter,
            after,
            limit,
            examine_max: EXAMINED_MAX,
        };
        let page = self.inner.store.list(query).await;
        let page = page.map_err(|error| store_failed(&error))?;
        Ok(pb::ListOperationsResponse {
            operations: page
                .records
                .iter()
                .map(OperationRecord::to_operation)
                .collect(),
            next_page_token: page
                .next
                .map(|cursor| page_token::encode(cursor, &list))
                .unwrap_or_default(),
            unreachable: Vec::new(),
        })
    }
}
