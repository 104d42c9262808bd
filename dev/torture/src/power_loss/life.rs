//! One life of a store: it is opened on what an earlier one left, has its load, and is closed or
//! dies.

use std::path::Path;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};
use std::time::Duration;

use anyhow::{Context as _, ensure};
use lro_core::store::{OperationStore, StoreError};
use lro_core::{Clock as _, Timestamp};
use lro_sqlite::{Durability, SqliteStore};
use rusqlite::Connection;

use super::calls::{Caller, empty_claim};
use super::disk::{Disk, Event, Image};
use super::gate::GateClock;
use super::model::{Answer, Call, Model};
use super::rows::Rows;
use super::vfs::Mount;
use super::{DATABASE, Planted};
use crate::random::Random;

/// The remains of a life, for the examination.
#[derive(Debug)]
pub(crate) struct Life {
    /// The requests to the disk, and the moments of answers.
    pub(crate) events: Vec<Event>,
    /// The expected table after each group; `None` before there was one.
    pub(crate) states: Vec<(Option<Rows>, Model)>,
    /// How many elements of calls were answered.
    pub(crate) answers: u64,
    /// When it ended.
    pub(crate) end: Timestamp,
}

/// Lives one life on that image, in a folder that exists for the lock's file only.
pub(crate) fn live(
    folder: &Path,
    image: &Image,
    (begin, mut model): (Option<Rows>, Model),
    now: Timestamp,
    random: &mut Random,
    planted: Planted,
) -> anyhow::Result<Life> {
    let disk = Arc::new(Disk::holding(image.clone()));
    let folder = folder.to_str().context("a folder whose name is text")?;
    let _mount = Mount::new(folder, disk.clone());
    disk.record();
    let clock = Arc::new(GateClock::at(now));
    let mut states = vec![(begin, model.clone())];

    // Group 1 is the schema, group 2 what is taken back of an earlier life.
    states.push((Some(model.rows()), model.clone()));
    model.recover(clock.time());
    states.push((Some(model.rows()), model.clone()));
    disk.mark(Event::Submitted(2));
    let durability = match planted {
        Planted::Normal => Durability::Normal,
        _ => Durability::Full,
    };
    let path = format!("{folder}/{DATABASE}");
    let builder = SqliteStore::builder(&path)
        .clock(clock.clone())
        .durability(durability);
    let mut opening = Caution::new(&disk, 2, builder.open());
    opening.poll();
    let store = opening.wait().context("the store does not open")?;

    let bulky = random.below(400) == 0;
    let groups = match bulky {
        true => 60,
        false => 4 + random.below(14),
    };
    let mut caller = Caller::new(Random::new(random.bits()), bulky);
    let mut load = Load {
        disk: &disk,
        store: &store,
        clock: &clock,
        model,
        states,
        answers: 0,
        early: planted == Planted::EarlyAnswers,
    };
    for _ in 0..groups {
        load.group(&mut caller)?;
        if random.percent(20) {
            write_log_back(&path, random)?;
        }
        clock.advance(Duration::from_millis(random.below(20_000)));
    }
    let Load {
        states, answers, ..
    } = load;
    // Closed in order, or dead in the middle of it all.
    let events = match random.percent(50) {
        true => {
            drop(store);
            disk.stop_recording()
        }
        false => disk.stop_recording(),
    };
    Ok(Life {
        events,
        states,
        answers,
        end: clock.now(),
    })
}

/// Checkpoints, as the idle writer does them, and others.
fn write_log_back(path: &str, random: &mut Random) -> anyhow::Result<()> {
    let connection = Connection::open(path)?;
    let mode = ["PASSIVE", "FULL", "RESTART", "TRUNCATE"][random.index(4)];
    let sql = format!("PRAGMA wal_checkpoint({mode})");
    connection.query_row(&sql, (), |_| Ok(()))?;
    Ok(())
}

struct Load<'l> {
    disk: &'l Arc<Disk>,
    store: &'l SqliteStore,
    clock: &'l GateClock,
    model: Model,
    states: Vec<(Option<Rows>, Model)>,
    answers: u64,
    /// Planted: calls count as answered before they are committed.
    early: bool,
}

