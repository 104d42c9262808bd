//! A gRPC server of every service, that answers as a case says and remembers the call.

use std::convert::Infallible;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::{BufMut as _, Bytes, BytesMut};
use http::{HeaderMap, Request, Response};
use http_body_util::BodyExt as _;
use lro_json::ReadOptions;
use prost_reflect::prost::Message as _;
use prost_reflect::{DescriptorPool, DynamicMessage, MessageDescriptor};
use serde_json::Value;
use tonic::body::Body;
use tonic::{Code, Status};

/// A call that the backend received.
#[derive(Clone)]
pub(crate) struct Asked {
    /// `package.Service/Method`.
    pub(crate) method: String,
    pub(crate) message: DynamicMessage,
    pub(crate) metadata: HeaderMap,
}

/// The backend of all cases, one after the other.
#[derive(Clone)]
pub(crate) struct Backend {
    types: DescriptorPool,
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    answer: Value,
    asked: Option<Asked>,
}

impl Backend {
    pub(crate) fn new(types: DescriptorPool) -> Self {
        Self {
            types,
            state: Arc::default(),
        }
    }

    /// Begins a case, with its `backend`.
    pub(crate) fn begin(&self, answer: &Value) {
        let mut state = self.state.lock().unwrap();
        *state = State {
            answer: answer.clone(),
            asked: None,
        };
    }

    pub(crate) fn asked(&self) -> Option<Asked> {
        self.state.lock().unwrap().asked.clone()
    }

    /// As a tower service.
    pub(crate) fn service(
        &self,
    ) -> impl tower::Service<
        Request<Body>,
        Response = Response<Body>,
        Error = Infallible,
        Future: Send,
    > + Clone
    + Send
    + Sync
    + 'static {
        let this = self.clone();
        tower::service_fn(move |request| {
            let this = this.clone();
            async move { Ok(this.answer(request).await) }
        })
    }

    async fn answer(&self, request: Request<Body>) -> Response<Body> {
        let method = request.uri().path().trim_start_matches('/').to_owned();
        let metadata = request.headers().clone();
        let body = request.into_body().collect().await.unwrap().to_bytes();
        let name = method.replacen('/', ".", 1);
        let rpc = self
            .types
            .services()
            .flat_map(|service| service.methods().collect::<Vec<_>>());
        let Some(rpc) = rpc.into_iter().find(|rpc| rpc.full_name() == name) else {
            return Status::unimplemented(method).into_http();
        };
        let message = DynamicMessage::decode(rpc.input(), &body[5..]).unwrap();
        let answer = {
            let mut state = self.state.lock().unwrap();
            state.asked = Some(Asked {
                method,
                message,
                metadata,
            });
            state.answer.clone()
        };
        if let Some(delay) = answer["delay_ms"].as_u64() {
            tokio::time::sleep(Duration::from_millis(delay)).await;
        }
        self.messages(&answer, &rpc.output())
    }

    fn messages(&self, answer: &Value, output: &MessageDescriptor) -> Response<Body> {
        let read = |json: &Value| {
            let options = ReadOptions::new().types(self.types.clone());
            options
                .read(output, json.to_string().as_bytes())
                .unwrap()
                .encode_to_vec()
        };
        let status = answer.get("status").map(|status| self.status(status));
        let mut messages = Vec::new();
        if let Some(items) = answer["stream"].as_array() {
            messages.extend(items.iter().map(read));
        } else if let Some(hex) = answer["response_hex"].as_str() {
            messages.push(hex::decode(hex).unwrap());
        } else if let Some(json) = answer.get("response_json") {
            messages.push(read(json));
        } else if status.is_none() {
            messages.push(Vec::new());
        }
        if let (Some(status), true) = (&status, messages.is_empty()) {
            return status.clone().into_http();
        }
        let mut frames: Vec<Result<http_body::Frame<Bytes>, Status>> = Vec::new();
        for message in messages {
            let mut frame = BytesMut::new();
            frame.put_u8(0);
            frame.put_u32(u32::try_from(message.len()).unwrap());
            frame.put_slice(&message);
            frames.push(Ok(http_body::Frame::data(frame.freeze())));
        }
        let mut trailers = HeaderMap::new();
        status
            .unwrap_or_else(|| Status::new(Code::Ok, ""))
            .add_header(&mut trailers)
            .unwrap();
        frames.push(Ok(http_body::Frame::trailers(trailers)));
        let body = http_body_util::StreamBody::new(futures_util::stream::iter(frames));
        let mut response = Response::new(Body::new(body));
        response
            .headers_mut()
            .insert("content-type", "application/grpc".parse().unwrap());
        response
    }

    fn status(&self, status: &Value) -> Status {
        let name = status["code"].as_str().unwrap();
        let code = (0..17)
            .map(Code::from_i32)
            .find(|code| code_name(*code) == name)
            .unwrap();
        let message = status["message"].as_str().unwrap_or_default();
        let Some(details) = status.get("details") else {
            return Status::new(code, message);
        };
        let descriptor = self.types.get_message_by_name("google.rpc.Status").unwrap();
        let json =
            serde_json::json!({ "code": code as i32, "message": message, "details": details });
        let options = ReadOptions::new().types(self.types.clone());
        let details = options
            .read(&descriptor, json.to_string().as_bytes())
            .unwrap();
        Status::with_details(code, message, details.encode_to_vec().into())
    }
}

/// `NOT_FOUND` for `NotFound`.
fn code_name(code: Code) -> String {
    let mut name = String::new();
    for c in format!("{code:?}").chars() {
        if c.is_ascii_uppercase() && !name.is_empty() {
            name.push('_');
        }
        name.push(c.to_ascii_uppercase());
    }
    name
}
