//! Follows the program of an operation.

use std::time::Duration;

use futures_util::future::{join, join_all, try_join_all};
use lro_server::steps::{Either, OnCancel, Retry, Step};
use lro_server::{HandlerError, OperationContext, StartOptions};
use tokio::sync::Notify;
use tonic::{Code, Status};

use super::block::Block;
use super::ledger::{FamilyLedger, Place};
use super::program::{Child, Part, Program, Saga, add, mix};
use crate::service::{Answer, Job, Method, Progress, Server, Service, pause_of, sleep};
use crate::world::World;

/// One run of a body.
pub(super) struct Body<'a> {
    pub(super) service: &'a Service,
    pub(super) job: &'a Job,
    pub(super) operation: &'a OperationContext<Progress>,
}

/// Follows the program of a job.
pub(crate) async fn follow(
    service: &Service,
    job: &Job,
    operation: &OperationContext<Progress>,
) -> Result<Answer, HandlerError> {
    let body = Body {
        service,
        job,
        operation,
    };
    let program = Program::new(body.seed(), job.id, job.generation);
    let (begin, mut sum) = body.restore()?;
    for (number, part) in program.parts.iter().enumerate().skip(begin) {
        if let Part::Epoch = part {
            sum = add(sum, 0);
            let checkpoint = format!("{} {sum}", number + 1);
            operation.checkpoint_and_forget(&checkpoint).await?;
        } else {
            sum = add(sum, body.part(number, part).await?);
        }
    }
    match program.fails {
        true => Err(Status::failed_precondition("as planned").into()),
        false => Ok(Answer {
            // Its own, so that the checkers can tell which run has ended the operation.
            token: body.world().notes().number(),
            sum,
        }),
    }
}

impl<'a> Body<'a> {
    pub(super) fn world(&self) -> &World {
        self.service.link.world()
    }

    pub(super) fn seed(&self) -> u64 {
        self.world().plan.seed
    }

    pub(super) fn value(&self, name: &str) -> u64 {
        mix(self.seed(), self.job.id, name)
    }

