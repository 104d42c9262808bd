//! The shared state of one run: the time, the random numbers, and the notes of all parts.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher as _};
use std::sync::Arc;
use std::time::Duration;

use lro_core::Timestamp;
use lro_core::store::{StoreEvent, StoreObserver};
use parking_lot::{Mutex, MutexGuard};
use tokio::sync::Notify;

use crate::check::linear::{Call, Input, Output};
use crate::clock::StoreClock;
use crate::durable::Ledger;
use crate::families::FamilyLedger;
use crate::plan::Plan;
use crate::random::Random;

/// A moment of the run.
pub(crate) type Moment = Duration;

/// One run.
#[derive(Debug)]
pub(crate) struct World {
    /// The plan of the seed.
    pub(crate) plan: Plan,
    /// The store's clock.
    pub(crate) clock: Arc<StoreClock>,
    /// Notified when a body has killed its node.
    pub(crate) body_killed: Notify,
    notes: Mutex<Notes>,
}

/// The notes of a run.
#[derive(Debug)]
pub(crate) struct Notes {
    /// For everything that happens on the way.
    pub(crate) random: Random,
    /// The calls of the store, by operation.
    pub(crate) calls: BTreeMap<String, Vec<Call>>,
    /// The runs of bodies, in the order in which they began.
    pub(crate) bodies: Vec<Body>,
    /// The calls of clients, with their answers.
    pub(crate) client_calls: Vec<ClientCall>,
    /// When operations ended, by the store's own events.
    pub(crate) ended: BTreeMap<String, Moment>,
    /// Those that were hidden before their end, and have not ended since.
    pub(crate) hidden: BTreeMap<String, Moment>,
    /// When operations were created, by the store's clock.
    pub(crate) created: BTreeMap<String, Created>,
    /// The highest checkpoint whose save a body of the operation saw confirmed.
    pub(crate) saved: BTreeMap<String, u64>,
    /// How often each operation was released.
    pub(crate) released: BTreeMap<String, u32>,
    /// How often an operation of that name was made.
    pub(crate) made: BTreeMap<String, u32>,
    /// Until when a node is cut off or slow.
    pub(crate) trouble: Vec<Moment>,
    /// When the faults were over.
    pub(crate) calm: Option<Moment>,
    /// Which node's call is being committed.
    pub(crate) causer: Option<usize>,
    /// The results of durable calls.
    pub(crate) ledger: Ledger,
    /// The calls of bodies of families.
    pub(crate) families: FamilyLedger,
    /// The violations found during the run.
    pub(crate) violations: Vec<Violation>,
    /// The nodes that their bodies have killed, and that were not yet restarted.
    pub(crate) killed: Vec<usize>,
    /// How many events there were.
    pub(crate) events: u64,
    next: u64,
    trace: DefaultHasher,
}

/// Something that must not be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// Which checker found it.
    pub checker: &'static str,
    /// A description of the violation.
    pub what: String,
}

impl Violation {
    /// Whether it is about the operation of that name.
    pub(crate) fn is_about(&self, name: &str) -> bool {
        let mut words = self.what.split(' ');
        words.any(|word| word.trim_matches(|it: char| !it.is_alphanumeric()) == name)
    }
}

/// The facts of an operation's start.
#[derive(Clone, Debug)]
pub(crate) struct Created {
    /// When it was, by the store's clock.
    pub(crate) at: Timestamp,
    /// Which key it was to hold.
    pub(crate) key: Option<String>,
    /// When it was to run at the earliest.
    pub(crate) not_before: Option<Timestamp>,
}

/// One run of a body.
#[derive(Clone, Debug)]
pub(crate) struct Body {
    /// Of which operation.
    pub(crate) name: String,
    /// On which node.
    pub(crate) node: usize,
    /// In which life of the node.
    pub(crate) life: u64,
    /// Which attempt: not larger than that of an earlier run if a lost one did not count.
    pub(crate) attempt: u32,
    /// The claim that it belongs to: larger than that of every earlier run.
    pub(crate) fence: u64,
    /// When it began.
    pub(crate) begun: Moment,
    /// When it ended or was dropped.
    pub(crate) ended: Option<Moment>,
    /// The digest of its response.
    pub(crate) response: Option<u64>,
    /// The metadata it has set last.
    pub(crate) metadata: Option<u64>,
    /// When it may be run again at the earliest, if it has asked for that.
    pub(crate) again_after: Option<Duration>,
    /// When it received a cancellation.
    pub(crate) cancelled: Option<Moment>,
}

/// One call of a client.
#[derive(Clone, Debug)]
pub(crate) struct ClientCall {
    /// Through which node.
    pub(crate) node: usize,
    /// When it was made.
    pub(crate) invoked: Moment,
    /// When it was answered; none when the node died.
    pub(crate) returned: Option<Moment>,
    /// Until when its node was in trouble.
    pub(crate) trouble: Moment,
    /// The request.
    pub(crate) ask: Ask,
    /// The answer.
    pub(crate) answer: Answer,
}

