//! Follows the block of a saga.

use std::time::Duration;

use futures_util::future::try_join_all;
use lro_server::steps::{Either, Step};
use lro_server::{HandlerError, OperationContext};
use tonic::{Code, Status};

use super::body::{Body, often, with_options};
use super::ledger::Place;
use super::program::{BlockEnd, Child, Deed, Saga, SagaStep, add, mix};
use crate::random::Random;
use crate::service::{Answer, Progress};

/// The block of a saga under way.
#[derive(Clone, Copy)]
pub(super) struct Block<'x, 's> {
    pub(super) body: &'x Body<'x>,
    pub(super) operation: &'x OperationContext<Progress>,
    pub(super) handle: &'s lro_server::steps::Saga<'x, Progress>,
    pub(super) saga: &'x Saga,
}

impl<'x> Block<'x, '_> {
    pub(super) async fn run(self) -> Result<u64, HandlerError> {
        let mut sum = 0;
        for deed in &self.saga.deeds {
            sum = add(sum, self.deed(deed).await?);
        }
        match self.saga.end {
            BlockEnd::Keeps => Ok(sum),
            BlockEnd::Fails => Err(failed()),
            // Without the panic hook, which would print.
            BlockEnd::Panics => std::panic::resume_unwind(Box::new("planned")),
            BlockEnd::Moody if self.is_in_the_mood() => Err(failed()),
            BlockEnd::Moody => Ok(sum),
            BlockEnd::Again if self.operation.attempt() > 1 => Ok(sum),
            BlockEnd::Again | BlockEnd::NeverDone => Err(self.body.again()),
        }
    }

    fn is_in_the_mood(&self) -> bool {
        let place = self.place("");
        if self.body.note(|ledger, _| ledger.saga(place).is_kept) {
            return false;
        }
        let mixed = mix(self.body.seed(), place.fence, &self.saga.id);
        Random::new(mixed, 61).per_mille(500)
    }

    fn place<'p>(&'p self, step: &'p str) -> Place<'p> {
        self.body.place(&self.saga.id, step)
    }

    async fn deed(&self, deed: &'x Deed) -> Result<u64, HandlerError> {
        match deed {
            Deed::Step(step) => self.step(step).await,
            Deed::Beside { limit, steps } => self.beside(*limit, steps).await,
            Deed::Plain(name) => Ok(self.body.plain(self.operation, name).await?),
            Deed::Sleep(name, millis) => {
                self.sleep(name, *millis).await?;
                Ok(0)
            }
            Deed::Child(child) => {
                let call = self.call_child(child);
                self.child_ends(child, call).await
            }
            Deed::PlainChild(child) => {
                let start = move |request_id| self.body.start_child(child, request_id);
                let operations = &self.body.service.operations;
                let call = self.operation.child(child.name.as_str(), operations, start);
                self.body
                    .ended_child(child, with_options(call, child))
                    .await
            }
            Deed::Race(step, millis) => {
                let pause = self.sleep(&format!("pause/{}", step.name), *millis);
                self.calls(&step.name);
                let name = format!("race/{}", step.name);
                let won = self.operation.first(name, self.call(step), pause);
                if let Either::Left(Ok(value)) = won.await? {
                    self.passed(&step.name, value);
                }
                Ok(0)
            }
            Deed::ChildRace(child, millis) => {
                let pause = self.sleep(&format!("pause/{}", child.name), *millis);
                let name = format!("race/{}", child.name);
                let won = self.operation.first(name, self.call_child(child), pause);
                if let Either::Left(Ok(answer)) = won.await? {
                    self.child_passed(child, &answer);
                }
                Ok(0)
            }
        }
    }

    fn sleep(&self, name: &str, millis: u64) -> Step<'x, ()> {
        self.operation.sleep(name, Duration::from_millis(millis))
    }

    fn calls(&self, name: &str) {
        let place = self.place(name);
        self.body.note(|ledger, _| ledger.calls(place));
    }

    fn passed(&self, name: &str, value: u64) {
        let place = self.place(name);
        self.body
            .note(|ledger, now| ledger.step_passed(place, now, value));
    }

    async fn beside(
        &self,
        limit: Option<usize>,
        steps: &'x [SagaStep],
    ) -> Result<u64, HandlerError> {
        let is_forgiven = |step: &SagaStep| step.fails && step.is_forgiven;
        let values = match limit {
            Some(limit) if !steps.iter().any(is_forgiven) => {
                steps.iter().for_each(|step| self.calls(&step.name));
                let calls = steps.iter().map(|step| self.call(step));
                let values = self.operation.all(limit, calls).await?;
                for (step, value) in steps.iter().zip(&values) {
                    self.passed(&step.name, *value);
                }
                values
            }
            _ => try_join_all(steps.iter().map(|step| self.step(step))).await?,
        };
        Ok(values.into_iter().fold(0, add))
    }

    async fn step(&self, step: &'x SagaStep) -> Result<u64, HandlerError> {
        self.calls(&step.name);
        match self.call(step).await {
            Ok(value) => {
                self.passed(&step.name, value);
                Ok(value)
            }
            Err(error) if step.is_forgiven && error.code() == Code::FailedPrecondition => Ok(2),
            Err(error) => Err(error.into()),
        }
    }

    fn call(&self, step: &'x SagaStep) -> Step<'x, u64> {
        let (body, saga) = (self.body, self.saga);
        let run = move || async move {
            let place = body.place(&saga.id, &step.name);
            body.note(|ledger, now| ledger.step_begins(place, now));
            body.works().await?;
            match step.fails {
                true => Err(failed()),
                false => Ok(body.value(&step.name)),
            }
        };
        let undo = move |got: Option<u64>| undo(body, saga, &step.name, got);
        self.handle
            .step(step.name.as_str(), run, undo)
            .retry(often())
    }

    fn call_child(&self, child: &'x Child) -> Step<'x, Answer> {
        self.calls(&child.name);
        let (body, saga) = (self.body, self.saga);
        let start = move |request_id| async move {
            let started = body.start_child(child, request_id).await;
            if started.is_ok() {
                let place = body.place(&saga.id, &child.name);
                body.note(|ledger, now| ledger.step_begins(place, now));
            }
            started
        };
        let undo =
            move |got: Option<Answer>| undo(body, saga, &child.name, got.map(|answer| answer.sum));
        let operations = &body.service.operations;
        let call = self
            .handle
            .child(child.name.as_str(), operations, start, undo);
        with_options(call, child)
    }

    async fn child_ends(&self, child: &Child, call: Step<'x, Answer>) -> Result<u64, HandlerError> {
        let ended = async {
            let answer = call.await?;
            self.child_passed(child, &answer);
            Ok::<_, Status>(answer)
        };
        self.body.value_of_child(child, ended.await)
    }

    fn child_passed(&self, child: &Child, answer: &Answer) {
        self.passed(&child.name, answer.sum);
        self.body.child_passed(child, answer);
    }
}

fn failed() -> HandlerError {
    Status::failed_precondition("as planned").into()
}

/// Undoes a step.
async fn undo(
    body: &Body<'_>,
    saga: &Saga,
    step: &str,
    got: Option<u64>,
) -> Result<(), HandlerError> {
    let place = body.place(&saga.id, step);
    let number = body.note(|ledger, _| ledger.undo_begins(place, got));
    let undone = body.works().await;
    let is_ok = undone.is_ok();
    body.note(|ledger, now| ledger.undo_ends(place, number, (now, is_ok)));
    undone
}