    pub(super) fn place<'p>(&'p self, saga: &'p str, step: &'p str) -> Place<'p> {
        Place {
            operation: self.operation.name().as_str(),
            fence: self.operation.fence(),
            saga,
            step,
        }
    }

    /// Notes something, with its number in the order of events.
    pub(super) fn note<T>(&self, note: impl FnOnce(&mut FamilyLedger, u64) -> T) -> T {
        let mut notes = self.world().notes();
        let now = notes.number();
        note(&mut notes.families, now)
    }

    /// The part to begin with, and the sum before it.
    fn restore(&self) -> Result<(usize, u64), HandlerError> {
        let Some(text) = self.operation.restore::<String>()? else {
            return Ok((0, 0));
        };
        let parsed = text
            .split_once(' ')
            .and_then(|(part, sum)| Some((part.parse().ok()?, sum.parse().ok()?)));
        parsed.ok_or_else(|| Status::internal(format!("a checkpoint is {text:?}")).into())
    }

    /// The error of a run that wants another one.
    pub(super) fn again(&self) -> HandlerError {
        HandlerError::retry(Status::unavailable("as planned")).after(pause_of(self.job))
    }

    async fn part(&self, number: usize, part: &Part) -> Result<u64, HandlerError> {
        match part {
            Part::Step => {
                let name = format!("step/{number}");
                Ok(self.plain(self.operation, &name).await?)
            }
            Part::Sleep(millis) => {
                let pause = Duration::from_millis(*millis);
                self.operation
                    .sleep(format!("sleep/{number}"), pause)
                    .await?;
                Ok(0)
            }
            Part::Saga(saga) => self.saga(saga).await,
            Part::Sagas(both) => {
                let (left, right) = join(self.saga(&both[0]), self.saga(&both[1])).await;
                Ok(add(left?, right?))
            }
            Part::Children { limit, children } => self.children(*limit, children).await,
            Part::Race(child, millis) => {
                let pause = Duration::from_millis(*millis);
                let pause = self.operation.sleep(format!("pause/{number}"), pause);
                let call = self.call_child(self.operation, child);
                let won = self.operation.first(format!("race/{number}"), call, pause);
                if let Either::Left(Ok(answer)) = won.await? {
                    self.child_passed(child, &answer);
                }
                Ok(0)
            }
            Part::Dropped(child, millis) => {
                self.drop_child(child, Duration::from_millis(*millis)).await
            }
            Part::Again if self.operation.attempt() == 1 => Err(self.again()),
            Part::Again | Part::Epoch => Ok(0),
        }
    }

    /// Drops the call of a child some time after its start, which is recorded then. A later run waits for its end.
    async fn drop_child(&self, child: &Child, after: Duration) -> Result<u64, HandlerError> {
        let started = Notify::new();
        let start = async |request_id| {
            let answer = self.start_child(child, request_id).await;
            if answer.is_ok() {
                started.notify_one();
            }
            answer
        };
        let operations = &self.service.operations;
        let name = child.name.as_str();
        let call = self.operation.child(name, operations, start);
        let is_late = async {
            started.notified().await;
            tokio::time::sleep(after).await;
        };
        tokio::select! {
            biased;
            ended = with_options(call, child) => {
                if let Ok(answer) = ended {
                    self.child_passed(child, &answer);
                }
            }
            () = is_late => {}
        }
        Ok(0)
    }

    /// A step without an undo.
    pub(super) fn plain<'x>(
        &'x self,
        operation: &'x OperationContext<Progress>,
        name: &'x str,
    ) -> Step<'x, u64> {
        let closure = move || async move {
            let place = self.place("", name);
            self.note(|ledger, _| ledger.begins(place.operation, place.fence, name));
            self.works().await?;
            Ok::<_, HandlerError>(self.value(name))
        };
        operation.step(name, closure).retry(often())
    }

    /// The work of a closure, which fails now and then.
    pub(super) async fn works(&self) -> Result<(), HandlerError> {
        let lease = self.world().plan.lease;
        let lease = u64::try_from(lease.as_millis()).unwrap_or(0);
        let takes = self.world().notes().random.below(lease / 2);
        sleep(takes).await;
        match self.world().notes().random.per_mille(120) {
            true => Err(HandlerError::retry(Status::unavailable("busy"))),
            false => Ok(()),
        }
    }

    async fn children(&self, limit: usize, children: &[Child]) -> Result<u64, HandlerError> {
        let is_simple = |child: &Child| !child.is_forgiven && child.timeout.is_none();
        if children.iter().all(is_simple) {
            let calls = children.iter();
            let calls = calls.map(|child| self.call_child(self.operation, child));
            let answers = self.operation.all(limit, calls).await?;
            for (child, answer) in children.iter().zip(&answers) {
                self.child_passed(child, answer);
            }
            return Ok(answers.iter().fold(0, |sum, answer| add(sum, answer.sum)));
        }
        let calls = children.iter().map(|child| {
            let call = self.call_child(self.operation, child);
            self.ended_child(child, call)
        });
        let sums = match limit {
            // The first error drops the others.
            1 => try_join_all(calls).await?,
            _ => join_all(calls)
                .await
                .into_iter()
                .collect::<Result<_, _>>()?,
        };
        Ok(sums.into_iter().fold(0, add))
    }

    pub(super) async fn ended_child(
        &self,
        child: &Child,
        call: Step<'_, Answer>,
    ) -> Result<u64, HandlerError> {
        let ended = call.await;
        if let Ok(answer) = &ended {
            self.child_passed(child, answer);
        }
        self.value_of_child(child, ended)
    }

    /// The value of a child for the sum of its parent.
    pub(super) fn value_of_child(
        &self,
        child: &Child,
        ended: Result<Answer, Status>,
    ) -> Result<u64, HandlerError> {
        match ended {
            Ok(_) if child.timeout.is_some() => Ok(0),
            Ok(answer) => Ok(answer.sum),
            Err(error) if is_final(&error) && child.timeout.is_some() => Ok(0),
            Err(error) if is_final(&error) && child.is_forgiven => Ok(1),
            Err(error) => Err(error.into()),
        }
    }

    pub(super) fn child_passed(&self, child: &Child, answer: &Answer) {
        let place = self.place("", &child.name);
        self.note(|ledger, _| ledger.child_passed(place, answer.sum));
    }

    fn call_child<'x>(
        &'x self,
        operation: &'x OperationContext<Progress>,
        child: &'x Child,
    ) -> Step<'x, Answer> {
        let start = move |request_id| self.start_child(child, request_id);
        let operations = &self.service.operations;
        let call = operation.child(child.name.as_str(), operations, start);
        with_options(call, child)
    }

    /// Starts a child, under a name that no other start has.
    pub(super) async fn start_child(
        &self,
        child: &Child,
        request_id: String,
    ) -> Result<tonic::Response<lro_core::Operation<Answer, Progress>>, HandlerError> {
        let place = self.place("", &child.name);
        let number = self.note(|ledger, number| {
            ledger.begins(place.operation, place.fence, place.step);
            number
        });
        let options = StartOptions::new()
            .operation_id(format!("child{number}"))
            .request_id(&request_id);
        let job = Job {
            id: child.id,
            generation: self.job.generation + 1,
            ..Job::default()
        };
        let request = tonic::Request::new(job);
        let operations = &self.service.operations;
        let started =
            lro_server::__private::start::<Method, Service, Server>(operations, request, options);
        match started.await {
            Err(status) if status.code() == Code::Unavailable => Err(HandlerError::retry(status)),
            started => Ok(started?),
        }
    }

    /// Runs a saga. The value of one that is undone is 3, if the body continues.
    async fn saga(&self, saga: &Saga) -> Result<u64, HandlerError> {
        let scope = saga.scope.as_deref();
        let scoped = scope.map(|scope| self.operation.scope(scope));
        let operation = scoped.as_ref().unwrap_or(self.operation);
        let handle = operation.saga();
        let block = Block {
            body: self,
            operation,
            handle: &handle,
            saga,
        };
        let ended = handle.run(block.run()).await;
        let place = self.place(&saga.id, "");
        let is_undone = |error: &HandlerError| !error.is_retryable();
        if ended.as_ref().map_or_else(is_undone, |_| true) {
            self.note(|ledger, _| ledger.saga_returns(place, ended.is_ok()));
        }
        match ended {
            Err(error) if saga.is_forgiven && is_undone(&error) && is_final(error.status()) => {
                Ok(3)
            }
            ended => ended,
        }
    }
}

/// So often that a closure does not fail for good.
pub(super) fn often() -> Retry {
    Retry::times(50).pause(Duration::from_millis(100), Duration::from_secs(5))
}

pub(super) fn with_options<'x>(call: Step<'x, Answer>, child: &Child) -> Step<'x, Answer> {
    let call = call.retry(often());
    let call = match child.is_left {
        true => call.on_cancel(OnCancel::Leave),
        false => call,
    };
    match child.timeout {
        Some(millis) => call.timeout(Duration::from_millis(millis)),
        None => call,
    }
}

/// Whether an error may be one that a program gives, or a cancellation.
pub(super) fn is_final(error: &Status) -> bool {
    matches!(
        error.code(),
        Code::FailedPrecondition | Code::Internal | Code::Cancelled | Code::DeadlineExceeded
    )
}
