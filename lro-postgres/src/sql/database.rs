//! Transactions on pooled connections, in as few round trips as they can be.

mod renewal;
mod transaction;

use std::collections::HashMap;
use std::fmt;
use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::Duration;

use deadpool_postgres::{Client, Pool};
use futures_util::{FutureExt as _, future::BoxFuture};
use lro_core::Clock;
use tokio_postgres::types::{ToSql, Type};
use tokio_postgres::{Row, Statement};

use crate::error::{Fault, Remedy, is_stale_plan};
use crate::sql::statement;

use self::renewal::Renewal;
pub(crate) use self::transaction::Transaction;

/// How often a step is done again when another transaction was in its way.
const CONFLICTS_MAX: u32 = 10;

/// How often a step is repeated on another connection.
const RECONNECTS_MAX: u32 = 3;

/// Statements are prepared once for each connection.
const PREPARES: u8 = 1;

/// The connections are this store's own and direct: session settings stay, and affect no other
/// program.
const DIRECT: u8 = 2;

/// The lock timeout is this fraction of the statement timeout: a call that meets a row locked by an
/// outsider continues with the other rows before their leases expire.
const LOCK_SHARE: u128 = 5;

/// Plans of statements by id and of claims, for a session: made once for each statement, and of nothing
/// but indexes, whatever the statistics say when it is made.
pub(crate) const PLANS: &str = "SET plan_cache_mode = force_generic_plan; SET enable_seqscan = off; \
     SET enable_bitmapscan = off; SET enable_sort = off; SET enable_incremental_sort = off; \
     SET enable_hashjoin = off; SET enable_mergejoin = off";

/// Lifts the limits that only some versions of PostgreSQL have, and that a role may bring along: of
/// connections that are idle, and of whole transactions. For a session that is this store's own.
pub(crate) const NO_SESSION_LIMITS: &str = "SELECT set_config(name, '0', false) FROM pg_settings \
     WHERE name IN ('idle_session_timeout', 'transaction_timeout')";

/// A statement with its parameters. One that is made for its call is never prepared.
#[derive(Clone)]
pub(crate) struct Query<'a> {
    pub(crate) sql: &'a str,
    pub(crate) params: Vec<(&'a (dyn ToSql + Sync), Type)>,
}

type Step<'q> = BoxFuture<'q, Result<Vec<Row>, tokio_postgres::Error>>;

/// The access mode of a transaction.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Access {
    /// Read and write; each statement sees what is committed when it begins.
    Write,
    /// Read one moment.
    Read,
    /// The same for rows in the order of an index: it is used, whatever the statistics say. A
    /// queue that was empty at the last ANALYZE and is long now would be sorted in whole otherwise.
    WriteInOrder,
    /// Read one moment, in the order of an index.
    ReadInOrder,
    /// The same with one statement, whose plan may be kept.
    Look,
}

impl Access {
    fn writes(self) -> bool {
        match self {
            Self::Write | Self::WriteInOrder => true,
            Self::Read | Self::ReadInOrder | Self::Look => false,
        }
    }
}

/// The database as one schema of it.
pub(crate) struct Database {
    pub(crate) pool: Pool,
    pub(crate) clock: Option<Arc<dyn Clock>>,
    pub(crate) renewal: Renewal,
    /// How connections are used: [`PREPARES`] and [`DIRECT`], read once for each transaction.
    mode: AtomicU8,
    schema: String,
    /// The settings of every transaction, and of a session.
    settings: String,
    session: String,
    statements: HashMap<&'static str, String>,
    pub(crate) statement_timeout: Duration,
}

impl Database {
    pub(crate) fn new(
        pool: Pool,
        schema: &str,
        prepares: bool,
        statement_timeout: Duration,
        clock: Option<Arc<dyn Clock>>,
    ) -> Self {
        let millis = statement_timeout.as_millis().clamp(1, 2_000_000_000);
        let lock_millis = (millis / LOCK_SHARE).max(1);
        // Disabled sorts raise the estimated cost so much that PostgreSQL would compile the plan,
        // for a second or so.
        let settings = |set: &str| {
            format!(
                "{set} jit = off; {set} statement_timeout = {millis}; \
                 {set} lock_timeout = {lock_millis}; {set} idle_in_transaction_session_timeout = {millis}"
            )
        };
        Self {
            pool,
            clock,
            renewal: Renewal::new(),
            mode: AtomicU8::new(if prepares { PREPARES } else { 0 }),
            schema: schema.to_owned(),
            // For the transaction, not the session: so it goes through a pooler.
            settings: settings("SET LOCAL"),
            // Whether transactions may write is the operator's to say: it is not set.
            session: format!(
                "{}; {NO_SESSION_LIMITS}; {PLANS}; \
                 SET SESSION CHARACTERISTICS AS TRANSACTION ISOLATION LEVEL READ COMMITTED",
                settings("SET")
            ),
            statements: statement::of_schema(schema),
            statement_timeout,
        }
    }

