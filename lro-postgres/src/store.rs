use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use deadpool_postgres::Pool;
use lro_core::store::{
    Backlog, Claim, Claimed, CountQuery, Counts, ListQuery, NewOperation, OperationRecord,
    OperationStore, Page, Refusal, StartError, Started, StepQuery, StepRow, StoreError,
    StoreObserver, Update, Updated,
};
use lro_core::{OperationName, Timestamp};
use tokio::task::AbortHandle;
use tokio_postgres::Config;

use crate::builder::PostgresStoreBuilder;
use crate::claim::Claims;
use crate::group::call::{Call, keep_serving};
use crate::group::held::Held;
use crate::group::lane::Lane;
use crate::group::purge::Purges;
use crate::group::reads::{Gets, backlog, get_deleted, steps};
use crate::group::starts::Starts;
use crate::group::updates::Updates;
use crate::holes::KnownHoles;
use crate::list::{count, list};
use crate::notify::events::Events;
use crate::notify::listener::Hints;
use crate::notify::outbox::Outbox;
use crate::runtime::StoreRuntime;
use crate::sql::database::Database;
use crate::sql::secret::page_token_key;
use crate::sql::tls::Connector;

/// How many groups of each kind are under way at once: while the one waits for the disk, the other
/// is filled and sent.
const STARTS_AT_ONCE: usize = 2;
const CHILDREN_AT_ONCE: usize = 2;
const UPDATES_AT_ONCE: usize = 2;
const GETS_AT_ONCE: usize = 2;

/// While notifications work, the store polls less often, by this factor.
const POLLS_SAVED: u32 = 5;

/// A store in a schema of a PostgreSQL database, for any number of processes. It is cheap to clone.
///
/// ```no_run
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// use lro_core::store::{NewOperation, OperationStore};
/// use lro_core::pack;
/// use lro_postgres::PostgresStore;
/// use uuid::Uuid;
///
/// let store = PostgresStore::connect("postgresql://app@localhost/app").await?;
/// let name = "operations/1".parse()?;
/// let operation = NewOperation::new(Uuid::now_v7(), name, "/s.Service/Method", pack(&()));
/// let started = store.start(vec![operation]).await?.remove(0)?;
/// assert_eq!(store.get(&started.record.name).await?, Some(started.record));
/// # Ok(()) }
/// ```
///
/// # Its thread
///
/// A store drives its connections, timers and listener on a thread of its own. Calls make progress
/// from any runtime, even while all threads of another runtime are blocked: a plain thread can renew
/// leases while the application computes.
///
/// # Closing
///
/// When the last clone is dropped, the store finishes the pending calls, and its thread ends.
/// Dropping never blocks, inside or outside of a runtime.
///
/// # Observers
///
/// The store calls observers on its own thread: an observer that blocks delays all calls.
#[derive(Clone)]
pub struct PostgresStore {
    inner: Arc<Inner>,
}

/// The parts of a store.
pub(crate) struct Parts {
    pub(crate) database: Database,
    pub(crate) schema: String,
    pub(crate) listen: Option<(Config, Connector)>,
    /// Whether to prepare statements once the connections are known to be direct.
    pub(crate) may_prepare: bool,
    pub(crate) poll_interval: Duration,
    pub(crate) runtime: StoreRuntime,
}

struct Inner {
    database: Arc<Database>,
    events: Arc<Events>,
    schema: String,
    starts: Arc<Lane<Call<NewOperation, Result<Started, StartError>>>>,
    /// Starts of children, which may wait for the locks of their parents.
    children: Arc<Lane<Call<NewOperation, Result<Started, StartError>>>>,
    updates: Arc<Lane<Call<Update, Result<Updated, Refusal>>>>,
    gets: Arc<Lane<Call<OperationName, Option<OperationRecord>>>>,
    claims: Claims,
    purges: Purges,
    /// Operations that lists leave out.
    list_holes: KnownHoles,
    hints: AbortHandle,
    hears: Arc<AtomicBool>,
    poll_interval: Duration,
    runtime: StoreRuntime,
}

impl PostgresStore {
    /// Connects to the database of this URL with the defaults of [`PostgresStoreBuilder`], and
    /// creates the schema if it does not exist.
    ///
    /// # Errors
    ///
    /// Those of [`PostgresStoreBuilder::open`].
    pub async fn connect(url: impl Into<String>) -> Result<Self, StoreError> {
        Self::builder(url).open().await
    }

    /// A builder for a store in the database of this URL.
    pub fn builder(url: impl Into<String>) -> PostgresStoreBuilder {
        PostgresStoreBuilder::url(url.into())
    }

    /// A builder for a store on an existing pool. To receive notifications from other processes, the
    /// store needs a connection of its own:
    /// [`notifications_url`](PostgresStoreBuilder::notifications_url). Without it, the store polls.
    pub fn builder_with_pool(pool: Pool) -> PostgresStoreBuilder {
        PostgresStoreBuilder::pool(pool)
    }

    /// The schema of the operations.
    pub fn schema(&self) -> &str {
        &self.inner.schema
    }

    /// Whether this process currently receives notifications from others. If not, it polls.
    pub fn is_listening(&self) -> bool {
        self.inner.hears.load(Ordering::Relaxed)
    }

