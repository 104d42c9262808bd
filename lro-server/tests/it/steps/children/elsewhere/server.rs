//! A server of google.longrunning elsewhere, in memory.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard};

use lro_core::pb::{self, operation};
use lro_core::{RemoteOperations, pack};
use tokio::sync::watch;

use super::*;

/// The answer to a start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Answer {
    /// The start is refused with this code.
    Refused(Code),
    /// The operation is started, and the answer is an error of this code.
    Lost(Code),
    /// The operation is started, and there is no answer.
    Never,
    /// The operation is started, and the connection breaks.
    Broken,
}

#[derive(Debug, Default)]
struct State {
    operations: BTreeMap<String, pb::Operation>,
    of_requests: HashMap<String, String>,
    answers: VecDeque<Answer>,
    starts: usize,
    cancelled: Vec<String>,
    poll_errors: VecDeque<Code>,
    cancel_errors: VecDeque<Code>,
}

/// Operations that end when a test says so, or are cancelled: `late` ones with a response, `stubborn` ones not at all.
#[derive(Clone, Debug, Default)]
pub(super) struct Elsewhere {
    state: Arc<Mutex<State>>,
    changed: watch::Sender<u64>,
}

impl Elsewhere {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    fn changed(&self) {
        self.changed.send_modify(|count| *count += 1);
    }

    /// The answers to the next starts.
    pub(super) fn answer(&self, answers: impl IntoIterator<Item = Answer>) {
        self.state().answers.extend(answers);
    }

    /// The errors of the next polls.
    pub(super) fn fail_polls(&self, codes: impl IntoIterator<Item = Code>) {
        self.state().poll_errors.extend(codes);
    }

    /// The errors of the next cancellations.
    pub(super) fn fail_cancels(&self, codes: impl IntoIterator<Item = Code>) {
        self.state().cancel_errors.extend(codes);
    }

    /// The rpc that starts an operation. The same request id gives the same operation.
    pub(super) async fn start(&self, kind: &str, id: &str) -> Result<Response<Typed>, Status> {
        let answer = {
            let mut state = self.state();
            state.starts += 1;
            state.answers.pop_front()
        };
        self.changed();
        if let Some(Answer::Refused(code)) = answer {
            return Err(Status::new(code, "refused"));
        }
        let started = {
            let mut state = self.state();
            let name = format!("operations/{kind}-{}", state.operations.len());
            let name = state
                .of_requests
                .entry(id.to_owned())
                .or_insert(name)
                .clone();
            let new = pb::Operation {
                name: name.clone(),
                ..Default::default()
            };
            state.operations.entry(name).or_insert(new).clone()
        };
        self.changed();
        match answer {
            Some(Answer::Lost(code)) => Err(Status::new(code, "the answer is lost")),
            Some(Answer::Never) => std::future::pending().await,
            Some(Answer::Broken) => {
                let reset = std::io::Error::from(std::io::ErrorKind::ConnectionReset);
                Err(Status::from_error(Box::new(reset)))
            }
            _ => Ok(Response::new(started.into())),
        }
    }

    /// Changes an operation.
    pub(super) fn change(&self, name: &str, change: impl FnOnce(&mut pb::Operation)) {
        change(self.state().operations.get_mut(name).unwrap());
        self.changed();
    }

    /// Ends an operation with this response.
    pub(super) fn end(&self, name: &str, tables: u32) {
        self.change(name, |operation| {
            operation.done = true;
            operation.result = Some(operation::Result::Response(pack(&exported(tables))));
        });
    }

    pub(super) fn forget(&self, name: &str) {
        self.state().operations.remove(name);
        self.changed();
    }

    /// Returns when this many starts have come in.
    pub(super) async fn started(&self, count: usize) {
        self.when(|state| state.starts >= count && state.operations.len() >= count.min(1))
            .await;
    }

    /// Returns when an operation was cancelled.
    pub(super) async fn cancelled(&self) {
        self.when(|state| !state.cancelled.is_empty()).await;
    }

    async fn when(&self, is_wanted: impl Fn(&State) -> bool) {
        let mut changed = self.changed.subscribe();
        while !is_wanted(&self.state()) {
            changed.changed().await.unwrap();
        }
    }

    pub(super) fn names(&self) -> Vec<String> {
        self.state().operations.keys().cloned().collect()
    }

    pub(super) fn starts(&self) -> usize {
        self.state().starts
    }

    pub(super) fn cancellations(&self) -> Vec<String> {
        self.state().cancelled.clone()
    }
}

#[async_trait::async_trait]
impl RemoteOperations for Elsewhere {
    async fn until_done(
        &self,
        name: &str,
        on_change: &(dyn for<'o> Fn(&'o pb::Operation) + Send + Sync),
    ) -> Result<pb::Operation, Status> {
        let mut changed = self.changed.subscribe();
        loop {
            if let Some(code) = self.state().poll_errors.pop_front() {
                return Err(Status::new(code, "the poll has failed"));
            }
            let operation = self.state().operations.get(name).cloned();
            match operation {
                None => return Err(Status::not_found(format!("there is no `{name}`"))),
                Some(operation) if operation.done => return Ok(operation),
                Some(operation) => on_change(&operation),
            }
            changed.changed().await.unwrap();
        }
    }

    async fn cancel(&self, name: &str) -> Result<(), Status> {
        if let Some(code) = self.state().cancel_errors.pop_front() {
            return Err(Status::new(code, "the cancellation has failed"));
        }
        self.state().cancelled.push(name.to_owned());
        match name {
            _ if name.contains("stubborn") => self.changed(),
            _ if name.contains("late") => self.end(name, 3),
            _ => self.change(name, |operation| {
                operation.done = true;
                operation.result = Some(operation::Result::Error(lro_core::pb::rpc::Status {
                    code: Code::Cancelled as i32,
                    message: "cancelled elsewhere".into(),
                    ..Default::default()
                }));
            }),
        }
        Ok(())
    }
}
