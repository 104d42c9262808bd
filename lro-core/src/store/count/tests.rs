use std::sync::Arc;
use std::time::Duration;

use uuid::Uuid;

use super::*;
use crate::store::{
    Claim, Claimed, Command, MemoryStore, NewOperation, OperationRecord, Page, Refusal, StartError,
    Started, StoreObserver, Update, Updated,
};
use crate::{OperationName, ParentName, pack};

/// A store without a count of its own.
#[derive(Debug)]
struct Plain(MemoryStore);

#[async_trait::async_trait]
impl OperationStore for Plain {
    async fn start(
        &self,
        operations: Vec<NewOperation>,
    ) -> Result<Vec<Result<Started, StartError>>, StoreError> {
        self.0.start(operations).await
    }
    async fn claim(&self, claim: Claim) -> Result<Claimed, StoreError> {
        self.0.claim(claim).await
    }
    async fn update(
        &self,
        updates: Vec<Update>,
    ) -> Result<Vec<Result<Updated, Refusal>>, StoreError> {
        self.0.update(updates).await
    }
    async fn get(&self, name: &OperationName) -> Result<Option<OperationRecord>, StoreError> {
        self.0.get(name).await
    }
    async fn list(&self, query: ListQuery) -> Result<Page, StoreError> {
        self.0.list(query).await
    }
    async fn purge(&self, limit: usize) -> Result<usize, StoreError> {
        self.0.purge(limit).await
    }
    async fn page_token_key(&self) -> Result<[u8; 32], StoreError> {
        self.0.page_token_key().await
    }
    fn observe(&self, observer: Arc<dyn StoreObserver>) {
        self.0.observe(observer);
    }
    fn event_gap(&self) -> Option<Duration> {
        self.0.event_gap()
    }
}

async fn filled(count: u128) -> Plain {
    let store = Plain(MemoryStore::new());
    for n in 0..count {
        let name: OperationName = format!("operations/{n}").parse().unwrap();
        let method = if n % 3 == 0 { "/s.S/B" } else { "/s.S/A" };
        let new = NewOperation::new(Uuid::from_u128(n), name.clone(), method, pack(&()));
        store.start(vec![new]).await.unwrap().remove(0).unwrap();
        if n % 5 == 0 {
            let cancel = Update::by_name(name, Command::cancel());
            store.update(vec![cancel]).await.unwrap().remove(0).unwrap();
        }
    }
    store
}

#[tokio::test]
async fn a_count_by_lists_goes_through_all_pages() {
    let store = filled(250).await;
    let query = CountQuery::new(ParentName::default());
    let counts = store.count(query).await.unwrap();
    let exact = |method, state, count| Count::new(method, state, count, true);
    let wanted = [
        exact("/s.S/A", OperationState::Pending, 133),
        exact("/s.S/A", OperationState::Cancelled, 33),
        exact("/s.S/B", OperationState::Pending, 67),
        exact("/s.S/B", OperationState::Cancelled, 17),
    ];
    assert_eq!(counts.groups, wanted);
    assert!(counts.is_exact && counts.as_of > Timestamp::EPOCH);
    assert_eq!(counts.total(), 250);
}

#[tokio::test]
async fn a_count_by_lists_says_where_its_bound_has_stopped_it() {
    let store = filled(250).await;
    for (max_examined, total, is_exact) in [(0, 0, false), (101, 101, false), (251, 250, true)] {
        let mut query = CountQuery::new(ParentName::default());
        query.max_examined = max_examined;
        let counts = store.count(query).await.unwrap();
        assert_eq!((counts.total(), counts.is_exact), (total, is_exact));
        assert!(counts.groups.iter().all(|it| it.is_exact == is_exact));
    }
}
