//! Packs directory trees into .tar.zst archives as long-running operations
