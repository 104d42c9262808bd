//! The engine's checkpoint as a message, and back.

use crate::archive::{Checkpoint, Skipped};
use crate::pb::{CreateArchiveCheckpoint, SkippedEntry};

impl From<&Checkpoint> for CreateArchiveCheckpoint {
    fn from(checkpoint: &Checkpoint) -> Self {
        let skipped = checkpoint.skipped.iter().map(|it| SkippedEntry {
            path: it.path.clone(),
            reason: it.reason.clone(),
        });
        Self {
            entries_done: checkpoint.entries_done,
            entry_offset: checkpoint.entry_offset,
            directories_done: checkpoint.directories_done,
            files_done: checkpoint.files_done,
            symlinks_done: checkpoint.symlinks_done,
            bytes_done: checkpoint.bytes_done,
            tar_bytes: checkpoint.tar_bytes,
            archive_bytes: checkpoint.archive_bytes,
            archive_sha256: checkpoint.archive_sha256.clone(),
            entries_sha256: checkpoint.entries_sha256.clone(),
            skipped_count: checkpoint.skipped_count,
            skipped: skipped.collect(),
        }
    }
}

impl From<CreateArchiveCheckpoint> for Checkpoint {
    fn from(message: CreateArchiveCheckpoint) -> Self {
        let skipped = message.skipped.into_iter().map(|it| Skipped {
            path: it.path,
            reason: it.reason,
        });
        Self {
            entries_done: message.entries_done,
            entry_offset: message.entry_offset,
            directories_done: message.directories_done,
            files_done: message.files_done,
            symlinks_done: message.symlinks_done,
            bytes_done: message.bytes_done,
            tar_bytes: message.tar_bytes,
            archive_bytes: message.archive_bytes,
            archive_sha256: message.archive_sha256,
            entries_sha256: message.entries_sha256,
            skipped_count: message.skipped_count,
            skipped: skipped.collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_lost_on_the_way() {
        let checkpoint = Checkpoint {
            entries_done: 1,
            entry_offset: 2,
            directories_done: 3,
            files_done: 4,
            symlinks_done: 5,
            bytes_done: 6,
            tar_bytes: 7,
            archive_bytes: 8,
            archive_sha256: vec![9],
            entries_sha256: vec![10],
            skipped_count: 11,
            skipped: vec![Skipped {
                path: vec![0xff],
                reason: "lost".to_owned(),
            }],
        };
        let message = CreateArchiveCheckpoint::from(&checkpoint);
        assert_eq!(Checkpoint::from(message), checkpoint);
    }
}
