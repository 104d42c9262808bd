use std::fmt;
use std::io::{self, Write};

use sha2::{Digest, Sha256};
use zstd::stream::write::Encoder;

use super::Error;
use super::partial::Partial;

/// Compresses a byte stream into frames, each made in memory and put into the partial file whole.
pub(super) struct FrameWriter {
    partial: Partial,
    level: i32,
    encoder: Encoder<'static, Vec<u8>>,
    /// Over what is in the partial file.
    hasher: Sha256,
    archive_bytes: u64,
    stream_bytes: u64,
    frame_bytes: u64,
}

impl FrameWriter {
    /// Resumes at the end of `archive_bytes`, where the file is positioned, with their hash.
    pub(super) fn new(
        partial: Partial,
        level: i32,
        hasher: Sha256,
        archive_bytes: u64,
        stream_bytes: u64,
    ) -> Result<Self, Error> {
        let encoder = encoder(level).map_err(Error::io(&partial.path))?;
        Ok(Self {
            partial,
            level,
            encoder,
            hasher,
            archive_bytes,
            stream_bytes,
            frame_bytes: 0,
        })
    }

    /// Takes bytes of the stream into the current frame.
    pub(super) fn write(&mut self, bytes: &[u8]) -> Result<(), Error> {
        let written = self.encoder.write_all(bytes);
        written.map_err(Error::io(&self.partial.path))?;
        self.frame_bytes = self.frame_bytes.saturating_add(bytes.len() as u64);
        self.stream_bytes = self.stream_bytes.saturating_add(bytes.len() as u64);
        Ok(())
    }

    /// Ends the frame; it is on disk when this returns.
    pub(super) fn end_frame(&mut self) -> Result<(), Error> {
        let frame = self.take_frame().map_err(Error::io(&self.partial.path))?;
        let file = &mut self.partial.file;
        let written = file.write_all(&frame).and_then(|()| file.sync_data());
        written.map_err(Error::io(&self.partial.path))?;
        self.hasher.update(&frame);
        self.archive_bytes = self.archive_bytes.saturating_add(frame.len() as u64);
        self.frame_bytes = 0;
        Ok(())
    }

    /// Bytes of the stream in the current frame.
    pub(super) fn frame_bytes(&self) -> u64 {
        self.frame_bytes
    }

    /// Bytes of the whole stream.
    pub(super) fn stream_bytes(&self) -> u64 {
        self.stream_bytes
    }

    /// Bytes in the partial file.
    pub(super) fn archive_bytes(&self) -> u64 {
        self.archive_bytes
    }

    /// SHA-256 of the partial file.
    pub(super) fn sha256(&self) -> [u8; 32] {
        self.hasher.clone().finalize().into()
    }

    pub(super) fn into_partial(self) -> Partial {
        self.partial
    }

    fn take_frame(&mut self) -> io::Result<Vec<u8>> {
        // A new encoder each time: nothing of one frame can then reach the next.
        std::mem::replace(&mut self.encoder, encoder(self.level)?).finish()
    }
}

impl fmt::Debug for FrameWriter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FrameWriter")
            .field("partial", &self.partial)
            .field("archive_bytes", &self.archive_bytes)
            .finish_non_exhaustive()
    }
}

fn encoder(level: i32) -> io::Result<Encoder<'static, Vec<u8>>> {
    let mut encoder = Encoder::new(Vec::new(), level)?;
    encoder.include_checksum(true)?;
    Ok(encoder)
}
