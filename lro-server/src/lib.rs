//! Serve long-running operations: Operations, Worker, OperationContext
