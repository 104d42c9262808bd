//! Unary calls of methods that are known by their descriptors only.

use std::time::Duration;

use bytes::{Buf as _, BufMut as _, Bytes};
use http::uri::PathAndQuery;
use lro_core::pb;
use prost::Message as _;
use tonic::codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder};
use tonic::{Request, Status};

use crate::connect::Service;

/// Calls a method that returns an operation. One try: a second one might start a second operation.
pub(crate) async fn start(
    service: &Service,
    path: PathAndQuery,
    request: Vec<u8>,
    limit: Duration,
) -> Result<pb::Operation, Status> {
    let mut client = tonic::client::Grpc::new(service.clone());
    let late = || Status::deadline_exceeded(format!("no answer within {limit:?}"));
    let called = async {
        client.ready().await?;
        let mut request = Request::new(Bytes::from(request));
        request.set_timeout(limit);
        client.unary(request, path, Raw).await
    };
    let answer = tokio::time::timeout(limit, called)
        .await
        .map_err(|_| late())??;
    pb::Operation::decode(answer.into_inner())
        .map_err(|error| Status::internal(format!("the answer is no operation: {error}")))
}

/// Messages as the bytes that they are.
struct Raw;

impl Codec for Raw {
    type Encode = Bytes;
    type Decode = Bytes;
    type Encoder = Self;
    type Decoder = Self;

    fn encoder(&mut self) -> Self {
        Self
    }

    fn decoder(&mut self) -> Self {
        Self
    }
}

impl Encoder for Raw {
    type Item = Bytes;
    type Error = Status;

    fn encode(&mut self, item: Bytes, buffer: &mut EncodeBuf<'_>) -> Result<(), Status> {
        buffer.put(item);
        Ok(())
    }
}

impl Decoder for Raw {
    type Item = Bytes;
    type Error = Status;

    fn decode(&mut self, buffer: &mut DecodeBuf<'_>) -> Result<Option<Bytes>, Status> {
        let length = buffer.remaining();
        Ok(Some(buffer.copy_to_bytes(length)))
    }
}
