//! Calls over HTTP/1.1, through the gateway of a server.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use exporter::pb::exporter_server::{Exporter as ExporterRpc, ExporterServer};
use exporter::pb::{ExportMetadata, ExportRequest, ExportResponse, GetTableRequest, Table};
use http_body_util::{BodyExt as _, Full};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use lro_core::store::MemoryStore;
use lro_core::{Operation, pb};
use lro_json::{ReadOptions, WriteOptions};
use lro_server::access::OperationsRpc;
use lro_server::{Operations, serve};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use prost_reflect::prost::Message;
use prost_reflect::{DescriptorPool, DynamicMessage};
use tokio::net::{TcpListener, TcpStream};
use tonic::{Code, IntoRequest, Request, Response, Status};

use super::fixture::Server;
use crate::served::gateway;
use crate::support::Exporter;

/// The services over HTTP.
pub(crate) type OperationsOver = Rest;
pub(crate) type ExporterOver = Rest;

/// How many calls each test of isolation makes, unless `LRO_ISOLATION_CALLS` says.
pub(crate) const ISOLATION_CALLS: usize = 10_000;

/// Both services, on a server of their own, which ends with the test's runtime.
pub(crate) fn of(
    operations: &Operations,
    exporter: Arc<Exporter>,
) -> (OperationsOver, Arc<ExporterOver>) {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let address = listener.local_addr().unwrap();
    let server = serve::Server::builder(operations)
        .add_service(ExporterServer::from_arc(exporter))
        .file_descriptor_set(exporter::pb::FILE_DESCRIPTOR_SET)
        .http(|services| gateway(services).build());
    let listener = TcpListener::from_std(listener).unwrap();
    tokio::spawn(server.serve(listener, std::future::pending()));
    let mut types = DescriptorPool::decode(exporter::pb::FILE_DESCRIPTOR_SET).unwrap();
    for set in [
        pb::FILE_DESCRIPTOR_SET,
        tonic_types::pb::FILE_DESCRIPTOR_SET,
    ] {
        for file in DescriptorPool::decode(set).unwrap().files() {
            // One message may stand in files of two names.
            let known = |name: &str| types.get_message_by_name(name).is_some();
            if !file.messages().any(|message| known(message.full_name())) {
                let file = file.file_descriptor_proto().clone();
                types.add_file_descriptor_proto(file).unwrap();
            }
        }
    }
    let rest = Rest {
        address,
        types,
        idle: Arc::default(),
    };
    (rest.clone(), Arc::new(rest))
}

/// Whether a path can have this name: others match no template, as `gateway:17` says.
pub(crate) fn carries(method: OperationsRpc, name: &str) -> bool {
    let name = match method {
        OperationsRpc::List if name.is_empty() => "operations/-".to_owned(),
        OperationsRpc::List => format!("{name}/operations/-"),
        _ => name.to_owned(),
    };
    let segments: Vec<&str> = name.split('/').collect();
    let is_bound = segments.len() >= 2 && segments[segments.len() - 2] == "operations";
    is_bound && segments.iter().all(|it| !it.is_empty()) && carries_text(&name)
}

/// Whether the head of a request has room for this text.
pub(crate) fn carries_text(text: &str) -> bool {
    encoded(text).len() < 15_000
}

/// A server of operations in memory, over HTTP/1.1.
pub(crate) struct Wire {
    pub(crate) server: Server,
}

impl Wire {
    pub(crate) async fn new() -> Self {
        let server = Server::new(Operations::new(MemoryStore::new()));
        Self { server }
    }

    pub(crate) fn client(&self) -> RestClient {
        RestClient(self.server.service.clone())
    }

    /// The server ends with the test's runtime.
    pub(crate) async fn stop(self) {}
}

/// The client of operations, with the methods of the generated one.
pub(crate) struct RestClient(Rest);

