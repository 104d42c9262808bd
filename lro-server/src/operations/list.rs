//! ListOperations: pages and filters.

use lro_core::filter::Filter;
use lro_core::{ListQuery, OperationRecord, Page, PageCursor, ParentName, Reason, pb};
use tonic::Status;

use super::Operations;
use crate::error::store_failed;
use crate::page_token;

/// How many operations a filtered list reads from the store at once, at least.
const EXAMINED_AT_ONCE: usize = 200;

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
        parent: ParentName,
        filter: &str,
        page_size: i32,
        page_token: &str,
    ) -> Result<pb::ListOperationsResponse, Status> {
        let limit = self.inner.limits.page_size(page_size)?;
        let filter = Filter::parse(filter, &self.inner.filter_schema).map_err(Status::from)?;
        let list = [parent.as_str(), filter.text()];
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
            after,
            limit,
        };
        let page = self.matching(query, &filter).await?;
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

    /// The records of a page that match. Looks at a bounded number of them, so that a rare match
    /// costs many short pages rather than one long call.
    async fn matching(&self, mut query: ListQuery, filter: &Filter) -> Result<Page, Status> {
        let wanted = query.limit;
        let everything = filter.text().trim().is_empty();
        if !everything {
            query.limit = wanted.max(EXAMINED_AT_ONCE);
        }
        let mut matching = Page::default();
        let mut examined = 0;
        loop {
            let page = self.inner.store.list(query.clone()).await;
            let page = page.map_err(|error| store_failed(&error))?;
            if everything {
                return Ok(page);
            }
            examined += page.records.len();
            let count = page.records.len();
            for (at, record) in page.records.into_iter().enumerate() {
                let cursor = PageCursor::behind(record.uid);
                if filter.matches(&record) {
                    matching.records.push(record);
                }
                if matching.records.len() == wanted {
                    let more = at + 1 < count || page.next.is_some();
                    matching.next = more.then_some(cursor);
                    return Ok(matching);
                }
            }
            matching.next = page.next;
            if page.next.is_none() || examined >= EXAMINED_MAX {
                return Ok(matching);
            }
            query.after = page.next;
        }
    }
}