/// A request of a client.
#[derive(Clone, Debug)]
pub(crate) enum Ask {
    /// To start.
    Start {
        /// A request id.
        request_id: String,
        /// The content of the request.
        payload: u64,
    },
    /// For one operation.
    Get(String),
    /// For its end.
    Wait(String),
    /// To cancel it.
    Cancel(String),
    /// To delete it.
    Delete(String),
    /// For all of them.
    Walk,
}

/// An answer to a client.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Answer {
    /// Nothing.
    None,
    /// It is done.
    Done,
    /// An operation: its name, and how it ended.
    Operation(String, Option<crate::model::Verdict>),
    /// All operations.
    Names(Vec<String>),
    /// An error of this code.
    Error(tonic::Code),
}

impl World {
    /// A run that begins now.
    pub(crate) fn new(plan: Plan) -> Arc<Self> {
        let notes = Notes {
            random: Random::new(plan.seed, 1),
            calls: BTreeMap::new(),
            bodies: Vec::new(),
            client_calls: Vec::new(),
            ended: BTreeMap::new(),
            hidden: BTreeMap::new(),
            created: BTreeMap::new(),
            saved: BTreeMap::new(),
            released: BTreeMap::new(),
            made: BTreeMap::new(),
            trouble: vec![Duration::ZERO; plan.nodes.len()],
            calm: None,
            causer: None,
            ledger: Ledger::default(),
            families: FamilyLedger::default(),
            violations: Vec::new(),
            killed: Vec::new(),
            events: 0,
            next: 0,
            trace: DefaultHasher::new(),
        };
        Arc::new(Self {
            plan,
            clock: Arc::new(StoreClock::new()),
            body_killed: Notify::new(),
            notes: Mutex::new(notes),
        })
    }

    /// How long the run lasts already.
    pub(crate) fn now(&self) -> Moment {
        self.clock.elapsed()
    }

    /// The notes.
    pub(crate) fn notes(&self) -> MutexGuard<'_, Notes> {
        self.notes.lock()
    }

    /// Notes that a call of the store was made. Answers which.
    pub(crate) fn invoked(&self, name: &str, input: Input) -> Ticket {
        let mut notes = self.notes();
        let invoked = notes.number();
        notes.push(name, invoked, input)
    }

    /// Notes what was answered.
    pub(crate) fn returned(&self, ticket: &Ticket, output: Output) {
        let now = self.now();
        let mut notes = self.notes();
        let returned = notes.number();
        (now, &ticket.name, ticket.index, &output).hash(&mut notes.trace);
        if let Some(call) = notes
            .calls
            .get_mut(&ticket.name)
            .and_then(|calls| calls.get_mut(ticket.index))
        {
            call.returned = returned;
            call.output = output;
        }
    }

    /// From now on nothing is lost and nothing is slow.
    pub(crate) fn set_calm(&self) {
        let now = self.now();
        self.notes().calm = Some(now);
    }

    /// Notes something wrong.
    pub(crate) fn violation(&self, checker: &'static str, what: String) {
        self.notes().violations.push(Violation { checker, what });
    }
}

/// A call that was noted.
#[derive(Clone, Debug)]
pub(crate) struct Ticket {
    /// Of which operation.
    pub(crate) name: String,
    /// Its place.
    pub(crate) index: usize,
}

impl Notes {
    /// The next number of the order of events.
    pub(crate) fn number(&mut self) -> u64 {
        self.next += 1;
        self.events += 1;
        self.next
    }

    /// Notes a call that was made at that number.
    pub(crate) fn push(&mut self, name: &str, invoked: u64, input: Input) -> Ticket {
        let calls = self.calls.entry(name.to_owned()).or_default();
        calls.push(Call {
            invoked,
            returned: u64::MAX,
            input,
            output: Output::Unknown,
        });
        Ticket {
            name: name.to_owned(),
            index: calls.len() - 1,
        }
    }

    /// Mixes something into the trace.
    pub(crate) fn trace(&mut self, what: impl Hash) {
        what.hash(&mut self.trace);
    }

    /// A hash that distinguishes this run from others.
    pub(crate) fn trace_hash(&self) -> u64 {
        self.trace.finish()
    }
}

/// Notes what the store itself says of each operation.
#[derive(Debug)]
pub(crate) struct Truth(pub Arc<World>);

impl StoreObserver for Truth {
    fn on_event(&self, event: &StoreEvent) {
        let StoreEvent::Changed {
            name,
            state,
            deleted,
            ..
        } = event
        else {
            return;
        };
        let now = self.0.now();
        let mut notes = self.0.notes();
        let name = name.as_str().to_owned();
        if state.is_done() {
            notes.hidden.remove(&name);
            notes.ended.entry(name).or_insert(now);
        } else if *deleted {
            notes.hidden.entry(name).or_insert(now);
        }
    }
}
