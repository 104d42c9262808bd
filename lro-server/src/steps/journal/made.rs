//! Calls that the body makes, and the rows that earlier runs have recorded of them.

use lro_core::store::{StepKey, StepKind};
use tonic::Status;

use super::{Inner, Journal, UnderWay};
use crate::steps::answer::{Activity, CallId, Found, Made};
use crate::steps::rules::StepOrder;
use crate::steps::{fault, name};

impl Journal {
    /// Adds a call, and counts it among those of its name.
    pub(in crate::steps) fn made(&self, key: Result<StepKey, Status>) -> Made {
        let mut inner = self.inner();
        let is_sequential = inner.under_way.is_empty();
        let key = inner.counted(key);
        if let Ok(key) = &key {
            inner.reached(key);
        }
        inner.made(key, is_sequential)
    }

    /// The recorded row of a call whose turn has come. `type_url` is empty where any will do, `block` tells
    /// of the [block](crate::steps::in_block::Block) in which it is made.
    pub(in crate::steps) fn find(
        &self,
        key: &StepKey,
        kind: StepKind,
        type_url: &str,
        block: Option<Option<u64>>,
    ) -> Found {
        let inner = self.inner();
        if inner.has_ended {
            return Found::Ended;
        }
        if inner.halt.is_some() {
            return Found::Halted;
        }
        let (until, is_closed) = inner.frontier(kind, block);
        let new = || match is_closed {
            true => Found::Closed(None),
            false => Found::New,
        };
        let fault = match inner.recorded.get(key) {
            Some(row) => match fault::changed(row, kind, type_url) {
                Some(changed) => changed,
                None => {
                    let row = Box::new(row.clone());
                    let is_closed = is_closed && !inner.is_unnamed(key);
                    return match is_closed && !row.is_finished() {
                        true => Found::Closed(Some(row)),
                        false => Found::Row(row),
                    };
                }
            },
            None if matches!(kind, StepKind::Introduced | StepKind::Undo)
                || inner.order == StepOrder::ByName =>
            {
                return new();
            }
            None => match inner.expected.range(..until).next() {
                Some((_, skipped)) => fault::order_changed(key.as_str(), skipped.as_str()),
                None => return new(),
            },
        };
        drop(inner);
        self.block(fault);
        Found::Halted
    }
}

impl Inner {
    /// The key of a call that is made now: the first of its name, or a later one.
    pub(super) fn counted(&mut self, key: Result<StepKey, Status>) -> Result<StepKey, Status> {
        let key = key?;
        let poll = self.poll;
        let beside_others = self.under_way.values().any(|call| call.made_in < poll);
        if self.epoch_ends {
            return Err(fault::epoch_ends(key.as_str()));
        }
        let uses = self.uses.entry(key.clone()).or_default();
        uses.count += 1;
        uses.beside_others |= beside_others;
        match uses.count {
            1 => Ok(key),
            _ if uses.beside_others => Err(fault::ambiguous(key.as_str())),
            count => repeated(&key, count),
        }
    }

    /// The place before which recorded calls must have been reached when a new one is made, and whether new
    /// calls begin at all: not in a run that only undoes, nor in a block that is only replayed.
    pub(super) fn frontier(&self, kind: StepKind, block: Option<Option<u64>>) -> (u64, bool) {
        let replayed_until = block.flatten();
        let begins_nothing = self.begins_nothing() || replayed_until.is_some();
        let is_closed = begins_nothing
            && !matches!(
                kind,
                StepKind::Undo | StepKind::First | StepKind::Introduced
            );
        (replayed_until.unwrap_or(u64::MAX), is_closed)
    }

    /// Adds a call under way.
    pub(super) fn made(&mut self, key: Result<StepKey, Status>, is_sequential: bool) -> Made {
        let id: CallId = self.next_call;
        self.next_call += 1;
        let call = UnderWay {
            name: match &key {
                Ok(key) => key.to_string(),
                Err(fault) => fault.message().to_owned(),
            },
            made_in: self.poll,
            activity: Activity::None,
        };
        self.under_way.insert(id, call);
        Made {
            id,
            key,
            is_sequential,
            at: self.time,
        }
    }
}

/// The key of the second call of a name, or of a later one.
fn repeated(key: &StepKey, count: u32) -> Result<StepKey, Status> {
    name::key(&format!("{key}#{count}"))
}
