//! Conformance suite and fakes for stores of long-running operations
