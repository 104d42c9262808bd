//! Clients: they start, get, wait, cancel, delete and list, and note what they see.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use lro_core::{ListOptions, OperationName, ParentPattern, Timestamp, pb};
use lro_server::{Operations, StartOptions};
use parking_lot::Mutex;
use tokio_util::sync::CancellationToken;
use tonic::Status;

use crate::clock::BEGIN;
use crate::model::{Verdict, digest};
use crate::random::Random;
use crate::service::{Job, Method, Server, Service};
use crate::world::{Answer, Ask, ClientCall, World};

/// A node as clients see it.
#[derive(Clone, Debug)]
pub(crate) struct Door {
    /// Which.
    pub(crate) node: usize,
    /// The operations that clients call.
    pub(crate) operations: Operations,
    /// Cancelled when it dies.
    pub(crate) dead: CancellationToken,
}

/// The nodes there are just now.
pub(crate) type Doors = Arc<Mutex<Vec<Door>>>;

/// One client.
#[derive(Debug)]
pub(crate) struct Client {
    world: Arc<World>,
    doors: Doors,
    random: Random,
    id: u64,
    started: u64,
    known: Vec<(String, Option<Start>)>,
}

/// An operation to start.
#[derive(Clone, Debug)]
pub(crate) struct Start {
    name: String,
    job: Job,
    request_id: String,
    key: Option<String>,
    at: Option<Timestamp>,
}

impl Client {
    /// Client number `id`.
    pub(crate) fn new(world: &Arc<World>, doors: &Doors, id: u64) -> Self {
        Self {
            world: world.clone(),
            doors: doors.clone(),
            random: Random::new(world.plan.seed, 100 + id),
            id,
            started: 0,
            known: Vec::new(),
        }
    }

    /// Makes its calls.
    pub(crate) async fn run(mut self) {
        for _ in 0..self.world.plan.calls {
            let think = self.random.pick(&[0, 10, 200, 1_000, 4_000]);
            let think = self.random.below(think);
            tokio::time::sleep(Duration::from_millis(think)).await;
            self.once().await;
        }
    }

    async fn once(&mut self) {
        let choice = self.random.below(100);
        let target = match self.known.is_empty() {
            true => None,
            false => {
                let index = self.random.below(self.known.len() as u64) as usize;
                Some(self.known[index].clone())
            }
        };
        let Some((name, start)) = target.filter(|_| choice >= 40) else {
            let start = self.new_start();
            return self.start(start).await;
        };
        match choice {
            40..48 => {
                if let Some(start) = start {
                    self.start_again(start).await;
                }
            }
            48..58 => self.get(&name).await,
            58..74 => self.wait(&name).await,
            74..86 => self.cancel(&name).await,
            86..93 => self.delete(&name).await,
            _ => self.walk().await,
        }
    }

    fn new_start(&mut self) -> Start {
        self.started += 1;
        let id = self.id * 1_000 + self.started;
        let now = self.world.now();
        let reused = self.world.plan.reuse_names && self.random.per_mille(300);
        let name = match reused {
            true => format!("r{}", self.random.below(2)),
            false => format!("c{}-{}", self.id, self.started),
        };
        Start {
            name,
            job: Job {
                id,
                kind: self.random.next(),
                ..Job::default()
            },
            request_id: match self.random.per_mille(600) {
                true => format!("q{id}"),
                false => String::new(),
            },
            key: self.random.per_mille(200).then(|| format!("k{}", id % 2)),
            at: self.random.per_mille(150).then(|| {
                let delay = Duration::from_millis(self.random.below(8_000));
                BEGIN.saturating_add(now + delay)
            }),
        }
    }

    /// Repeats a start under a new name: the same one, or another with its request id.
    async fn start_again(&mut self, mut start: Start) {
        self.started += 1;
        start.name = format!("c{}-{}", self.id, self.started);
        if self.random.per_mille(300) {
            start.job.id += 500_000;
        }
        self.start(start).await;
    }

    async fn start(&mut self, start: Start) {
        let name = format!("operations/{}", start.name);
        self.known.push((name.clone(), Some(start.clone())));
        let tries = if start.request_id.is_empty() { 1 } else { 4 };
        for _ in 0..tries {
            let ask = Ask::Start {
                request_id: start.request_id.clone(),
                payload: start.job.id,
            };
            let answer = self
                .call(ask, async |operations| {
                    let started = start_on(&operations, &start).await?;
                    Ok(shown(&started))
                })
                .await;
            match answer {
                Answer::Operation(name, _) => {
                    self.known.push((name, Some(start)));
                    return;
                }
                Answer::Error(tonic::Code::Unavailable) | Answer::None => {
                    tokio::time::sleep(Duration::from_millis(300)).await;
                }
                _ => return,
            }
        }
    }