impl Load<'_> {
    /// Queues calls while the writer is held up, and lets it go.
    fn group(&mut self, caller: &mut Caller) -> anyhow::Result<()> {
        let now = self.clock.time();
        let plug = empty_claim();
        self.clock.arm();
        let group = self.expect(std::slice::from_ref(&plug), now);
        let mut plugging = self.submit(group.number, &plug);
        plugging.poll();
        self.clock.held();

        let calls = caller.group(&self.model, now);
        let expected = self.expect(&calls, now);
        let number = expected.number;
        let mut running: Vec<_> = calls.iter().map(|call| self.submit(number, call)).collect();
        for call in &mut running {
            call.poll();
        }
        self.clock.release();
        let plugged = plugging.wait()?;
        ensure!(
            group.answers == [plugged],
            "an empty claim was answered wrongly"
        );
        for ((call, expected), running) in calls.iter().zip(expected.answers).zip(running) {
            let answer = running.wait()?;
            ensure!(
                answer == expected,
                "{call:?} was answered {answer:?} instead of {expected:?}"
            );
            self.answers += call.weight();
        }
        Ok(())
    }

    fn expect(&mut self, calls: &[Call], now: Timestamp) -> Expected {
        let answers = calls.iter().map(|call| self.model.apply(call, now));
        let answers = answers.collect();
        let number = self.states.len();
        self.states
            .push((Some(self.model.rows()), self.model.clone()));
        self.disk.mark(Event::Submitted(number));
        if self.early {
            self.disk.mark(Event::Answered(number));
        }
        Expected { number, answers }
    }

    fn submit(
        &self,
        group: usize,
        call: &Call,
    ) -> Caution<impl Future<Output = Result<Answer, StoreError>> + use<>> {
        Caution::new(self.disk, group, make(self.store.clone(), call.clone()))
    }
}

struct Expected {
    number: usize,
    answers: Vec<Answer>,
}

async fn make(store: SqliteStore, call: Call) -> Result<Answer, StoreError> {
    Ok(match call {
        Call::Start(operations) => Answer::Start(store.start(operations).await?),
        Call::Claim(claim) => Answer::Claim(store.claim(claim).await?.operations),
        Call::Update(updates) => Answer::Update(store.update(updates).await?),
        Call::Purge(limit) => Answer::Purge(store.purge(limit).await?),
    })
}

/// A call whose answer is noted among the disk's events at the moment in which the store gives it,
/// on the store's own thread: nothing it does afterwards comes before the note.
struct Caution<F: Future> {
    call: std::pin::Pin<Box<F>>,
    note: Arc<Note>,
    output: Option<F::Output>,
}

struct Note {
    disk: Arc<Disk>,
    group: usize,
    answered: AtomicBool,
    caller: Thread,
}

impl Wake for Note {
    fn wake(self: Arc<Self>) {
        self.disk.mark(Event::Answered(self.group));
        self.answered.store(true, Ordering::Release);
        self.caller.unpark();
    }
}

impl<F: Future<Output = Result<T, StoreError>>, T> Caution<F> {
    fn new(disk: &Arc<Disk>, group: usize, call: F) -> Self {
        let note = Note {
            disk: disk.clone(),
            group,
            answered: AtomicBool::new(false),
            caller: thread::current(),
        };
        Self {
            call: Box::pin(call),
            note: Arc::new(note),
            output: None,
        }
    }

    fn poll(&mut self) {
        let waker = Waker::from(self.note.clone());
        let call = pin!(&mut self.call);
        if let Poll::Ready(output) = call.poll(&mut Context::from_waker(&waker)) {
            self.output = Some(output);
        }
    }

    fn wait(mut self) -> anyhow::Result<T> {
        loop {
            if let Some(output) = self.output.take() {
                return Ok(output?);
            }
            while !self.note.answered.swap(false, Ordering::Acquire) {
                thread::park();
            }
            self.poll();
        }
    }
}