    pub(crate) fn start(parts: Parts) -> Self {
        let runtime = parts.runtime;
        let database = Arc::new(parts.database);
        let events = Arc::new(Events::new(Outbox::new(&parts.schema)));
        let held = Arc::new(Held::default());
        let (starts, children, updates, gets) = (
            Arc::new(Lane::new()),
            Arc::new(Lane::new()),
            Arc::new(Lane::new()),
            Arc::new(Lane::new()),
        );
        let server = Arc::new(Starts {
            database: database.clone(),
            events: events.clone(),
            held: held.clone(),
        });
        for _ in 0..STARTS_AT_ONCE {
            runtime.spawn(keep_serving(starts.clone(), server.clone()));
        }
        for _ in 0..CHILDREN_AT_ONCE {
            runtime.spawn(keep_serving(children.clone(), server.clone()));
        }
        let server = Arc::new(Updates {
            database: database.clone(),
            events: events.clone(),
            held: held.clone(),
        });
        for _ in 0..UPDATES_AT_ONCE {
            runtime.spawn(keep_serving(updates.clone(), server.clone()));
        }
        let server = Arc::new(Gets {
            database: database.clone(),
        });
        for _ in 0..GETS_AT_ONCE {
            runtime.spawn(keep_serving(gets.clone(), server.clone()));
        }
        let hears = Arc::new(AtomicBool::new(false));
        let hints = Hints {
            database: database.clone(),
            events: events.clone(),
            alive: hears.clone(),
            listen: parts.listen,
            may_prepare: parts.may_prepare,
        };
        let inner = Inner {
            claims: Claims::new(database.clone(), events.clone(), held),
            purges: Purges::new(database.clone(), events.clone()),
            list_holes: KnownHoles::default(),
            database,
            events,
            schema: parts.schema,
            starts,
            children,
            updates,
            gets,
            hints: runtime.spawn(hints.run()).abort_handle(),
            hears,
            poll_interval: parts.poll_interval,
            runtime,
        };
        Self {
            inner: Arc::new(inner),
        }
    }
}

impl fmt::Debug for PostgresStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PostgresStore")
            .field("schema", &self.schema())
            .field("database", &self.inner.database)
            .field("is_listening", &self.is_listening())
            .finish_non_exhaustive()
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.hints.abort();
        self.starts.close();
        self.children.close();
        self.updates.close();
        self.gets.close();
    }
}

#[async_trait::async_trait]
impl OperationStore for PostgresStore {
    async fn start(
        &self,
        operations: Vec<NewOperation>,
    ) -> Result<Vec<Result<Started, StartError>>, StoreError> {
        let lane = match operations.iter().all(|it| it.child_of.is_some()) {
            true => &self.inner.children,
            false => &self.inner.starts,
        };
        lane.call(operations).await
    }

    async fn claim(&self, claim: Claim) -> Result<Claimed, StoreError> {
        let inner = self.inner.clone();
        let claimed = async move { inner.claims.claim(&claim).await };
        let claimed = self.inner.runtime.run(claimed).await?;
        claimed.map_err(|fault| fault.to_error())
    }

    async fn update(
        &self,
        updates: Vec<Update>,
    ) -> Result<Vec<Result<Updated, Refusal>>, StoreError> {
        self.inner.updates.call(updates).await
    }

    async fn get(&self, name: &OperationName) -> Result<Option<OperationRecord>, StoreError> {
        let mut found = self.inner.gets.call(vec![name.clone()]).await?;
        Ok(found.pop().flatten())
    }

    async fn get_deleted(
        &self,
        name: &OperationName,
    ) -> Result<Option<OperationRecord>, StoreError> {
        let (database, name) = (self.inner.database.clone(), name.clone());
        let found = async move { get_deleted(&database, &name).await };
        let found = self.inner.runtime.run(found).await?;
        found.map_err(|fault| fault.to_error())
    }

    async fn backlog(&self, now: Timestamp, limit: usize) -> Result<Vec<Backlog>, StoreError> {
        let database = self.inner.database.clone();
        let found = async move { backlog(&database, now, limit).await };
        let found = self.inner.runtime.run(found).await?;
        found.map_err(|fault| fault.to_error())
    }

    async fn steps(&self, query: StepQuery) -> Result<Vec<StepRow>, StoreError> {
        let database = self.inner.database.clone();
        let found = async move { steps(&database, &query).await };
        let found = self.inner.runtime.run(found).await?;
        found.map_err(|fault| fault.to_error())
    }

    fn keeps_steps(&self) -> bool {
        true
    }

    async fn list(&self, query: ListQuery) -> Result<Page, StoreError> {
        let inner = self.inner.clone();
        let page =
            async move { list(&inner.database, &inner.events, &inner.list_holes, &query).await };
        let page = self.inner.runtime.run(page).await?;
        page.map_err(|fault| fault.to_error())
    }

    async fn count(&self, query: CountQuery) -> Result<Counts, StoreError> {
        let inner = self.inner.clone();
        let counts =
            async move { count(&inner.database, &inner.events, &inner.list_holes, &query).await };
        let counts = self.inner.runtime.run(counts).await?;
        counts.map_err(|fault| fault.to_error())
    }

    async fn purge(&self, limit: usize) -> Result<usize, StoreError> {
        let inner = self.inner.clone();
        let purged = async move { inner.purges.purge(limit).await };
        let purged = self.inner.runtime.run(purged).await?;
        purged.map_err(|fault| fault.to_error())
    }

    async fn page_token_key(&self) -> Result<[u8; 32], StoreError> {
        let database = self.inner.database.clone();
        let key = async move { page_token_key(&database).await };
        self.inner.runtime.run(key).await?
    }

    fn observe(&self, observer: Arc<dyn StoreObserver>) {
        self.inner.events.observe(observer);
    }

    fn event_gap(&self) -> Option<Duration> {
        Some(match self.is_listening() {
            true => self.inner.poll_interval.saturating_mul(POLLS_SAVED),
            false => self.inner.poll_interval,
        })
    }
}
