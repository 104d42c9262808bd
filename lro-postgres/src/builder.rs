use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use deadpool_postgres::{Pool, Runtime};
use lro_core::Clock;
use lro_core::store::{StoreError, StoreErrorKind};
use tokio_postgres::Config;

use crate::runtime::StoreRuntime;
use crate::sql::database::Database;
use crate::sql::schema;
use crate::sql::tls::Connector;
use crate::store::{Parts, PostgresStore};

/// Configures and opens a [`PostgresStore`].
///
/// ```no_run
/// # async fn example() -> Result<(), lro_core::store::StoreError> {
/// use std::time::Duration;
/// use lro_postgres::PostgresStore;
///
/// let store = PostgresStore::builder("postgresql://app@db/app?sslmode=require")
///     .schema("archiver")
///     .pool_size(16)
///     .statement_timeout(Duration::from_secs(5))
///     .open()
///     .await?;
/// # Ok(()) }
/// ```
///
/// # Several servers
///
/// The URL may name several servers: `postgresql://app@db1,db2/app?target_session_attrs=read-write`. New
/// connections then go to the first server that accepts writes, also after a switchover.
///
/// # TLS
///
/// With `sslmode=require` in the URL, the store encrypts connections and verifies the server's
/// certificate, with the system's roots or as [`tls`](Self::tls) configures. With `prefer`, the
/// default of URLs, and with `disable` it does not.
#[derive(Clone)]
#[must_use = "nothing is connected before `open`"]
pub struct PostgresStoreBuilder {
    target: Target,
    schema: String,
    pool_size: usize,
    statement_timeout: Duration,
    connect_timeout: Duration,
    open_timeout: Duration,
    application_name: Option<String>,
    notifications: bool,
    notifications_url: Option<String>,
    prepared_statements: Option<bool>,
    poll_interval: Duration,
    clock: Option<Arc<dyn Clock>>,
    #[cfg(feature = "tls")]
    tls: Option<rustls::ClientConfig>,
}

#[derive(Clone)]
enum Target {
    Url(String),
    Pool(Pool),
}

impl PostgresStoreBuilder {
    /// The default of [`schema`](Self::schema).
    pub const DEFAULT_SCHEMA: &str = "lro";
    /// The default of [`pool_size`](Self::pool_size).
    pub const DEFAULT_POOL_SIZE: usize = 8;
    /// The default of [`statement_timeout`](Self::statement_timeout).
    pub const DEFAULT_STATEMENT_TIMEOUT: Duration = Duration::from_secs(10);
    /// The default of [`connect_timeout`](Self::connect_timeout).
    pub const DEFAULT_CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
    /// The default of [`open_timeout`](Self::open_timeout).
    pub const DEFAULT_OPEN_TIMEOUT: Duration = Duration::from_secs(15);
    /// The default of [`poll_interval`](Self::poll_interval).
    pub const DEFAULT_POLL_INTERVAL: Duration = Duration::from_secs(1);

    pub(crate) fn url(url: String) -> Self {
        Self::new(Target::Url(url))
    }

    pub(crate) fn pool(pool: Pool) -> Self {
        Self::new(Target::Pool(pool))
    }

    fn new(target: Target) -> Self {
        Self {
            target,
            schema: Self::DEFAULT_SCHEMA.to_owned(),
            pool_size: Self::DEFAULT_POOL_SIZE,
            statement_timeout: Self::DEFAULT_STATEMENT_TIMEOUT,
            connect_timeout: Self::DEFAULT_CONNECT_TIMEOUT,
            open_timeout: Self::DEFAULT_OPEN_TIMEOUT,
            application_name: None,
            notifications: true,
            notifications_url: None,
            prepared_statements: None,
            poll_interval: Self::DEFAULT_POLL_INTERVAL,
            clock: None,
            #[cfg(feature = "tls")]
            tls: None,
        }
    }

    /// The schema of the database for the operations, which the store creates if it does not exist.
    /// Stores in different schemas are independent. Default: [`DEFAULT_SCHEMA`](Self::DEFAULT_SCHEMA).
    pub fn schema(mut self, schema: impl Into<String>) -> Self {
        self.schema = schema.into();
        self
    }

