//! Bugs about sagas and children.

use lro_core::store::{
    ChildOf, Command, NewOperation, OperationRecord, OperationState, OperationStore as _,
    StartError, Started, StepKind, StepOutcome, StepQuery, StepRow, StepWrite, StoreError,
    StoreErrorKind, Update,
};
use lro_core::{OperationName, pack};

use super::Planted;
use crate::bug::Bug;
use crate::service::Answer;

impl Planted {
    /// Starts a child.
    pub(super) async fn start_child(
        &self,
        mut new: NewOperation,
        child_of: ChildOf,
    ) -> Result<Result<Started, StartError>, StoreError> {
        self.bend_child(&mut new, &child_of);
        if let Some(request_id) = &new.request_id {
            let (parent, key) = (child_of.operation.as_str(), child_of.step.key.as_str());
            let families = &mut self.world.notes().families;
            families.child_starts(parent, key, &request_id.id);
        }
        let two_commits = self.is(Bug::ChildWithoutStep) || self.is(Bug::EndOfChildLost);
        if two_commits {
            new.child_of = None;
        }
        if self.is(Bug::SecondChild) {
            self.start_second(&mut new, &child_of).await?;
        }
        let name = new.name.clone();
        let mut answers = self.inner.start(vec![new]).await?;
        let answer = answers
            .pop()
            .unwrap_or(Err(StartError::AlreadyExists(name)));
        if let (true, Ok(started)) = (two_commits, &answer) {
            if self.is(Bug::ChildWithoutStep) && self.chance(300) {
                let lost = "the second commit is lost";
                return Err(StoreError::new(StoreErrorKind::Unavailable, lost));
            }
            let recorded = self.one(child_of.record(&started.record)).await?;
            drop(recorded);
        }
        Ok(answer)
    }

    fn bend_child(&self, new: &mut NewOperation, child_of: &ChildOf) {
        match (self.bug, &mut new.child_of, &mut new.request_id) {
            (Some(Bug::RequestIdsDiffer), _, Some(request_id)) => {
                request_id.id = format!("{}-{}", request_id.id, child_of.fence);
            }
            (Some(Bug::ChildrenOutliveParents), Some(child_of), _) => child_of.is_left = true,
            (Some(Bug::LeftChildrenCancelled), Some(child_of), _) => child_of.is_left = false,
            _ => {}
        }
    }

    /// Whether the step of a child has one already.
    async fn has_child(&self, child_of: &ChildOf) -> Result<bool, StoreError> {
        let rows = self.rows(&child_of.operation).await?;
        let mut rows = rows.iter().filter(|row| row.child.is_some());
        Ok(rows.any(|row| row.key == child_of.step.key))
    }

    /// Makes a repeated start of a child the start of another one.
    async fn start_second(
        &self,
        new: &mut NewOperation,
        child_of: &ChildOf,
    ) -> Result<(), StoreError> {
        if self.has_child(child_of).await?
            && let Ok(name) = format!("{}-again", new.name).parse()
        {
            new.name = name;
            new.request_id = None;
            new.child_of = None;
        }
        Ok(())
    }

    async fn rows(&self, name: &OperationName) -> Result<Vec<StepRow>, StoreError> {
        let Some(record) = self.inner.get(name).await? else {
            return Ok(Vec::new());
        };
        let epoch = record.steps.as_deref().map_or(0, |steps| steps.epoch);
        self.inner.steps(StepQuery::all(record.uid, epoch)).await
    }

    /// Loses what an update writes of sagas.
    pub(super) fn bend_steps(&self, update: &mut Update) {
        let is_undo = |write: &StepWrite| write.key.as_str().starts_with("undo/");
        let is_lost = |write: &StepWrite| match self.bug {
            Some(Bug::UndoNotKept) => write.kind == StepKind::Undo && is_undo(write),
            Some(Bug::UndoDecisionNotKept) => write.kind == StepKind::Undo && !is_undo(write),
            Some(Bug::SagaNotOpened) => write.kind == StepKind::Saga && write.outcome.is_none(),
            _ => false,
        };
        if matches!(update.command, Command::Record { .. }) {
            update.steps.retain(|write| !is_lost(write));
        }
    }

    /// Forgets the debts of an operation before its cancellation.
    pub(super) async fn forget_debts(&self, record: &OperationRecord) -> Result<(), StoreError> {
        let rows = self.rows(&record.name).await?;
        let owed = rows.iter().filter(|row| row.is_owed());
        let keys = owed.map(|row| row.key.clone()).collect();
        let forget = Update::by_name(record.name.clone(), Command::ForgetSteps { keys });
        let forgotten = self.one(forget).await?;
        drop(forgotten);
        Ok(())
    }

    /// The record of a claim, which says that the operation only undoes.
    pub(super) fn bend_claimed(&self, record: &mut OperationRecord) {
        if self.is(Bug::VerdictForgotten) {
            record.state = OperationState::Running;
            if let Some(steps) = &mut record.steps {
                steps.verdict = None;
            }
        }
    }

    /// The steps that a run reads.
    pub(super) fn bend_rows(&self, rows: &mut [StepRow]) {
        match self.bug {
            Some(Bug::ChildResultNotCopied) => {
                for row in rows.iter_mut().filter(|row| row.kind.is_child()) {
                    if let Some(StepOutcome::Response(response)) = &mut row.outcome {
                        *response = pack(&Answer::default());
                    }
                }
            }
            Some(Bug::UndoOldestFirst) => {
                let undoable = |row: &&mut StepRow| row.kind.is_undoable();
                let mut places: Vec<_> = rows.iter_mut().filter(undoable).collect();
                let seqs: Vec<_> = places.iter().map(|row| row.seq).collect();
                for (row, seq) in places.iter_mut().zip(seqs.into_iter().rev()) {
                    row.seq = seq;
                }
            }
            _ => {}
        }
    }
}