    async fn get(&mut self, name: &str) {
        let parsed = parse(name);
        self.call(Ask::Get(name.to_owned()), async |operations| {
            Ok(shown(&operations.get(&parsed).await?))
        })
        .await;
    }

    async fn wait(&mut self, name: &str) {
        let parsed = parse(name);
        let timeout = Duration::from_millis(self.random.below(30_000));
        self.call(Ask::Wait(name.to_owned()), async |operations| {
            Ok(shown(&operations.wait(&parsed, Some(timeout)).await?))
        })
        .await;
    }

    /// Cancels it.
    pub(crate) async fn cancel(&mut self, name: &str) {
        let parsed = parse(name);
        self.call(Ask::Cancel(name.to_owned()), async |operations| {
            operations.cancel(&parsed).await?;
            Ok(Answer::Done)
        })
        .await;
    }

    async fn delete(&mut self, name: &str) {
        let parsed = parse(name);
        self.call(Ask::Delete(name.to_owned()), async |operations| {
            operations.delete(&parsed).await?;
            Ok(Answer::Done)
        })
        .await;
    }

    async fn walk(&mut self) {
        let size = self.random.between(1, 5) as i32;
        let pause = Duration::from_millis(self.random.pick(&[0, 20, 300]));
        self.call(Ask::Walk, async |operations| {
            let mut names = Vec::new();
            let mut token = String::new();
            loop {
                let options = ListOptions::new().page_size(size).page_token(&token);
                let page = operations.list(ParentPattern::default(), &options).await?;
                names.extend(page.operations.into_iter().map(|operation| operation.name));
                token = page.next_page_token;
                if token.is_empty() {
                    return Ok(Answer::Names(names));
                }
                tokio::time::sleep(pause).await;
            }
        })
        .await;
    }

    /// Makes one call through a node, and notes it. A node that dies gives no answer.
    async fn call<F>(&mut self, ask: Ask, call: impl FnOnce(Operations) -> F) -> Answer
    where
        F: Future<Output = Result<Answer, Status>>,
    {
        let door = {
            let doors = self.doors.lock();
            doors[self.random.below(doors.len() as u64) as usize].clone()
        };
        let invoked = self.world.now();
        let answer = tokio::select! {
            biased;
            () = door.dead.cancelled() => None,
            answer = call(door.operations.clone()) => Some(answer),
        };
        let returned = answer.is_some().then(|| self.world.now());
        let answer = match answer {
            None => Answer::None,
            Some(Ok(answer)) => answer,
            Some(Err(status)) => Answer::Error(status.code()),
        };
        let mut notes = self.world.notes();
        let trouble = notes.trouble[door.node];
        notes.trace((invoked, returned, format!("{ask:?} {answer:?}")));
        notes.number();
        notes.client_calls.push(ClientCall {
            node: door.node,
            invoked,
            returned,
            trouble,
            ask,
            answer: answer.clone(),
        });
        answer
    }
}

/// Starts an operation whose body follows these steps.
pub(crate) async fn start_script(
    operations: &Operations,
    name: &str,
    job: Job,
) -> Result<pb::Operation, Status> {
    let start = Start {
        name: name.to_owned(),
        job,
        request_id: String::new(),
        key: None,
        at: None,
    };
    start_on(operations, &start).await
}

async fn start_on(operations: &Operations, start: &Start) -> Result<pb::Operation, Status> {
    let mut options = StartOptions::new()
        .operation_id(&start.name)
        .request_id(&start.request_id);
    if let Some(key) = &start.key {
        options = options.exclusive_key(key);
    }
    if let Some(at) = start.at {
        options = options.start_time(at);
    }
    let request = tonic::Request::new(start.job.clone());
    let started =
        lro_server::__private::start::<Method, Service, Server>(operations, request, options);
    Ok(started.await?.into_inner().into())
}

fn shown(operation: &pb::Operation) -> Answer {
    use pb::operation::Result as Ended;
    let verdict = operation.result.as_ref().map(|result| match result {
        Ended::Response(any) => Verdict::Response(digest(any)),
        Ended::Error(status) => Verdict::Error(status.code),
    });
    Answer::Operation(operation.name.clone(), verdict)
}

/// A name that this crate has made.
fn parse(name: &str) -> OperationName {
    name.parse()
        .unwrap_or_else(|error| panic!("{name}: {error}"))
}
