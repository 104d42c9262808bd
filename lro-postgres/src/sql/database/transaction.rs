//! One transaction, on one connection.

use std::sync::atomic::Ordering;

use deadpool_postgres::Object;
use futures_util::future::join_all;
use futures_util::{FutureExt as _, TryFutureExt as _};
use lro_core::Timestamp;
use tokio_postgres::Row;
use tokio_postgres::types::Type;

use super::renewal::is_old;
use super::{Access, DIRECT, Database, PREPARES, Query, Step};
use crate::error::{Fault, is_read_only, is_stale_plan, spares_connection};
use crate::notify::outbox::Hint;
use crate::sql::statement;

impl Database {
    /// Takes a connection for a transaction, which begins with its first statement.
    pub(crate) async fn transaction(&self, access: Access) -> Result<Transaction<'_>, Fault> {
        let client = self.pool.get().await?;
        Ok(Transaction {
            database: self,
            access,
            is_old: is_old(&client),
            client: Some(client),
            mode: self.mode.load(Ordering::Relaxed),
            begun: false,
        })
    }
}

/// A transaction. Dropped before its end, it takes its connection along: that rolls back, whatever
/// was under way.
pub(crate) struct Transaction<'d> {
    database: &'d Database,
    access: Access,
    client: Option<Object>,
    /// Whether the connection may lead to a server that new connections do not lead to.
    is_old: bool,
    /// As it was at the beginning: a connection is not to get one half of each way.
    mode: u8,
    begun: bool,
}

