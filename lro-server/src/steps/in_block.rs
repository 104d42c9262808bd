//! Notes on the current thread that the block of a saga is polled.

use std::cell::Cell;
use std::task::Poll;

use uuid::Uuid;

/// A block that is polled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Block {
    /// The operation.
    pub(super) uid: Uuid,
    /// The number of the saga within its run.
    pub(super) saga: u64,
    /// Set if the block is only replayed, to find the steps to undo: the place of the decision to undo among
    /// the recorded rows.
    pub(super) replayed_until: Option<u64>,
}

thread_local! {
    static POLLED: Cell<Option<Block>> = const { Cell::new(None) };
}

/// The block of a saga of this operation that the thread polls.
pub(super) fn block_of(uid: Uuid) -> Option<Block> {
    POLLED.get().filter(|block| block.uid == uid)
}

/// Notes a block as long as the guard lives.
pub(super) struct Noted {
    before: Option<Block>,
}

impl Noted {
    pub(super) fn new(block: Block) -> Self {
        Self {
            before: POLLED.replace(Some(block)),
        }
    }
}

impl Drop for Noted {
    fn drop(&mut self) {
        POLLED.set(self.before);
    }
}

/// Returns at the second poll, which follows at once.
pub(super) async fn yield_once() {
    let mut has_yielded = false;
    std::future::poll_fn(|context| match std::mem::replace(&mut has_yielded, true) {
        true => Poll::Ready(()),
        false => {
            context.waker().wake_by_ref();
            Poll::Pending
        }
    })
    .await;
}
