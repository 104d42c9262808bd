use std::ops::ControlFlow;

use super::{Checkpoint, Error};

/// The caller's side of a long call: asked whether to stop, told how far it is.
///
/// Every method has a default that lets the call run through; `()` is that control.
pub trait Control {
    /// Whether to give up, asked at every entry and between two reads. The call then returns
    /// [`Error::Stopped`].
    fn is_stopped(&self) -> bool {
        false
    }

    /// Told once by [`pack`](super::pack()), before the first entry.
    fn started(&mut self, start: Start) {
        let _ = start;
    }

    /// Told at every entry and every read: cheap work only.
    fn progress(&mut self, progress: &Progress) {
        let _ = progress;
    }

    /// A frame has ended and is on disk: the place to store the checkpoint, durably. `Break`
    /// stops the call with [`Error::Stopped`], for a caller that could not store it.
    fn checkpoint(&mut self, checkpoint: &Checkpoint) -> ControlFlow<()> {
        let _ = checkpoint;
        ControlFlow::Continue(())
    }
}

impl Control for () {}

/// How far a call is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// Regular files packed, or found complete by [`verify`](super::verify()).
    pub files_done: u64,
    /// Regular files to pack. Grows during a scan, shrinks when a file is skipped; 0 in
    /// [`verify`](super::verify()), which cannot know.
    pub files_total: u64,
    /// Bytes of files packed, or bytes of the archive verified.
    pub bytes_done: u64,
    /// Bytes to pack or verify.
    pub bytes_total: u64,
    /// Bytes of the archive written or verified.
    pub archive_bytes: u64,
    /// Entries skipped.
    pub skipped_count: u64,
}

/// How [`pack`](super::pack()) began.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Start {
    /// There was no checkpoint.
    Fresh,
    /// Resumed from the checkpoint.
    Resumed {
        /// Bytes of the partial file that were kept.
        archive_bytes: u64,
    },
    /// There was a checkpoint, but it could not be used: packs from scratch.
    Restarted(RestartReason),
}

/// Why a checkpoint could not be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum RestartReason {
    /// The packed part differs from the plan and the options of now.
    SourceChanged,
    /// The partial file is missing or shorter than the checkpoint says.
    PartialShort,
    /// The partial file has other content than the checkpoint says.
    PartialDamaged,
}

/// Asks the control; for `?`.
pub(super) fn check(control: &dyn Control) -> Result<(), Error> {
    if control.is_stopped() {
        Err(Error::Stopped)
    } else {
        Ok(())
    }
}
