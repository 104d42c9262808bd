//! Work of the engine for a run, apart from its calls.

use super::Journal;

/// The engine reads or writes for the run, until this is dropped.
pub(crate) struct AtWork<'a>(&'a Journal);

impl Journal {
    /// The engine reads or writes, which may take as long as the store is unavailable: the run is neither suspended
    /// meanwhile, nor does it give up steps.
    pub(crate) fn at_work(&self) -> AtWork<'_> {
        self.inner().works += 1;
        AtWork(self)
    }
}

impl Drop for AtWork<'_> {
    fn drop(&mut self) {
        self.0.inner().works -= 1;
        self.0.task.wake();
    }
}