    /// The queries in a transaction of their own, in one round trip.
    ///
    /// After a switchover, old connections lead to a server that takes no writes and shows the time
    /// before it. Reads accept its rows only if new connections lead there too.
    pub(crate) async fn run(
        &self,
        access: Access,
        queries: &[Query<'_>],
    ) -> Result<Vec<Vec<Row>>, Fault> {
        if access.writes() {
            let transaction = self.transaction(access).await?;
            return transaction.run_and_commit(queries).await;
        }
        let mut answers = self.transaction(access).await?.read(queries).await?;
        // A pooler may keep that many connections to the server before.
        for _ in 0..self.pool.status().max_size {
            if !answers.is_outdated {
                break;
            }
            answers = self.transaction(access).await?.read(queries).await?;
        }
        Ok(answers.rows)
    }

    /// From now on sessions are this store's: statements are prepared, and a lone one is a
    /// transaction by itself.
    pub(crate) fn use_sessions(&self) {
        self.mode.store(PREPARES | DIRECT, Ordering::Relaxed);
    }

    /// From now on everything goes with its transaction. Whether it was otherwise.
    pub(crate) fn stop_using_sessions(&self) -> bool {
        self.mode.swap(0, Ordering::Relaxed) & PREPARES != 0
    }

    /// Waits for a transaction, as long as it may take.
    pub(crate) async fn in_time<T>(
        &self,
        transaction: impl Future<Output = Result<T, Fault>>,
    ) -> Result<T, Fault> {
        let limit = self.statement_timeout.saturating_mul(2);
        let result = tokio::time::timeout(limit, transaction).await;
        result.unwrap_or(Err(Fault::Timeout(limit)))
    }

    /// Counts the attempts of one transaction.
    pub(crate) fn attempts(&self) -> Attempts<'_> {
        Attempts {
            database: self,
            conflicts: 0,
            reconnects: 0,
        }
    }

    /// One of the steps that go out together.
    fn query<'q>(
        &'q self,
        client: &'q Client,
        query: &'q Query<'_>,
        prepared: Option<&'q Statement>,
    ) -> Step<'q> {
        match prepared {
            Some(statement) => {
                let params = query.params.iter().map(|(value, _)| *value);
                let params: Vec<_> = params.collect();
                async move { client.query(statement, &params).await }.boxed()
            }
            None => client
                .query_typed(self.text(query.sql), &query.params)
                .boxed(),
        }
    }

    /// A statement as it is sent.
    fn text<'t>(&'t self, sql: &'t str) -> &'t str {
        self.statements.get(sql).map_or(sql, String::as_str)
    }

    /// A statement that is not one of the constants, with the names of the tables.
    pub(crate) fn made(&self, sql: &str) -> String {
        statement::named(&self.schema, sql)
    }

    fn begin(&self, access: Access, direct: bool) -> String {
        let mode = match access {
            Access::Write | Access::WriteInOrder => "READ COMMITTED",
            // Not READ ONLY: that would hide whether the server takes writes.
            Access::Read | Access::ReadInOrder | Access::Look => "REPEATABLE READ",
        };
        let order = "SET LOCAL enable_seqscan = off; SET LOCAL enable_bitmapscan = off; \
                     SET LOCAL enable_sort = off; SET LOCAL enable_incremental_sort = off";
        let set = match (direct, access) {
            (true, Access::Read | Access::Write | Access::WriteInOrder | Access::Look) => {
                String::new()
            }
            // Lists of all kinds, planned one by one.
            (true, Access::ReadInOrder) => format!(
                "; SET LOCAL plan_cache_mode = auto; SET LOCAL enable_hashjoin = on; \
                 SET LOCAL enable_mergejoin = on; {order}"
            ),
            (false, Access::Read | Access::Write) => format!("; {}", self.settings),
            (false, _) => format!("; {}; {order}", self.settings),
        };
        // A snapshot that is older than the lock does not see a table that was rewritten meanwhile.
        let lock = match access {
            Access::Write | Access::WriteInOrder => String::new(),
            Access::Read | Access::Look => {
                self.made("; LOCK TABLE {operation} IN ACCESS SHARE MODE")
            }
            Access::ReadInOrder => {
                self.made("; LOCK TABLE {operation}, {label} IN ACCESS SHARE MODE")
            }
        };
        format!("BEGIN ISOLATION LEVEL {mode}{set}{lock}")
    }
}

impl fmt::Debug for Database {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Database")
            .field("pool", &self.pool.status())
            .finish_non_exhaustive()
    }
}

/// Counts the attempts of one transaction.
pub(crate) struct Attempts<'d> {
    database: &'d Database,
    conflicts: u32,
    reconnects: u32,
}

impl Attempts<'_> {
    /// Whether to repeat the transaction, after a short pause: another one was in its way, or the
    /// connection was at fault.
    pub(crate) async fn again<T>(&mut self, result: &Result<T, Fault>) -> bool {
        let Err(fault) = result else {
            return false;
        };
        match fault.remedy() {
            Remedy::None => return false,
            Remedy::Reconnect => {
                if self.reconnects >= RECONNECTS_MAX {
                    return false;
                }
                self.reconnects += 1;
                tracing::debug!(?fault, "repeating a transaction on another connection");
                if matches!(fault, Fault::Postgres(error) if is_stale_plan(error))
                    && self.reconnects == RECONNECTS_MAX
                {
                    // A pooler keeps the plans, or the table changes all the time.
                    self.stop_preparing();
                }
            }
            remedy @ (Remedy::Repeat | Remedy::Unprepare) => {
                if self.conflicts >= CONFLICTS_MAX {
                    return false;
                }
                self.conflicts += 1;
                if remedy == Remedy::Unprepare {
                    self.stop_preparing();
                }
            }
        }
        let longest = Duration::from_millis(1 << (self.conflicts + self.reconnects).min(8));
        tokio::time::sleep(longest.mul_f64(rand::random())).await;
        true
    }

    fn stop_preparing(&self) {
        if self.database.stop_using_sessions() {
            tracing::warn!(
                "prepared statements get lost, as they do behind a pooler: none are prepared any \
                 more"
            );
        }
    }
}

/// The statement that reads the clock.
pub(crate) fn clock() -> Query<'static> {
    Query {
        sql: statement::CLOCK,
        params: Vec::new(),
    }
}
