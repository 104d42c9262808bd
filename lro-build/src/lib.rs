//! Generate typed long-running rpcs from protos, without protoc
