//! Threads from their start to their end.

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};

use lro_core::store::{StoreError, StoreErrorKind};
use rusqlite::Connection;
use tokio::sync::oneshot;

use crate::builder::SqliteStoreBuilder;
use crate::call::Call;
use crate::connection::{open_reader, open_writer};
use crate::corrupt::Corrupt;
use crate::error::Fault;
use crate::hot::{Hot, Written};
use crate::ownership::{Ownership, canonical_path};
use crate::queue::{Queue, stopped};
use crate::reader::{self, Read};
use crate::recovery::recover;
use crate::room::Room;
use crate::writer::{Observers, Writer};

/// How many threads read at most.
const READERS_MAX: usize = 4;

/// The threads behind all clones of a store, and the ways to them.
pub(crate) struct Threads {
    pub(crate) path: PathBuf,
    pub(crate) calls: Arc<Queue<Call>>,
    pub(crate) reads: Arc<Queue<Read>>,
    pub(crate) observers: Observers,
    pub(crate) commits: Arc<AtomicU64>,
    pub(crate) hot: Arc<Hot>,
    pub(crate) accepts_starts: Arc<AtomicBool>,
    /// `None` until the store is open.
    pub(crate) ownership: Option<Arc<Ownership>>,
    writer: Option<JoinHandle<()>>,
    readers: Vec<JoinHandle<()>>,
    is_open: bool,
}

/// The message of the writer's thread when the store is open.
struct Opened {
    path: PathBuf,
    readers: Vec<Connection>,
    ownership: Arc<Ownership>,
}

impl Default for Threads {
    fn default() -> Self {
        Self {
            path: PathBuf::new(),
            calls: Arc::new(Queue::new()),
            reads: Arc::new(Queue::new()),
            observers: Arc::new(Mutex::default()),
            commits: Arc::default(),
            hot: Arc::default(),
            accepts_starts: Arc::default(),
            ownership: None,
            writer: None,
            readers: Vec::new(),
            is_open: false,
        }
    }
}

impl Threads {
    pub(crate) async fn start(options: SqliteStoreBuilder) -> Result<Self, StoreError> {
        let mut threads = Self::default();
        let (opened, ready) = oneshot::channel();
        threads.spawn_writer(options, opened)?;
        // Dropped here, `threads` closes the queue, and the writer ends without being waited for.
        let opened = ready.await.map_err(|_| stopped())??;
        threads.path = opened.path;
        threads.ownership = Some(opened.ownership.clone());
        for connection in opened.readers {
            threads.spawn_reader(connection, opened.ownership.clone())?;
        }
        threads.is_open = true;
        Ok(threads)
    }

    fn spawn_writer(
        &mut self,
        options: SqliteStoreBuilder,
        opened: oneshot::Sender<Result<Opened, StoreError>>,
    ) -> Result<(), StoreError> {
        let queue = Arc::clone(&self.calls);
        let observers = Arc::clone(&self.observers);
        let commits = Arc::clone(&self.commits);
        let hot = Arc::clone(&self.hot);
        let accepts_starts = Arc::clone(&self.accepts_starts);
        let run = move || {
            let _abandoned = AbandonOnPanic(&queue);
            match open(&options, observers, commits, hot, accepts_starts) {
                Ok((writer, ready)) => {
                    // Without a receiver the queue is closed, and `run` returns at once.
                    let _ = opened.send(Ok(ready));
                    writer.run(&queue);
                }
                Err(error) => drop(opened.send(Err(error))),
            }
        };
        self.writer = Some(spawn("lro-sqlite-writer", run)?);
        Ok(())
    }

    fn spawn_reader(
        &mut self,
        connection: Connection,
        ownership: Arc<Ownership>,
    ) -> Result<(), StoreError> {
        let queue = Arc::clone(&self.reads);
        let path = self.path.clone();
        let observers = Arc::clone(&self.observers);
        let run = move || {
            let _abandoned = AbandonOnPanic(&queue);
            reader::run(&connection, &path, &ownership, &queue, &observers);
        };
        self.readers.push(spawn("lro-sqlite-reader", run)?);
        Ok(())
    }
}

impl Drop for Threads {
    fn drop(&mut self) {
        self.reads.close();
        // Readers first: the last connection to close writes the log back, which readers cannot.
        self.readers.drain(..).for_each(join);
        self.calls.close();
        if let Some(writer) = self.writer.take().filter(|_| self.is_open) {
            join(writer);
        }
    }
}

/// Takes the lock, opens the connections and recovers.
fn open(
    options: &SqliteStoreBuilder,
    observers: Observers,
    commits: Arc<AtomicU64>,
    hot: Arc<Hot>,
    accepts_starts: Arc<AtomicBool>,
) -> Result<(Writer, Opened), StoreError> {
    let path = canonical_path(&options.path)?;
    let ownership = Arc::new(Ownership::acquire(&path)?);
    let mut room = Room::open(&path, options.reserve_size, accepts_starts);
    // A full disk must not keep the store from being opened: what makes room needs an open store.
    let (connection, schedule) = loop {
        let opened = open_writer(options, &path).and_then(|connection| {
            let schedule = recover(&connection, &*options.clock);
            let schedule = schedule.map_err(|fault| fault.to_error(&path))?;
            Ok((connection, schedule))
        });
        match opened {
            Ok(opened) => break opened,
            Err(error) if error.kind() == StoreErrorKind::Full && room.give_up_unopened() => {}
            Err(error) => return Err(error),
        }
    };
    let fault = |fault: Fault| fault.to_error(&path);
    if let Some(bytes) = options.max_size {
        let limited = room.limit_size(&connection, bytes);
        limited.map_err(|error| fault(error.into()))?;
    }
    let readers = thread::available_parallelism().map_or(1, usize::from);
    let readers = (0..readers.min(READERS_MAX))
        .map(|_| open_reader(&path))
        .collect::<Result<_, _>>()
        .map_err(fault)?;
    ownership.watch();
    let opened = Opened {
        path: path.clone(),
        readers,
        ownership: ownership.clone(),
    };
    let writer = Writer {
        connection,
        schedule,
        hot,
        written: Written::default(),
        others: 0,
        clock: Arc::clone(&options.clock),
        path,
        observers,
        commits,
        room,
        is_rescued: false,
        corrupt_left: 0,
        corrupt: Corrupt::default(),
        ownership,
    };
    Ok((writer, opened))
}

/// A thread that ends in a panic must not leave its callers waiting.
struct AbandonOnPanic<'q, T>(&'q Queue<T>);

impl<T> Drop for AbandonOnPanic<'_, T> {
    fn drop(&mut self) {
        if thread::panicking() {
            self.0.abandon();
        }
    }
}

fn spawn(name: &str, run: impl FnOnce() + Send + 'static) -> Result<JoinHandle<()>, StoreError> {
    let spawned = thread::Builder::new().name(name.to_owned()).spawn(run);
    spawned.map_err(|error| {
        let message = format!("cannot start the thread `{name}`: {error}");
        StoreError::new(StoreErrorKind::Unavailable, message).with_source(error)
    })
}

fn join(thread: JoinHandle<()>) {
    // An observer may hold the last handle: its thread cannot wait for itself.
    if thread.thread().id() != thread::current().id() {
        // It panicked: that was reported when it happened.
        let _ = thread.join();
    }
}
