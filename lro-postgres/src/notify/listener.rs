//! Notifications: heard from other nodes, and sent to them, on a connection of their own.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures_util::StreamExt as _;
use lro_core::store::StoreEvent;
use tokio::sync::mpsc;
use tokio::task::AbortHandle;
use tokio::time::{Instant, MissedTickBehavior};
use tokio_postgres::{AsyncMessage, Client, Config};

use crate::error::Fault;
use crate::notify::events::Events;
use crate::notify::outbox::{Hint, read};
use crate::sql::database::{Access, Database, NO_SESSION_LIMITS};
use crate::sql::text::quote;
use crate::sql::tls::{Connector, Messages};

/// The interval at which the listener expects its own echo. Without the echo, it treats the
/// connection as dead.
const PROBE_INTERVAL: Duration = Duration::from_secs(5);

/// How long the first echo may take, before notifications are taken to be lost on their way.
const ECHO_TIMEOUT: Duration = Duration::from_secs(3);

/// How long a new connection may take, its handshakes included.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// The pauses between two attempts to connect.
const RECONNECT_MIN: Duration = Duration::from_millis(100);
const RECONNECT_MAX: Duration = Duration::from_secs(5);

/// Sends and hears notifications, for ever.
pub(crate) struct Hints {
    pub(crate) database: Arc<Database>,
    pub(crate) events: Arc<Events>,
    pub(crate) alive: Arc<AtomicBool>,
    /// How to connect; `None`: notifications are only sent.
    pub(crate) listen: Option<(Config, Connector)>,
    /// Whether to prepare statements after the first echo: a notification that was sent on one
    /// connection and received on another proves that no pooler assigns connections per
    /// transaction.
    pub(crate) may_prepare: bool,
}

/// Why a connection is given up.
enum End {
    Lost(String),
    /// Notifications do not come back: a pooler.
    Deaf,
}

impl Hints {
    pub(crate) async fn run(self) {
        let mut pause = RECONNECT_MIN;
        let mut was_alive = false;
        let (mut told_deaf, mut told_lost) = (false, false);
        loop {
            let end = match &self.listen {
                None => {
                    self.keep_sending(None).await;
                    return;
                }
                Some((config, connector)) => {
                    let connecting = connector.connect(config);
                    match tokio::time::timeout(CONNECT_TIMEOUT, connecting).await {
                        Ok(Ok((client, messages))) => {
                            let end = self.listen(client, messages, was_alive).await;
                            self.events.outbox.presence.end();
                            end
                        }
                        Ok(Err(error)) => End::Lost(Fault::from(error).to_error().to_string()),
                        Err(_) => End::Lost("a connection was not answered".to_owned()),
                    }
                }
            };
            let end = match end {
                End::Deaf if self.database.renewal.is_recent() => {
                    End::Lost("notifications do not arrive after the server has changed".to_owned())
                }
                end => end,
            };
            match end {
                End::Deaf if !told_deaf => {
                    told_deaf = true;
                    if self.may_prepare {
                        self.database.stop_using_sessions();
                    }
                    tracing::warn!(
                        "notifications do not arrive (is there a pooler in transaction mode?): \
                         the store polls for changes of other processes"
                    );
                }
                End::Deaf => {}
                End::Lost(reason) => {
                    if self.alive.swap(false, Ordering::Relaxed) {
                        tracing::warn!(
                            reason,
                            "the connection for notifications is lost: polling until it is back"
                        );
                        pause = RECONNECT_MIN;
                        (was_alive, told_deaf, told_lost) = (true, false, true);
                        // Waiters poll again, and more often from now on.
                        self.events.tell(&[StoreEvent::Missed]);
                    } else if !told_lost {
                        told_lost = true;
                        tracing::warn!(
                            reason,
                            "notifications of other processes cannot be received: polling"
                        );
                    }
                }
            }
            let deaf_pause = RECONNECT_MAX * 12;
            let wait = if told_deaf { deaf_pause } else { pause };
            let wait = wait.mul_f64(0.5 + rand::random::<f64>() / 2.0);
            // Meanwhile other nodes must receive this node's notifications.
            let sending = self.keep_sending(None);
            let _ = tokio::time::timeout(wait, sending).await;
            pause = (pause * 2).min(RECONNECT_MAX);
        }
    }

