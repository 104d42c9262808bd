//! The end of an epoch, and the begin of the next.

use lro_core::Timestamp;
use lro_core::store::StepWrite;
use tonic::Status;

use super::{Inner, Journal, Outstanding};
use crate::steps::fault;

impl Journal {
    pub(crate) fn epoch(&self) -> u32 {
        self.inner().epoch
    }

    /// Ends the epoch: no call begins any more, and no commit is under way when this returns. Rows that are
    /// not written are forgotten with the others; returns those that end sagas, and the children that have not ended,
    /// which are written with the end of the epoch.
    ///
    /// # Errors
    ///
    /// When a call is under way, or a saga is open.
    pub(in crate::steps) async fn end_epoch(&self) -> Result<Vec<StepWrite>, Status> {
        let (committed, mut ends) = {
            let mut inner = self.inner();
            if let Some(saga) = inner.sagas.first_open() {
                return Err(fault::under_way(saga.as_str()));
            }
            if let Some(call) = inner.under_way.values().next() {
                return Err(fault::under_way(&call.name));
            }
            inner.epoch_ends = true;
            inner.outgoing.forget()
        };
        let mut durable = self.durable.subscribe();
        // The sender lives as long as the journal.
        let _ = durable.wait_for(|durable| *durable >= committed).await;
        // The body has dropped the calls of children that have not ended.
        self.starts_ended().await;
        let children = self.outstanding_children();
        ends.extend(children.iter().map(Outstanding::forgotten));
        Ok(ends)
    }

    /// Begins the next epoch, whose rows are the promises that were completed before the body has asked.
    pub(in crate::steps) fn begin_epoch(&self, time: Timestamp) {
        let mut inner = self.inner();
        let Inner {
            recorded,
            unreached,
            ..
        } = &mut *inner;
        recorded.retain(|key, row| row.fence == 0 && unreached.contains(key));
        unreached.retain(|key| recorded.contains_key(key));
        inner.expected.clear();
        inner.uses.clear();
        inner.children.clear();
        inner.epoch += 1;
        inner.epoch_ends = false;
        inner.refused = None;
        inner.time = time;
    }
}