/// A method of the client, which calls that of the service.
macro_rules! methods {
    ($($method:ident($request:ident) -> $response:ty;)*) => {
        impl RestClient {
            $(pub(crate) async fn $method(
                &mut self,
                request: impl IntoRequest<pb::$request>,
            ) -> Result<Response<$response>, Status> {
                pb::operations_server::Operations::$method(&self.0, request.into_request()).await
            })*
        }
    };
}

methods! {
    get_operation(GetOperationRequest) -> pb::Operation;
    list_operations(ListOperationsRequest) -> pb::ListOperationsResponse;
    cancel_operation(CancelOperationRequest) -> ();
    delete_operation(DeleteOperationRequest) -> ();
    wait_operation(WaitOperationRequest) -> pb::Operation;
}

/// A client of the gateway, in the form of the services behind it.
#[derive(Clone)]
pub(crate) struct Rest {
    address: SocketAddr,
    types: DescriptorPool,
    /// Connections without a request under way.
    idle: Arc<Mutex<Vec<SendRequest<Full<Bytes>>>>>,
}

impl Rest {
    /// Sends a request with the metadata of the call, and reads the answer as this message.
    async fn call<Q, R>(
        &self,
        request: &Request<Q>,
        (method, path, body): (&str, String, Option<String>),
        name: &str,
    ) -> Result<Response<R>, Status>
    where
        R: Message + Default,
    {
        let mut sent = http::Request::builder().method(method).uri(&path);
        sent = sent.header("host", self.address.to_string());
        for (name, value) in &request.metadata().clone().into_headers() {
            sent = sent.header(name, value);
        }
        if body.is_some() {
            sent = sent.header("content-type", "application/json");
        }
        let body = Full::new(Bytes::from(body.unwrap_or_default()));
        let sent = sent
            .body(body)
            .unwrap_or_else(|error| panic!("{path}: {error}"));
        let mut connection = self.connection().await;
        let response = connection.send_request(sent).await.unwrap();
        let (head, body) = response.into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        self.idle.lock().unwrap().push(connection);
        if !head.status.is_success() {
            return Err(self.error(&body));
        }
        let message = self.read(name, &body);
        Ok(Response::new(R::decode(&*message.encode_to_vec()).unwrap()))
    }

    async fn connection(&self) -> SendRequest<Full<Bytes>> {
        let idle = self.idle.lock().unwrap().pop();
        if let Some(mut idle) = idle
            && idle.ready().await.is_ok()
        {
            return idle;
        }
        let socket = TcpStream::connect(self.address).await.unwrap();
        socket.set_nodelay(true).unwrap();
        let (sender, connection) = handshake(TokioIo::new(socket)).await.unwrap();
        tokio::spawn(connection);
        sender
    }

    fn read(&self, name: &str, json: &[u8]) -> DynamicMessage {
        let descriptor = self.types.get_message_by_name(name);
        let descriptor = descriptor.unwrap_or_else(|| panic!("no type {name}"));
        let options = ReadOptions::new().types(self.types.clone());
        let read = options.read(&descriptor, json);
        read.unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(json)))
    }

    /// The status that an error object is of.
    fn error(&self, body: &[u8]) -> Status {
        let json: serde_json::Value = serde_json::from_slice(body).unwrap();
        let error = &json["error"];
        let code = (0..17).map(Code::from_i32).find(|code| {
            let name = pb::rpc::Code::try_from(*code as i32).unwrap();
            error["status"] == name.as_str_name()
        });
        let code = code.unwrap_or_else(|| panic!("no code in {json}"));
        let message = error["message"].as_str().unwrap();
        let details = error
            .get("details")
            .cloned()
            .unwrap_or_else(|| serde_json::json!([]));
        let status = serde_json::json!({
            "code": code as i32, "message": message, "details": details,
        });
        let status = self.read("google.rpc.Status", status.to_string().as_bytes());
        Status::with_details(code, message, status.encode_to_vec().into())
    }
}

/// A name as a path: slashes separate segments, and all else is encoded.
fn encoded(name: &str) -> String {
    let segments = name.split('/');
    let segments =
        segments.map(|segment| utf8_percent_encode(segment, NON_ALPHANUMERIC).to_string());
    segments.collect::<Vec<_>>().join("/")
}

