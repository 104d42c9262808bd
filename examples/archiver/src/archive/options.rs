/// How an archive is cut and compressed.
///
/// An archive is packed with one set of options: a checkpoint of other ones leads to a start from
/// scratch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// A frame ends after that many bytes of tar stream: what a crash costs at most. A frame is
    /// made in memory.
    pub frame_bytes: u64,
    /// A frame ends after that many entries.
    pub frame_entries: u32,
    /// zstd's compression level; out of its range, the nearest in it.
    pub level: i32,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            frame_bytes: 4 * 1024 * 1024,
            frame_entries: 512,
            level: 3,
        }
    }
}