impl Transaction<'_> {
    /// The queries, one after the other, in one round trip.
    pub(crate) async fn run(&mut self, queries: &[Query<'_>]) -> Result<Vec<Vec<Row>>, Fault> {
        self.pipeline(queries, false, None).await
    }

    /// The queries and the COMMIT in one round trip.
    pub(crate) async fn run_and_commit(
        self,
        queries: &[Query<'_>],
    ) -> Result<Vec<Vec<Row>>, Fault> {
        self.run_commit_and_tell(queries, None).await
    }

    /// Returns the rows of read-only queries, and whether they may be outdated: the server accepts
    /// no writes, and new connections may lead to another server. In that case, all old connections
    /// are closed.
    pub(crate) async fn read(mut self, queries: &[Query<'_>]) -> Result<Answers, Fault> {
        let is_told = matches!(queries, [query] if statement::tells_read_only(query.sql));
        let mut rows;
        let told;
        if is_told {
            rows = self.pipeline(queries, true, None).await?;
            told = None;
        } else {
            let mut queries = queries.to_vec();
            queries.push(Query {
                sql: statement::READ_ONLY,
                params: Vec::new(),
            });
            rows = self.pipeline(&queries, true, None).await?;
            told = rows.pop();
        }
        let row = told.as_ref().or(rows.first()).and_then(|rows| rows.first());
        let row = row.ok_or_else(|| Fault::row("a read does not tell whether writes are taken"))?;
        let is_read_only: bool = row.try_get(row.len() - 1)?;
        if is_read_only {
            self.is_old |= self.client.as_ref().is_some_and(|client| {
                // Meanwhile, the server has changed, or another one takes the writes.
                self.database.renewal.saw_writable_since(client)
            });
        } else {
            self.database.renewal.saw_writable();
        }
        let is_outdated = is_read_only && self.renew_like_this().await;
        if !is_outdated {
            self.give_back();
        }
        Ok(Answers { rows, is_outdated })
    }

    /// The same, followed directly by the notification for other processes.
    pub(crate) async fn run_commit_and_tell(
        mut self,
        queries: &[Query<'_>],
        hint: Option<Hint<'_>>,
    ) -> Result<Vec<Vec<Row>>, Fault> {
        let rows = self.pipeline(queries, true, hint).await?;
        if self.access.writes() {
            self.database.renewal.saw_writable();
        }
        self.give_back();
        Ok(rows)
    }

    /// Whether a notification may follow directly, on the same connection.
    pub(crate) fn may_tell(&self) -> bool {
        self.mode & DIRECT != 0
    }

    /// The clock that decides, read now: after the locks were taken.
    pub(crate) fn time(&self, rows: &[Row]) -> Result<Timestamp, Fault> {
        if let Some(clock) = &self.database.clock {
            return Ok(clock.now());
        }
        let micros = rows.first().and_then(|row| row.try_get(0).ok());
        let micros = micros.ok_or_else(|| Fault::row("the database has told no time"))?;
        Ok(Timestamp::from_micros(micros))
    }

    async fn pipeline(
        &mut self,
        queries: &[Query<'_>],
        commit: bool,
        hint: Option<Hint<'_>>,
    ) -> Result<Vec<Vec<Row>>, Fault> {
        if self.client.is_none() {
            return Err(Fault::row("a transaction was used after its end"));
        }
        match self.send(queries, commit, hint).await {
            Ok(rows) => Ok(rows),
            Err(failure) => Err(self.fail(failure).await),
        }
    }

    async fn send(
        &mut self,
        queries: &[Query<'_>],
        commit: bool,
        hint: Option<Hint<'_>>,
    ) -> Result<Vec<Vec<Row>>, Failure> {
        let Some(client) = &self.client else {
            return Ok(Vec::new());
        };
        let direct = self.mode & DIRECT != 0;
        // A statement of its own is a transaction of its own, and the one message that it takes.
        let lone = direct
            && !self.begun
            && commit
            && queries.len() == 1
            && matches!(self.access, Access::Read | Access::Write | Access::Look);
        let begin = (!self.begun && !lone).then(|| self.database.begin(self.access, direct));
        // From here on the connection is not as it was: one that falls silent while a statement is
        // prepared is not to go back either.
        self.begun = true;
        // Each of them prepares something as soon as it is used.
        if direct && client.statement_cache.size() == 0 {
            client.batch_execute(&self.database.session).await?;
        }
        let notify = hint.as_ref().map(Hint::query);
        let mut prepared = Vec::new();
        if self.mode & PREPARES != 0 {
            for query in queries.iter().chain(&notify) {
                let Some(text) = self.database.statements.get(query.sql) else {
                    prepared.push(None);
                    continue;
                };
                let types: Vec<Type> = query.params.iter().map(|(_, of)| of.clone()).collect();
                prepared.push(Some(client.prepare_typed_cached(text, &types).await?));
            }
        }
        // Each sends when it is first polled, so they go out in this order, and together.
        let simple = |text| client.batch_execute(text).map_ok(|()| Vec::new()).boxed();
        let step = |(at, query): (usize, _)| {
            let prepared = prepared.get(at).and_then(Option::as_ref);
            self.database.query(client, query, prepared)
        };
        let mut steps: Vec<Step<'_>> = begin.iter().map(|begin| simple(begin.as_str())).collect();
        let first = steps.len();
        steps.extend(queries.iter().enumerate().map(step));
        if commit && !lone {
            steps.push(simple("COMMIT"));
        }
        let last = steps.len().saturating_sub(1);
        steps.extend(notify.iter().map(|notify| step((queries.len(), notify))));
        let mut results = join_all(steps).await;
        drop(notify);
        if let Some(hint) = hint
            && results.pop().is_some_and(|result| result.is_ok())
        {
            hint.was_sent();
        }
        let mut answers = Vec::with_capacity(queries.len());
        for (at, answer) in results.into_iter().enumerate() {
            match answer {
                Ok(rows) if at >= first => answers.push(rows),
                Ok(_) => {}
                Err(error) => {
                    // An error before the COMMIT means that nothing was committed.
                    let writes = matches!(self.access, Access::Write | Access::WriteInOrder);
                    let refused = error.as_db_error().is_some() && (lone || at < last);
                    return Err(Failure {
                        error,
                        is_answered: true,
                        is_ended: commit,
                        in_doubt: commit && writes && !refused,
                    });
                }
            }
        }
        answers.truncate(queries.len());
        Ok(answers)
    }

    /// Decides what becomes of the connection, and of those that are like it.
    async fn fail(&mut self, failure: Failure) -> Fault {
        let Failure {
            error,
            is_answered,
            is_ended,
            in_doubt,
        } = failure;
        let database = self.database;
        let Some(client) = &self.client else {
            return Fault::Postgres(error);
        };
        // A connection that is kept here is closed with the transaction.
        if is_read_only(&error) {
            let renewed = self.renew_like_this().await;
            return Fault::ReadOnly { error, renewed };
        }
        if is_stale_plan(&error) {
            database.renewal.renew(&database.pool);
        } else if is_answered && spares_connection(&error) {
            // Until that is answered, the connection goes with the transaction.
            if is_ended || client.batch_execute("ROLLBACK").await.is_ok() {
                self.give_back();
            }
        }
        if in_doubt {
            Fault::Commit(error)
        } else {
            Fault::Postgres(error)
        }
    }

    /// Closes the connections that lead where this one does, if new ones may lead elsewhere. Whether
    /// they may. The caller closes this one with its transaction.
    async fn renew_like_this(&self) -> bool {
        let (database, is_direct) = (self.database, self.mode & DIRECT != 0);
        if self.is_old {
            database.renewal.renew(&database.pool);
        }
        let most = database.pool.status().max_size;
        if is_direct || !database.renewal.may_break_pooler(most) {
            return self.is_old;
        }
        // A pooler keeps its own connection to the server, unless a client leaves it within a
        // transaction. Whether this is answered does not matter.
        let begun = match &self.client {
            Some(client) => client.batch_execute("BEGIN").await.is_ok(),
            None => false,
        };
        self.is_old || begun
    }

    /// Gives the connection back to the pool, unless it is out of date.
    fn give_back(&mut self) {
        if let Some(client) = self.client.take()
            && self.database.renewal.is_outdated(&client)
        {
            drop(Object::take(client));
        }
    }
}

/// The rows of each query of a read, in order.
pub(crate) struct Answers {
    pub(crate) rows: Vec<Vec<Row>>,
    pub(crate) is_outdated: bool,
}

/// A step that has failed.
struct Failure {
    error: tokio_postgres::Error,
    /// Whether all statements of the step were answered.
    is_answered: bool,
    /// Whether the transaction was to end with the step.
    is_ended: bool,
    /// Whether it may have been committed.
    in_doubt: bool,
}

impl From<tokio_postgres::Error> for Failure {
    /// One that keeps the others from being sent.
    fn from(error: tokio_postgres::Error) -> Self {
        Self {
            error,
            is_answered: false,
            is_ended: false,
            in_doubt: false,
        }
    }
}

impl Drop for Transaction<'_> {
    fn drop(&mut self) {
        if let Some(client) = self.client.take().filter(|_| self.begun) {
            drop(Object::take(client));
        }
    }
}
