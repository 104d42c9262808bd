//! When the closure of a call may begin.

use lro_core::store::StepKind;
use tonic::Status;

use super::Call;
use crate::steps::answer::Activity;

impl Call {
    /// Begins an attempt of the closure, when earlier lazy rows are durable. Never returns if the worker
    /// drains, or the run has lost the operation: those rows may be refused.
    ///
    /// # Errors
    ///
    /// That of an earlier row that is refused, unless this undoes.
    pub(in crate::steps) async fn begin(&mut self) -> Result<(), Status> {
        self.works();
        self.journal().closures_may_begin(self.kind).await;
        if !self.may_begin() {
            return self.rests().await;
        }
        if let Some(refused) = self.journal().refused()
            && self.kind != StepKind::Undo
        {
            return Err(refused);
        }
        self.attempt += 1;
        Ok(())
    }

    /// Whether a closure may begin, now that earlier rows are durable.
    pub(in crate::steps) fn may_begin(&self) -> bool {
        let key = self.made.key.as_ref();
        !self.run.is_lost() && key.is_ok_and(|key| self.journal().may_begin(key, self.kind))
    }

    /// The call is at work from now on.
    pub(in crate::steps) fn works(&self) {
        self.set_activity(Activity::Work);
    }

    /// Never returns. The run does not wait for the call.
    pub(in crate::steps) async fn rests<T>(&self) -> T {
        self.set_activity(Activity::None);
        std::future::pending().await
    }
}
