//! The contract of long-running operations: types, names, state machine, store trait