    /// Sends and hears until the connection is lost.
    async fn listen(&self, client: Client, messages: Messages, was_alive: bool) -> End {
        let opened = Instant::now();
        let (hear, mut heard) = mpsc::unbounded_channel();
        let _driver = Driver(tokio::spawn(drive(messages, hear)).abort_handle());
        let listen = format!("LISTEN {}", quote(self.events.outbox.channel()));
        let listening = tokio::time::timeout(ECHO_TIMEOUT, client.batch_execute(&listen));
        match listening.await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => return End::Lost(Fault::from(error).to_error().to_string()),
            Err(_) => return End::Lost("LISTEN was not answered".to_owned()),
        }
        // Before other nodes learn of this node: their answers count.
        self.events.outbox.presence.begin(Instant::now());
        // Through another connection: behind a pooler, this one might hear itself alone.
        if let Err(fault) = self.send_by_pool(self.events.outbox.probe()).await {
            return End::Lost(fault.to_error().to_string());
        }
        let echo = tokio::time::timeout(ECHO_TIMEOUT, async {
            while let Some(payload) = heard.recv().await {
                if self.hear(&payload) {
                    return true;
                }
            }
            false
        });
        match echo.await {
            Ok(true) => {}
            Ok(false) => return End::Lost("the connection was closed".to_owned()),
            Err(_) => return End::Deaf,
        }
        // The session is known to be this store's own.
        let limits = format!("{listen}; {NO_SESSION_LIMITS}");
        let limits = client.batch_execute(&limits);
        match tokio::time::timeout(ECHO_TIMEOUT, limits).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => return End::Lost(Fault::from(error).to_error().to_string()),
            Err(_) => {
                return End::Lost("setting the limits of the session was not answered".to_owned());
            }
        }
        self.alive.store(true, Ordering::Relaxed);
        if self.may_prepare {
            self.database.use_sessions();
        }
        if was_alive {
            tracing::info!("notifications arrive again");
        }
        // Notifications before LISTEN are lost.
        self.events.tell(&[StoreEvent::Missed]);
        let hearing = self.keep_hearing(&client, &mut heard);
        tokio::select! {
            end = hearing => end,
            () = self.keep_sending(Some(&client)) => End::Lost("sending has failed".to_owned()),
            () = self.outdated(opened) => End::Lost("the server has become read-only".to_owned()),
        }
    }

    /// Waits until connections of this age are out of date. One that is young is left alone for a
    /// while: a server that stays read-only would have it made anew all the time.
    async fn outdated(&self, opened: Instant) {
        self.database.renewal.outdates(opened.into_std()).await;
        tokio::time::sleep_until(opened + RECONNECT_MAX).await;
    }

    async fn keep_hearing(
        &self,
        client: &Client,
        heard: &mut mpsc::UnboundedReceiver<String>,
    ) -> End {
        let mut probes = tokio::time::interval(PROBE_INTERVAL);
        probes.set_missed_tick_behavior(MissedTickBehavior::Delay);
        probes.reset();
        let mut echo = true;
        loop {
            tokio::select! {
                payload = heard.recv() => match payload {
                    Some(payload) => echo |= self.hear(&payload),
                    None => return End::Lost("the connection was closed".to_owned()),
                },
                _ = probes.tick() => {
                    if !echo {
                        return End::Lost("the own notifications are not heard".to_owned());
                    }
                    echo = false;
                    let probe = self.send(client, self.events.outbox.probe());
                    let send = tokio::time::timeout(PROBE_INTERVAL, probe);
                    match send.await {
                        Ok(Ok(())) => {}
                        Ok(Err(fault)) => return End::Lost(fault.to_error().to_string()),
                        Err(_) => return End::Lost("a probe was not answered".to_owned()),
                    }
                }
            }
        }
    }

    /// Hands on what others tell. Whether it was this node that spoke.
    fn hear(&self, payload: &str) -> bool {
        let outbox = &self.events.outbox;
        match read(payload) {
            Some((node, _)) if node == outbox.node => true,
            Some((node, events)) => {
                let greeting = outbox.presence.hear(node, Instant::now());
                outbox.greet(greeting);
                self.events.tell(&events);
                false
            }
            None => false,
        }
    }

    /// Sends pending notifications until the client fails. Those that arrive during a pause are sent
    /// after it, so that the last one is sent too.
    async fn keep_sending(&self, client: Option<&Client>) {
        loop {
            let hint = self.events.outbox.next().await;
            let sent = match client {
                Some(client) => self.send(client, hint).await,
                None => self.send_by_pool(hint).await,
            };
            if let Err(fault) = sent {
                tracing::debug!(
                    ?fault,
                    "a notification was not sent; other processes will learn later that they missed events"
                );
                if client.is_some() {
                    // Whatever is wrong with it: another connection is made.
                    return;
                }
                tokio::time::sleep(RECONNECT_MIN).await;
            }
        }
    }

    async fn send(&self, client: &Client, hint: Hint<'_>) -> Result<(), Fault> {
        let notify = hint.query();
        client.query_typed(notify.sql, &notify.params).await?;
        drop(notify);
        hint.was_sent();
        Ok(())
    }

    async fn send_by_pool(&self, hint: Hint<'_>) -> Result<(), Fault> {
        let queries = [hint.query()];
        let run = self.database.run(Access::Write, &queries);
        self.database.in_time(run).await?;
        drop(queries);
        hint.was_sent();
        Ok(())
    }
}

impl fmt::Debug for Hints {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hints")
            .field("channel", &self.events.outbox.channel())
            .finish_non_exhaustive()
    }
}

/// Ends the task that polls a connection.
struct Driver(AbortHandle);

impl Drop for Driver {
    fn drop(&mut self) {
        self.0.abort();
    }
}

async fn drive(mut messages: Messages, hear: mpsc::UnboundedSender<String>) {
    while let Some(message) = messages.next().await {
        match message {
            Ok(AsyncMessage::Notification(notification)) => {
                if hear.send(notification.payload().to_owned()).is_err() {
                    return;
                }
            }
            Ok(_) => {}
            Err(error) => {
                tracing::debug!(%error, "the connection for notifications has failed");
                return;
            }
        }
    }
}