#[tonic::async_trait]
impl pb::operations_server::Operations for Rest {
    async fn list_operations(
        &self,
        request: Request<pb::ListOperationsRequest>,
    ) -> Result<Response<pb::ListOperationsResponse>, Status> {
        let list = request.get_ref();
        let parent = list.name.strip_suffix("/operations").unwrap_or(&list.name);
        let mut path = match parent {
            "" | "operations" => "/v1/operations".to_owned(),
            parent => format!("/v1/{}/operations", encoded(parent)),
        };
        let query = [
            ("filter", list.filter.clone()),
            ("pageSize", list.page_size.to_string()),
            ("pageToken", list.page_token.clone()),
            (
                "returnPartialSuccess",
                list.return_partial_success.to_string(),
            ),
        ];
        for (n, (name, value)) in query.into_iter().enumerate() {
            let separator = if n == 0 { '?' } else { '&' };
            path.push_str(&format!(
                "{separator}{name}={}",
                encoded(&value).replace('/', "%2F")
            ));
        }
        let name = "google.longrunning.ListOperationsResponse";
        self.call(&request, ("GET", path, None), name).await
    }

    async fn get_operation(
        &self,
        request: Request<pb::GetOperationRequest>,
    ) -> Result<Response<pb::Operation>, Status> {
        let path = format!("/v1/{}", encoded(&request.get_ref().name));
        self.call(
            &request,
            ("GET", path, None),
            "google.longrunning.Operation",
        )
        .await
    }

    async fn delete_operation(
        &self,
        request: Request<pb::DeleteOperationRequest>,
    ) -> Result<Response<()>, Status> {
        let path = format!("/v1/{}", encoded(&request.get_ref().name));
        self.call(&request, ("DELETE", path, None), "google.protobuf.Empty")
            .await
    }

    async fn cancel_operation(
        &self,
        request: Request<pb::CancelOperationRequest>,
    ) -> Result<Response<()>, Status> {
        let path = format!("/v1/{}:cancel", encoded(&request.get_ref().name));
        let call = ("POST", path, Some("{}".to_owned()));
        self.call(&request, call, "google.protobuf.Empty").await
    }

    async fn wait_operation(
        &self,
        request: Request<pb::WaitOperationRequest>,
    ) -> Result<Response<pb::Operation>, Status> {
        let wait = request.get_ref();
        let path = format!("/v1/{}:wait", encoded(&wait.name));
        let body = match &wait.timeout {
            None => "{}".to_owned(),
            Some(timeout) => format!(
                r#"{{"timeout":"{}.{:09}s"}}"#,
                timeout.seconds, timeout.nanos
            ),
        };
        self.call(
            &request,
            ("POST", path, Some(body)),
            "google.longrunning.Operation",
        )
        .await
    }
}

#[tonic::async_trait]
impl ExporterRpc for Rest {
    async fn export(
        &self,
        request: Request<ExportRequest>,
    ) -> Result<Response<Operation<ExportResponse, ExportMetadata>>, Status> {
        let encoded = request.get_ref().encode_to_vec();
        let descriptor = self.types.get_message_by_name("exporter.v1.ExportRequest");
        let message = DynamicMessage::decode(descriptor.unwrap(), &*encoded).unwrap();
        let body = WriteOptions::new().write(&message).unwrap().json;
        let call = ("POST", "/v1/exports".to_owned(), Some(body));
        let name = "google.longrunning.Operation";
        let started: Response<pb::Operation> = self.call(&request, call, name).await?;
        Ok(started.map(Into::into))
    }

    async fn get_table(
        &self,
        request: Request<GetTableRequest>,
    ) -> Result<Response<Table>, Status> {
        let path = format!("/v1/tables/{}", encoded(&request.get_ref().name));
        self.call(&request, ("GET", path, None), "exporter.v1.Table")
            .await
    }
}
