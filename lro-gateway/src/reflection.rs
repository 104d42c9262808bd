//! Descriptors by gRPC server reflection.

use std::collections::HashSet;

use bytes::Bytes;
use futures_util::stream;
use http::uri::PathAndQuery;
use lro_core::Reason;
use lro_core::codec::ProstCodec;
use prost::Message as _;
use tonic::{Code, Request, Status};
use tower::Service;

use crate::body::BoxError;
use crate::call::Backend;
use crate::types::{File, RawSet};

/// The methods of both versions, whose messages are the same.
const METHODS: [&str; 2] = [
    "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo",
    "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo",
];

/// The most files that a server may send.
const MAX_FILES: usize = 2_000;

/// The most bytes that these files may have.
const MAX_BYTES: usize = 64 * 1024 * 1024;

/// Asks a gRPC server for the descriptors of its services, by server reflection (`v1` or `v1alpha`): an
/// encoded `FileDescriptorSet` for [`GatewayBuilder::file_descriptor_set`](crate::GatewayBuilder::file_descriptor_set).
///
/// ```
/// use lro_gateway::Gateway;
/// use tonic::transport::Channel;
///
/// /// HTTP/JSON in front of a server elsewhere.
/// async fn proxy(channel: Channel) -> Result<Gateway, Box<dyn std::error::Error>> {
///     let descriptors = lro_gateway::reflect(channel.clone()).await?;
///     let gateway = Gateway::builder(channel).file_descriptor_set(descriptors);
///     Ok(gateway.build()?)
/// }
/// ```
///
/// The set is that of the moment: a gateway does not learn of rpcs that the server gets later. The
/// call has no time limit of its own.
///
/// # Errors
///
/// UNIMPLEMENTED if the server has no reflection, RESOURCE_EXHAUSTED if it has more than 2,000 files or
/// 64 MiB of them, and the errors of its calls.
///
/// # Cancel safety
///
/// Dropping the future ends the calls; there is nothing to undo.
pub async fn reflect<S, B>(services: S) -> Result<Vec<u8>, Status>
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
    let backend = Backend::new(services);
    let (server, services) = Server::find(&backend).await?;
    let mut files = Files::default();
    for service in services {
        let found = server.ask(&Question::symbol(&service)).await?.files();
        if found.is_empty() {
            tracing::warn!(%service, "the server has no descriptors of a service: HTTP does not reach it");
        }
        files.add(found)?;
    }
    // The imports that the server has not sent along. It may have none of the standard ones.
    while let Some(import) = files.next_import() {
        let found = server.ask(&Question::file(&import)).await?.files();
        files.add(found)?;
    }
    Ok(files.set.encode_to_vec())
}

/// A server, with the version of reflection that it has.
struct Server<'b> {
    backend: &'b Backend,
    method: PathAndQuery,
}

impl<'b> Server<'b> {
    /// The names of the services, by the first version that the server has.
    async fn find(backend: &'b Backend) -> Result<(Self, Vec<String>), Status> {
        for method in METHODS {
            let method = PathAndQuery::from_static(method);
            let server = Self { backend, method };
            match server.ask(&Question::services()).await {
                Ok(answer) => return Ok((server, answer.services())),
                Err(status) if status.code() == Code::Unimplemented => {}
                Err(status) => return Err(status),
            }
        }
        let message = "the server has no reflection; give the gateway a descriptor set";
        Err(Reason::Unimplemented.status(message, []))
    }

    async fn ask(&self, question: &Question) -> Result<Answer, Status> {
        let mut grpc = self.backend.client().max_decoding_message_size(MAX_BYTES);
        grpc.ready().await?;
        let request = Request::new(stream::iter([question.clone()]));
        let codec = ProstCodec::<Question, Answer>::default();
        let answers = grpc.streaming(request, self.method.clone(), codec).await?;
        let answer = answers.into_inner().message().await?.unwrap_or_default();
        match &answer.error {
            // Some servers answer so in place of the status of the call.
            Some(error) if Code::from(error.code) == Code::Unimplemented => {
                Err(Status::unimplemented(error.message.clone()))
            }
            _ => Ok(answer),
        }
    }
}

/// The files so far.
#[derive(Default)]
struct Files {
    set: RawSet,
    bytes: usize,
    names: HashSet<String>,
    /// The imports to look for, and those that were asked for.
    imports: Vec<String>,
    asked: HashSet<String>,
}

impl Files {
    fn add(&mut self, files: Vec<Vec<u8>>) -> Result<(), Status> {
        for file in files {
            let file = File::read(file).map_err(|error| {
                Status::internal(format!("the server has sent an invalid file: {error}"))
            })?;
            if !self.names.insert(file.name) {
                continue;
            }
            self.imports.extend(file.imports);
            self.bytes += file.bytes.len();
            self.set.file.push(file.bytes);
            if self.set.file.len() > MAX_FILES || self.bytes > MAX_BYTES {
                let message = format!(
                    "the server has more than {MAX_FILES} files or {MAX_BYTES} bytes of descriptors"
                );
                return Err(Reason::LimitExceeded.status(message, []));
            }
        }
        Ok(())
    }

    /// The next import that is not there and was not asked for.
    fn next_import(&mut self) -> Option<String> {
        while let Some(import) = self.imports.pop() {
            if !self.names.contains(&import) && self.asked.insert(import.clone()) {
                return Some(import);
            }
        }
        None
    }
}

/// A `ServerReflectionRequest`, as far as it is used.
#[derive(Clone, PartialEq, prost::Message)]
struct Question {
    #[prost(string, optional, tag = "3")]
    file_by_filename: Option<String>,
    #[prost(string, optional, tag = "4")]
    file_containing_symbol: Option<String>,
    #[prost(string, optional, tag = "7")]
    list_services: Option<String>,
}

impl Question {
    fn services() -> Self {
        Self {
            list_services: Some("*".to_owned()),
            ..Self::default()
        }
    }

    fn symbol(name: &str) -> Self {
        Self {
            file_containing_symbol: Some(name.to_owned()),
            ..Self::default()
        }
    }

    fn file(name: &str) -> Self {
        Self {
            file_by_filename: Some(name.to_owned()),
            ..Self::default()
        }
    }
}

/// A `ServerReflectionResponse`, as far as it is used.
#[derive(Clone, PartialEq, prost::Message)]
struct Answer {
    #[prost(message, optional, tag = "4")]
    files: Option<RawSet>,
    #[prost(message, optional, tag = "6")]
    services: Option<Services>,
    #[prost(message, optional, tag = "7")]
    error: Option<Refusal>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct Services {
    #[prost(message, repeated, tag = "1")]
    service: Vec<Named>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct Named {
    #[prost(string, tag = "1")]
    name: String,
}

#[derive(Clone, PartialEq, prost::Message)]
struct Refusal {
    #[prost(int32, tag = "1")]
    code: i32,
    #[prost(string, tag = "2")]
    message: String,
}

impl Answer {
    /// The files; none where the server does not know what it was asked for.
    fn files(self) -> Vec<Vec<u8>> {
        self.files.unwrap_or_default().file
    }

    fn services(self) -> Vec<String> {
        let services = self.services.unwrap_or_default().service;
        services.into_iter().map(|service| service.name).collect()
    }
}
