//! The children of a saga, which are stopped before it undoes.

use std::pin::pin;

use futures_util::future::try_join_all;
use lro_core::store::{StepKind, StepOutcome, StepRow, StepWrite};
use tonic::Status;

use super::running::Running;
use crate::rpc::error::store_failed;
use crate::steps::call::Call;
use crate::steps::child::{Stop, learn_children, unnamed};
use crate::steps::hooks;
use crate::steps::journal::Outstanding;
use crate::steps::outgoing::Unwritten;
use crate::steps::read::read_rows;
use crate::steps::wait::Wait;

impl Running<'_, '_> {
    /// Returns when all children that the block has started are recorded: before the decision to undo, up to which later
    /// runs replay the block.
    pub(super) async fn starts_ended(&self) {
        self.journal().starts_ended().await;
        let _at_work = self.journal().at_work();
        learn_children(self.run).await;
    }

    /// Cancels the children that the block has started and that have not ended, and waits for them.
    pub(super) async fn stop_children(&self) -> Result<(), Status> {
        let steps = self.saga.keys();
        let is_own = |child: &Outstanding| {
            child.saga == Some(self.saga.number) || steps.contains(&child.key)
        };
        let mut children = self.journal().outstanding_children();
        children.retain(is_own);
        let unnamed = {
            let _at_work = self.journal().at_work();
            unnamed(self.run, &children).await?
        };
        if !unnamed.is_empty() {
            // The decision is recorded, and the block, which could learn the names, has ended.
            self.journal().run_again();
            return std::future::pending().await;
        }
        let stopped = children.into_iter().map(|child| self.stop_child(child));
        try_join_all(stopped).await.map(drop)
    }

    /// Reads the ends of children that the block has not seen: each run undoes in the same order.
    pub(super) async fn learn_ends(&self) -> Result<(), Status> {
        let steps = self.saga.keys();
        if self.run.link.is_none() || steps.is_empty() {
            return Ok(());
        }
        let rows = {
            let _at_work = self.journal().at_work();
            read_rows(self.run).await
        };
        let rows = rows.map_err(|error| store_failed(&error))?;
        let has_ended = |row: &&StepRow| {
            row.kind == StepKind::SagaChild
                && row.is_finished()
                && row.outcome != Some(StepOutcome::Abandoned)
        };
        for row in rows.iter().filter(has_ended) {
            self.saga.ended(row);
        }
        Ok(())
    }

    async fn stop_child(&self, child: Outstanding) -> Result<(), Status> {
        let call = Call::by_saga(self.run, &child.key, child.kind);
        let wait = match child.stop(self.run) {
            Stop::Forget => {
                self.write(child.forgotten());
                return Ok(());
            }
            Stop::GiveUp => {
                self.write(child.given_up(self.run));
                return Ok(());
            }
            Stop::Wait(write) => match call.recorded(child.kind).filter(is_cancelled) {
                Some(row) => call.recorded_wait(&row),
                // This run has cancelled it.
                None => Wait::new(write, self.run.store_clock()).into_recorded(),
            },
            Stop::Cancel(write) => {
                let wait = Wait::new(write.clone(), self.run.store_clock());
                call.commit(write).await?;
                wait.into_recorded()
            }
        };
        let mut ended = pin!(call.wait_for_completion(wait));
        // A durable call, as others are by the polls of their `Step`.
        let ended = std::future::poll_fn(|context| {
            hooks::poll_call(context, |context| ended.as_mut().poll(context))
        });
        match ended.await? {
            Some(row) => self.saga.ended(&row),
            None => self.write(child.given_up(self.run)),
        }
        Ok(())
    }

    fn write(&self, row: StepWrite) {
        if self.run.link.is_some() {
            self.journal().write(Unwritten::lazy(row));
        }
    }
}

/// Whether the row says that the child is cancelled, and how long to wait for it.
fn is_cancelled(row: &StepRow) -> bool {
    row.child.as_deref().is_some_and(|child| child.is_cancelled)
}
