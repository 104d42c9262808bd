//! Imports files every night for a month, as one operation. Between the nights it holds no slot and no memory, and it
//! forgets the steps of nights that are done, so that it may run for years.

#[cfg(test)]
mod tests;
mod warehouse;

use std::time::Duration;

use lro_server::steps::Retry;
use lro_server::{HandlerError, OperationContext, Operations, Timestamp, long_running};

use pb::{Batch, ImportMetadata, ImportRequest, Imported, Month};
pub use warehouse::Warehouse;

/// The messages, server trait and client of `nightly.v1`.
#[allow(missing_docs, reason = "generated code")]
pub mod pb {
    tonic::include_proto!("nightly.v1");
}

/// The service.
#[derive(Debug)]
pub struct Importer {
    operations: Operations,
    warehouse: Warehouse,
    day: Duration,
}

impl Importer {
    /// An importer into this warehouse. A day is that long, so that a demonstration takes no month.
    pub fn new(operations: &Operations, warehouse: Warehouse, day: Duration) -> Self {
        Self {
            operations: operations.clone(),
            warehouse,
            day,
        }
    }

    /// Where it imports to.
    pub fn warehouse(&self) -> &Warehouse {
        &self.warehouse
    }

    /// The end of the day of this time.
    fn night_after(&self, time: Timestamp) -> Timestamp {
        let day = i64::try_from(self.day.as_micros()).unwrap_or(i64::MAX);
        let over = time.as_micros().rem_euclid(day);
        time.saturating_add(Duration::from_micros((day - over).unsigned_abs()))
    }
}

#[long_running]
impl pb::importer_server::Importer for Importer {
    #[long_running(response = Imported, metadata = ImportMetadata, max_attempts = 20)]
    async fn import(
        &self,
        request: ImportRequest,
        operation: OperationContext<ImportMetadata>,
    ) -> Result<Imported, HandlerError> {
        // Nights that are done have no steps any more.
        let mut month = operation.restore::<Month>()?.unwrap_or_default();
        while month.nights_done < request.nights {
            let night = month.nights_done;
            let begin = self.night_after(operation.time());
            operation.sleep_until("night", begin).await?; // no slot, no memory until then
            let retry = Retry::times(50).pause(Duration::from_millis(10), Duration::from_secs(600));
            let fetch = operation.step("fetch", async || self.warehouse.fetch(night).await);
            let batch: Batch = fetch.retry(retry).await?;
            let load = operation.step("load", async || self.warehouse.load(night, &batch).await);
            month.rows += load.await?;
            month.nights_done += 1;
            operation.set_metadata(ImportMetadata {
                nights_done: month.nights_done,
                rows: month.rows,
            });
            // One commit: the month is kept, and the steps of this night are forgotten.
            operation.checkpoint_and_forget(&month).await?;
        }
        Ok(Imported { rows: month.rows })
    }
}
