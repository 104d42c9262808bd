//! Counts that all callers share for some seconds, so that many who look cost the store no more than
//! one.

use std::future::Future;
use std::time::Duration;

use lro_core::inspection as pb;
use lro_core::store::{Counts, StoreError};
use lro_core::{OperationsRpc, ParentPattern};
use tokio::sync::Mutex;
use tokio::time::Instant;
use tonic::{Request, Status};

use super::InspectionService;
use super::service::COUNT;
use crate::access::{Caller, InspectionPermission};
use crate::rpc::status::complete;

/// How old shared counts may be.
const MAX_AGE: Duration = Duration::from_secs(10);

/// How many counts are kept.
const MAX_KEPT: usize = 64;

/// A parent and a filter.
type Key = (String, String);

/// The latest counts. Their callers are authorized before they get them.
#[derive(Debug, Default)]
pub(super) struct Recent {
    /// Locked while the store counts: one count at a time, and none twice.
    kept: Mutex<Vec<(Key, Instant, Counts)>>,
}

impl Recent {
    pub(super) async fn get<F>(
        &self,
        key: Key,
        count: impl FnOnce() -> F,
    ) -> Result<Counts, StoreError>
    where
        F: Future<Output = Result<Counts, StoreError>>,
    {
        let mut kept = self.kept.lock().await;
        kept.retain(|(_, at, _)| at.elapsed() < MAX_AGE);
        if let Some((.., counts)) = kept.iter().find(|(it, ..)| *it == key) {
            return Ok(counts.clone());
        }
        let counts = count().await?;
        if kept.len() >= MAX_KEPT {
            kept.remove(0);
        }
        kept.push((key, Instant::now(), counts.clone()));
        Ok(counts)
    }
}

impl InspectionService {
    /// The answer of CountOperations, but up to 10 s old: callers share the counts of the store, and
    /// the store counts once at a time. For pages that many people have open.
    ///
    /// ```
    /// use lro_core::inspection::CountOperationsRequest;
    /// use lro_core::store::MemoryStore;
    /// use lro_server::Operations;
    /// use lro_server::inspection::InspectionService;
    /// use tonic::Request;
    ///
    /// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
    /// let inspection: InspectionService = Operations::new(MemoryStore::new()).into();
    /// let caller = Request::new(()); // with the headers of the request that asks
    /// let counts = inspection.recent_counts(&caller, &CountOperationsRequest::default()).await?;
    /// assert_eq!((counts.total, counts.exact), (0, true));
    /// # Ok::<(), tonic::Status>(()) }).unwrap();
    /// ```
    ///
    /// # Errors
    ///
    /// Those of CountOperations.
    ///
    /// # Cancel safety
    ///
    /// Safe to drop.
    pub async fn recent_counts(
        &self,
        caller: &Request<()>,
        request: &pb::CountOperationsRequest,
    ) -> Result<pb::CountOperationsResponse, Status> {
        let counts = async {
            let caller = Caller::of(caller, COUNT);
            let visit = self.enter(OperationsRpc::List, caller).await?;
            let parent: ParentPattern = super::service::parse_parent(&request.parent)?;
            let grant = visit.list(&parent).await?;
            grant.inspects_list(InspectionPermission::Inspect).await?;
            self.count_recent(&grant, parent, request).await
        };
        counts.await.map_err(complete)
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use lro_core::Timestamp;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn counts_are_shared_for_some_seconds() {
        let recent = Recent::default();
        let counted = Cell::new(0);
        let get = async |filter: &str| {
            let key = ("users/ada".to_owned(), filter.to_owned());
            let count = || async {
                counted.set(counted.get() + 1);
                Ok(Counts::new(Vec::new(), true, Timestamp::EPOCH))
            };
            recent.get(key, count).await.unwrap();
            counted.get()
        };
        assert_eq!(get("").await, 1);
        tokio::time::advance(MAX_AGE / 2).await;
        assert_eq!(get("").await, 1);
        assert_eq!(get("done = true").await, 2, "of another filter");
        tokio::time::advance(MAX_AGE / 2).await;
        assert_eq!(get("").await, 3);
        for number in 0..2 * MAX_KEPT {
            get(&number.to_string()).await;
        }
        assert_eq!(recent.kept.lock().await.len(), MAX_KEPT);
    }
}
