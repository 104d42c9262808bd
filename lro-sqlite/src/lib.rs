//! The embedded store of long-running operations: SQLite with group commit