    /// The maximum number of connections, without the one for notifications; at least 2. Calls share
    /// connections in groups, so more than the default seldom help. Ignored for a pool of your own.
    /// Default: [`DEFAULT_POOL_SIZE`](Self::DEFAULT_POOL_SIZE).
    pub fn pool_size(mut self, connections: usize) -> Self {
        self.pool_size = connections.max(2);
        self
    }

    /// The maximum duration of a statement. A statement waits for a lock for at most a fifth of it, and a
    /// transaction takes at most twice as long. A call also waits for the groups before it, and may take
    /// more than one transaction. Must be much shorter than the leases. Default:
    /// [`DEFAULT_STATEMENT_TIMEOUT`](Self::DEFAULT_STATEMENT_TIMEOUT).
    pub fn statement_timeout(mut self, timeout: Duration) -> Self {
        self.statement_timeout = timeout;
        self
    }

    /// How long connecting, or waiting for a connection of the pool, may take. Default:
    /// [`DEFAULT_CONNECT_TIMEOUT`](Self::DEFAULT_CONNECT_TIMEOUT).
    pub fn connect_timeout(mut self, timeout: Duration) -> Self {
        self.connect_timeout = timeout;
        self
    }

    /// How long the server may leave a query unanswered while the store is opened: when it connects,
    /// reads the version of the schema, or migrates. A migration of a large table may take longer, as
    /// long as the server answers other queries meanwhile. Default:
    /// [`DEFAULT_OPEN_TIMEOUT`](Self::DEFAULT_OPEN_TIMEOUT).
    pub fn open_timeout(mut self, timeout: Duration) -> Self {
        self.open_timeout = timeout;
        self
    }

    /// The name of this process in `pg_stat_activity`. Default: the name in the URL, or `lro`.
    pub fn application_name(mut self, name: impl Into<String>) -> Self {
        self.application_name = Some(name.into());
        self
    }

    /// Whether to receive notifications from other processes by LISTEN, on one more connection.
    /// Default: yes. The store detects and logs when notifications do not arrive, for example
    /// behind a pooler.
    pub fn notifications(mut self, listen: bool) -> Self {
        self.notifications = listen;
        self
    }

    /// The URL for the LISTEN connection, which must lead to the server itself: for a pool of your
    /// own, or if the main URL leads to a pooler. Default: the main URL; none for a pool of your own.
    pub fn notifications_url(mut self, url: impl Into<String>) -> Self {
        self.notifications_url = Some(url.into());
        self
    }

    /// Whether to prepare statements once for each connection, which is faster. Do not enable it
    /// behind a pooler in transaction mode, because most poolers mix up the statements of different
    /// processes. Default: enabled once the store has received its own notification, which proves
    /// that there is no pooler; disabled for a pool of your own, with a
    /// [`notifications_url`](Self::notifications_url), or without
    /// [`notifications`](Self::notifications).
    pub fn prepared_statements(mut self, prepare: bool) -> Self {
        self.prepared_statements = Some(prepare);
        self
    }

    /// How often the store polls for changes of other processes while notifications do not work; five
    /// times less often while they do. Default:
    /// [`DEFAULT_POLL_INTERVAL`](Self::DEFAULT_POLL_INTERVAL).
    pub fn poll_interval(mut self, interval: Duration) -> Self {
        self.poll_interval = interval;
        self
    }

