//! A call of an rpc in this process, with a request that is bytes.

use bytes::{BufMut as _, Bytes};
use http::uri::PathAndQuery;
use lro_core::pb;
use prost::Message as _;
use tonic::codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder};
use tonic::metadata::MetadataMap;
use tonic::{Extensions, Request, Status};

use crate::serve::HostedServices;

/// The headers that belong to the call that came in, and not to the one that it leads to. tonic
/// removes its own.
const NOT_FORWARDED: [&str; 6] = [
    "content-length",
    "grpc-accept-encoding",
    "grpc-encoding",
    "grpc-timeout",
    "lro-reason",
    "x-goog-request-params",
];

/// Calls the rpc at this path with the caller's headers and extensions.
pub(super) async fn start(
    services: HostedServices,
    path: PathAndQuery,
    headers: &MetadataMap,
    extensions: Extensions,
    message: Vec<u8>,
) -> Result<pb::Operation, Status> {
    let mut headers = headers.clone();
    for name in NOT_FORWARDED {
        headers.remove(name);
    }
    let mut client = tonic::client::Grpc::new(services);
    // Services of this process are always ready.
    match client.ready().await {
        Ok(()) => {}
        Err(never) => match never {},
    }
    let request = Request::from_parts(headers, extensions, Bytes::from(message));
    let answer = client.unary(request, path, BytesToOperation).await?;
    Ok(answer.into_inner())
}

/// Requests as the bytes that they are, and operations.
struct BytesToOperation;

impl Codec for BytesToOperation {
    type Encode = Bytes;
    type Decode = pb::Operation;
    type Encoder = Self;
    type Decoder = Self;

    fn encoder(&mut self) -> Self {
        Self
    }

    fn decoder(&mut self) -> Self {
        Self
    }
}

impl Encoder for BytesToOperation {
    type Item = Bytes;
    type Error = Status;

    fn encode(&mut self, item: Bytes, buffer: &mut EncodeBuf<'_>) -> Result<(), Status> {
        buffer.put(item);
        Ok(())
    }
}

impl Decoder for BytesToOperation {
    type Item = pb::Operation;
    type Error = Status;

    fn decode(&mut self, buffer: &mut DecodeBuf<'_>) -> Result<Option<pb::Operation>, Status> {
        let operation = pb::Operation::decode(buffer);
        operation
            .map(Some)
            .map_err(|error| Status::internal(format!("the answer is no operation: {error}")))
    }
}
