//! Calls of gRPC services with dynamic messages.

use std::time::Duration;

use bytes::Bytes;
use http::Extensions;
use prost::Message as _;
use prost_reflect::{DynamicMessage, MessageDescriptor};
use tonic::Status;
use tonic::client::Grpc;
use tonic::codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder};
use tonic::metadata::MetadataMap;
use tower::util::BoxCloneSyncService;
use tower::{Service, ServiceExt as _};

use crate::body::BoxError;
use crate::rules::Rpc;

/// The gRPC services behind the gateway: in this process, or at the end of a channel.
#[derive(Clone, Debug)]
pub(crate) struct Backend(Services);

/// gRPC services of any types.
type Services = BoxCloneSyncService<
    http::Request<tonic::body::Body>,
    http::Response<tonic::body::Body>,
    Status,
>;

impl Backend {
    pub(crate) fn new<S, B>(service: S) -> Self
    where
        S: Service<http::Request<tonic::body::Body>, Response = http::Response<B>>
            + Clone
            + Send
            + Sync
            + 'static,
        S::Error: Into<BoxError>,
        S::Future: Send + 'static,
        B: http_body::Body<Data = Bytes> + Send + 'static,
        B::Error: Into<BoxError>,
    {
        let service = service
            .map_response(|response: http::Response<B>| response.map(tonic::body::Body::new))
            .map_err(|error| unreachable(&error.into()));
        Self(BoxCloneSyncService::new(service))
    }

    /// A client for messages of any types.
    pub(crate) fn client(&self) -> Grpc<Services> {
        Grpc::new(self.0.clone())
    }

    /// Calls the rpc. The answer is a stream of one message for an rpc that has one.
    pub(crate) async fn call(
        &self,
        rpc: &Rpc,
        message: DynamicMessage,
        metadata: MetadataMap,
        extensions: Extensions,
        limits: Limits,
    ) -> Result<tonic::Response<Answer>, Status> {
        let mut grpc = self
            .client()
            .max_decoding_message_size(limits.max_response)
            .max_encoding_message_size(usize::MAX);
        grpc.ready()
            .await
            .map_err(|error| Status::unavailable(error.to_string()))?;
        let mut request = tonic::Request::from_parts(metadata, extensions, message);
        if let Some(timeout) = limits.timeout {
            request.set_timeout(timeout);
        }
        let codec = DynamicCodec(rpc.output.clone());
        let path = rpc.path.clone();
        // A unary call, too: tonic's own puts the trailing metadata among the headers.
        let response = grpc.server_streaming(request, path, codec).await?;
        if rpc.server_streaming {
            return Ok(response.map(|messages| Answer::Stream(Box::new(messages))));
        }
        let (metadata, mut messages, extensions) = response.into_parts();
        let Some(message) = messages.message().await? else {
            tracing::error!(rpc = %rpc.path, "the service behind the gateway has sent no message");
            return Err(Status::internal("the service has sent no message"));
        };
        let trailers = messages.trailers().await?.unwrap_or_default();
        let answer = Answer::Message(message, trailers);
        Ok(tonic::Response::from_parts(metadata, answer, extensions))
    }
}

/// The limits of a call.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    /// The largest message of an answer, in bytes.
    pub(crate) max_response: usize,
    /// The time until the deadline, for services that read it.
    pub(crate) timeout: Option<Duration>,
}

/// The answer of an rpc.
pub(crate) enum Answer {
    /// A message, and the trailing metadata.
    Message(DynamicMessage, MetadataMap),
    Stream(Box<tonic::Streaming<DynamicMessage>>),
}

fn unreachable(error: &BoxError) -> Status {
    tracing::warn!(%error, "the service behind the gateway cannot be reached");
    Status::unavailable("the service behind the gateway cannot be reached")
}

/// Encodes and decodes messages whose types are known at run time.
struct DynamicCodec(MessageDescriptor);

impl Codec for DynamicCodec {
    type Encode = DynamicMessage;
    type Decode = DynamicMessage;
    type Encoder = Self;
    type Decoder = Self;

    fn encoder(&mut self) -> Self {
        Self(self.0.clone())
    }

    fn decoder(&mut self) -> Self {
        Self(self.0.clone())
    }
}

impl Encoder for DynamicCodec {
    type Item = DynamicMessage;
    type Error = Status;

    fn encode(
        &mut self,
        message: DynamicMessage,
        buffer: &mut EncodeBuf<'_>,
    ) -> Result<(), Status> {
        message
            .encode(buffer)
            .map_err(|error| Status::internal(error.to_string()))
    }
}

impl Decoder for DynamicCodec {
    type Item = DynamicMessage;
    type Error = Status;

    fn decode(&mut self, buffer: &mut DecodeBuf<'_>) -> Result<Option<DynamicMessage>, Status> {
        match DynamicMessage::decode(self.0.clone(), buffer) {
            Ok(message) => Ok(Some(message)),
            Err(error) => {
                tracing::error!(%error, "the service behind the gateway has sent an invalid message");
                Err(Status::internal("the service has sent an invalid message"))
            }
        }
    }
}