    /// The clock that decides when operations are ready and leases expire. For tests only:
    /// processes with different clocks do not agree on leases. Default: the database's clock.
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = Some(clock);
        self
    }

    /// The TLS configuration: how to verify the server, and the client's certificate. Connections
    /// for which TLS is optional then use it.
    #[cfg(feature = "tls")]
    #[cfg_attr(docsrs, doc(cfg(feature = "tls")))]
    pub fn tls(mut self, config: rustls::ClientConfig) -> Self {
        self.tls = Some(config);
        self
    }

    /// Connects, and migrates the schema to the newest version. Several processes may do so
    /// concurrently.
    ///
    /// # Errors
    ///
    /// * [`Unusable`]: the URL is invalid, the server rejects the user or the database, the user
    ///   may not create the schema, the schema has a newer version, or the database's encoding is
    ///   not UTF8;
    /// * [`Unavailable`]: the server cannot be reached, or does not answer in time; later it may work.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, each migration is either complete or not applied.
    ///
    /// [`Unusable`]: lro_core::store::StoreErrorKind::Unusable
    /// [`Unavailable`]: lro_core::store::StoreErrorKind::Unavailable
    pub async fn open(self) -> Result<PostgresStore, StoreError> {
        schema::check_name(&self.schema)?;
        let runtime = StoreRuntime::start()?;
        let opening = self.open_on(runtime.clone());
        runtime.run(opening).await?
    }

    /// Opens the store by the thread that is to drive it: a connection belongs to the runtime that
    /// has made it.
    async fn open_on(self, runtime: StoreRuntime) -> Result<PostgresStore, StoreError> {
        let (pool, own) = match &self.target {
            Target::Url(url) => {
                let config = self.config(url)?;
                let connector = self.connector(&config)?;
                let pool = Pool::builder(connector.manager(config.clone()))
                    .max_size(self.pool_size)
                    .runtime(Runtime::Tokio1)
                    .wait_timeout(Some(self.connect_timeout))
                    .create_timeout(Some(self.connect_timeout))
                    .recycle_timeout(Some(self.connect_timeout))
                    .build()
                    .map_err(|error| {
                        let message = "the pool cannot be made";
                        StoreError::new(StoreErrorKind::Unusable, message).with_source(error)
                    })?;
                (pool, Some((config, connector)))
            }
            Target::Pool(pool) => {
                // Another runtime drives those that the pool has opened so far.
                pool.retain(|_, _| false);
                (pool.clone(), None)
            }
        };
        let is_own_pool = own.is_some();
        let listen = match &self.notifications_url {
            Some(url) => {
                let config = self.config(url)?;
                let connector = self.connector(&config)?;
                Some((config, connector))
            }
            None => own,
        };
        schema::migrate(&pool, &self.schema, self.open_timeout).await?;
        // A notification sent through a pooler and received on a direct connection proves nothing
        // about the pooler.
        let is_direct = is_own_pool && self.notifications_url.is_none();
        let database = Database::new(
            pool,
            &self.schema,
            self.prepared_statements.unwrap_or(false),
            self.statement_timeout,
            self.clock,
        );
        Ok(PostgresStore::start(Parts {
            database,
            schema: self.schema,
            listen: listen.filter(|_| self.notifications),
            may_prepare: is_direct && self.prepared_statements.is_none(),
            poll_interval: self.poll_interval,
            runtime,
        }))
    }

    fn config(&self, url: &str) -> Result<Config, StoreError> {
        let mut config: Config = url.parse().map_err(|error| {
            // Without the URL, which may hold a password.
            let message = "the URL of the database cannot be read";
            StoreError::new(StoreErrorKind::Unusable, message).with_source(error)
        })?;
        match (&self.application_name, config.get_application_name()) {
            (Some(name), _) => {
                config.application_name(name);
            }
            (None, None) => {
                config.application_name("lro");
            }
            (None, Some(_)) => {}
        }
        if config.get_connect_timeout().is_none() {
            config.connect_timeout(self.connect_timeout);
        }
        // Keepalives detect a lost peer on an idle connection.
        config.keepalives_idle(Duration::from_secs(30));
        config.keepalives_interval(Duration::from_secs(10));
        config.tcp_user_timeout(self.statement_timeout.saturating_mul(2));
        Ok(config)
    }

    #[cfg(feature = "tls")]
    fn connector(&self, config: &Config) -> Result<Connector, StoreError> {
        Connector::new(config, self.tls.clone())
    }

    #[cfg(not(feature = "tls"))]
    #[expect(clippy::unused_self, reason = "with TLS it has a configuration")]
    fn connector(&self, config: &Config) -> Result<Connector, StoreError> {
        Connector::new(config)
    }
}

// Without the URL, which may hold a password.
impl fmt::Debug for PostgresStoreBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PostgresStoreBuilder")
            .field("schema", &self.schema)
            .field("pool_size", &self.pool_size)
            .finish_non_exhaustive()
    }
}
