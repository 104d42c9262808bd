//! Pages of records.

use lro_core::inspection as pb;
use lro_core::inspection::RecordView;
use lro_core::store::PageCursor;
use lro_core::{ParentPattern, Reason, pb as longrunning};
use prost::Message as _;
use tonic::Status;

use super::InspectionService;
use crate::access::{Grant, Sight};
use crate::operations::MaxMessageLen;

/// The bytes that a record takes on a page besides its own.
const ENTRY_OVERHEAD: usize = 8;

impl InspectionService {
    pub(super) async fn list(
        &self,
        grant: &Grant<'_>,
        parent: ParentPattern,
        request: pb::ListOperationsRequest,
        sight: Sight,
        max_message: Option<MaxMessageLen>,
    ) -> Result<pb::ListOperationsResponse, Status> {
        let view = view(request.view)?;
        let standard = longrunning::ListOperationsRequest {
            filter: request.filter,
            page_size: request.page_size,
            page_token: request.page_token,
            ..Default::default()
        };
        let listing = self
            .operations
            .listing(grant, parent, &standard, None, max_message)
            .await?;
        let page = self.operations.page_of(&listing).await?;
        let around = self.surroundings(sight);
        let mut left = listing.max_len();
        let mut operations = Vec::new();
        let mut next = page.next;
        let mut before = None;
        for record in page.records.iter().filter(|record| grant.lists(record)) {
            let shown = self.show(record, view, &around);
            let len = shown.encoded_len() + ENTRY_OVERHEAD;
            if len > left {
                // Records are longer than the operations that the store has measured.
                let Some(before) = before else {
                    return Err(too_long(record.name.as_str(), len, left));
                };
                next = Some(PageCursor::behind(before));
                break;
            }
            left -= len;
            before = Some(record);
            operations.push(shown);
        }
        Ok(pb::ListOperationsResponse {
            operations,
            next_page_token: self.operations.page_token(&listing, next).await?,
        })
    }
}

/// A view of the wire; the summary if it does not say.
pub(super) fn view(view: i32) -> Result<RecordView, Status> {
    match RecordView::try_from(view) {
        Ok(RecordView::Unspecified) => Ok(RecordView::Summary),
        Ok(view) => Ok(view),
        Err(_) => {
            let message = format!("{view} is no view; give SUMMARY or FULL");
            Err(Reason::InvalidField.field_status("view", message))
        }
    }
}

fn too_long(name: &str, len: usize, max: usize) -> Status {
    let message = format!(
        "the record of `{name}` has {len} bytes, more than the {max} that a page may have; list \
         with the view SUMMARY, or raise Limits::max_page_len of the server"
    );
    let (len, max) = (len.to_string(), max.to_string());
    let metadata = [("operation", name), ("length", &*len), ("limit", &*max)];
    Reason::LimitExceeded.status(message, metadata)
}
