//! Call long-running operations: OperationsClient and Poller
