use std::io::{Read, Seek, SeekFrom};

use sha2::{Digest, Sha256};

use super::control::check;
use super::digest::EntriesDigest;
use super::entry::Entry;
use super::partial::Partial;
use super::{Checkpoint, Control, Error, Options, Plan, READ_BYTES, RestartReason, Start};

/// The place to resume: the partial file is cut to that place.
#[derive(Debug)]
pub(super) struct Position {
    pub(super) start: Start,
    pub(super) checkpoint: Checkpoint,
    /// Over the first `checkpoint.entries_done` entries of the plan.
    pub(super) digest: EntriesDigest,
    /// Over the partial file.
    pub(super) hasher: Sha256,
}

/// Goes to the checkpoint if plan and partial file agree with it, else to the very start.
pub(super) fn position(
    plan: &Plan,
    options: &Options,
    checkpoint: Option<&Checkpoint>,
    partial: &mut Partial,
    control: &dyn Control,
) -> Result<Position, Error> {
    let start = match checkpoint {
        None => Start::Fresh,
        Some(checkpoint) => match go_on(plan, options, checkpoint, partial, control)? {
            Ok(position) => return Ok(position),
            Err(reason) => Start::Restarted(reason),
        },
    };
    cut(partial, 0)?;
    Ok(Position {
        start,
        checkpoint: Checkpoint::default(),
        digest: EntriesDigest::new(plan.root(), options),
        hasher: Sha256::new(),
    })
}

fn go_on(
    plan: &Plan,
    options: &Options,
    checkpoint: &Checkpoint,
    partial: &mut Partial,
    control: &dyn Control,
) -> Result<Result<Position, RestartReason>, Error> {
    let Some(digest) = same_entries(plan, options, checkpoint) else {
        return Ok(Err(RestartReason::SourceChanged));
    };
    let metadata = partial.file.metadata().map_err(Error::io(&partial.path))?;
    if metadata.len() < checkpoint.archive_bytes {
        return Ok(Err(RestartReason::PartialShort));
    }
    let hasher = hash(partial, checkpoint.archive_bytes, control)?;
    if hasher.clone().finalize()[..] != checkpoint.archive_sha256 {
        return Ok(Err(RestartReason::PartialDamaged));
    }
    cut(partial, checkpoint.archive_bytes)?;
    Ok(Ok(Position {
        start: Start::Resumed {
            archive_bytes: checkpoint.archive_bytes,
        },
        checkpoint: checkpoint.clone(),
        digest,
        hasher,
    }))
}

/// The digest over the entries done, if the plan has the same ones.
fn same_entries(plan: &Plan, options: &Options, checkpoint: &Checkpoint) -> Option<EntriesDigest> {
    let done = usize::try_from(checkpoint.entries_done).ok()?;
    let mut digest = EntriesDigest::new(plan.root(), options);
    for entry in plan.list().get(..done)? {
        digest.add(entry);
    }
    let begun: Option<(&Entry, u64)> = match checkpoint.entry_offset {
        0 => None,
        offset => {
            let entry = plan.list().get(done)?;
            if !entry.is_file() || entry.size() <= offset {
                return None;
            }
            Some((entry, offset))
        }
    };
    (digest.value(begun) == checkpoint.entries_sha256).then_some(digest)
}

fn hash(partial: &mut Partial, bytes: u64, control: &dyn Control) -> Result<Sha256, Error> {
    let mut hasher = Sha256::new();
    let mut buffer = vec![0; READ_BYTES];
    let mut left = bytes;
    partial.file.rewind().map_err(Error::io(&partial.path))?;
    while left > 0 {
        check(control)?;
        let want = left.min(READ_BYTES as u64) as usize;
        let read = partial.file.read_exact(&mut buffer[..want]);
        read.map_err(Error::io(&partial.path))?;
        hasher.update(&buffer[..want]);
        left -= want as u64;
    }
    Ok(hasher)
}

/// Cuts the file to its first `bytes`, and moves to its end.
fn cut(partial: &mut Partial, bytes: u64) -> Result<(), Error> {
    let cut = partial.file.set_len(bytes);
    let sought = cut.and_then(|()| partial.file.seek(SeekFrom::Start(bytes)));
    sought.map_err(Error::io(&partial.path))?;
    Ok(())
}
