//! Services that answer with random messages of the type that the rpc returns, and now and then with an
//! error.

use std::convert::Infallible;
use std::sync::{Arc, Mutex};

use bytes::{BufMut as _, Bytes, BytesMut};
use http::{HeaderMap, Request, Response};
use lro_gateway::Gateway;
use prost_reflect::prost::Message as _;
use prost_reflect::{DescriptorPool, DynamicMessage, MethodDescriptor};
use tonic::body::Body;
use tonic::{Code, Status};

use crate::protos;
use crate::random::Random;
use crate::served::Served;

/// How deep the answers are.
const DEPTH: u32 = 3;

#[derive(Clone)]
struct Mirror {
    types: DescriptorPool,
    random: Arc<Mutex<(Random, u32)>>,
}

/// Serves the mirror and the services of the table of cases.
pub(crate) async fn serve(seed: u64) -> Served {
    let cases: serde_json::Value =
        serde_json::from_str(include_str!("../gateway/cases.json")).unwrap();
    let depot = &cases["protos"]["depot/v1/depot.proto"];
    let files = [
        ("depot/v1/depot.proto", depot.as_str().unwrap()),
        (
            "everything.proto",
            include_str!("../../../lro-json/tests/it/everything.proto"),
        ),
        ("mirror.proto", include_str!("scripts/mirror.proto")),
    ];
    let files = files.map(|(name, text)| (name.to_owned(), text.to_owned()));
    let descriptors = protos::compile(&files).unwrap();
    let mirror = Mirror {
        types: DescriptorPool::decode(&*descriptors).unwrap(),
        random: Arc::new(Mutex::new((Random::from_seed(seed), 0))),
    };
    let service = tower::service_fn(move |request: Request<Body>| {
        let mirror = mirror.clone();
        async move { Ok::<_, Infallible>(mirror.answer(&request)) }
    });
    let gateway = Gateway::builder(service).file_descriptor_set(descriptors);
    Served::gateway(gateway.build().unwrap()).await
}

impl Mirror {
    fn answer(&self, request: &Request<Body>) -> Response<Body> {
        let name = request.uri().path()[1..].replace('/', ".");
        let services = self.types.services();
        let rpc = services
            .flat_map(|service| service.methods().collect::<Vec<_>>())
            .find(|rpc| rpc.full_name() == name);
        let Some(rpc) = rpc else {
            return Status::unimplemented(name).into_http();
        };
        let mut random = self.random.lock().unwrap();
        let (random, count) = &mut *random;
        *count += 1;
        if *count % 7 == 0 {
            return self.error(random, *count).into_http();
        }
        let messages = if rpc.is_server_streaming() {
            *count % 3
        } else {
            1
        };
        let messages: Vec<_> = (0..messages).map(|_| message(random, &rpc)).collect();
        grpc(&messages)
    }

    fn error(&self, random: &mut Random, count: u32) -> Status {
        let codes = [
            Code::NotFound,
            Code::InvalidArgument,
            Code::ResourceExhausted,
            Code::Aborted,
            Code::Cancelled,
            Code::PermissionDenied,
        ];
        let code = codes[usize::try_from(count).unwrap() % codes.len()];
        let mut status = random.message(
            &self.types.get_message_by_name("google.rpc.Status").unwrap(),
            DEPTH,
        );
        status.set_field_by_number(1, prost_reflect::Value::I32(code as i32));
        Status::with_details(code, "mirrored", status.encode_to_vec().into())
    }
}

/// A message of the rpc's type. An operation has what its rpc's `operation_info` says, so it stays empty.
fn message(random: &mut Random, rpc: &MethodDescriptor) -> DynamicMessage {
    match rpc.output() {
        output if output.full_name() == "google.longrunning.Operation" => {
            DynamicMessage::new(output)
        }
        output => random.message(&output, DEPTH),
    }
}

fn grpc(messages: &[DynamicMessage]) -> Response<Body> {
    let mut frames: Vec<Result<http_body::Frame<Bytes>, Status>> = Vec::new();
    for message in messages {
        let mut frame = BytesMut::new();
        frame.put_u8(0);
        frame.put_u32(u32::try_from(message.encoded_len()).unwrap());
        message.encode(&mut frame).unwrap();
        frames.push(Ok(http_body::Frame::data(frame.freeze())));
    }
    let mut trailers = HeaderMap::new();
    trailers.insert("grpc-status", "0".parse().unwrap());
    frames.push(Ok(http_body::Frame::trailers(trailers)));
    let body = http_body_util::StreamBody::new(futures_util::stream::iter(frames));
    let mut response = Response::new(Body::new(body));
    let content_type = "application/grpc".parse().unwrap();
    response.headers_mut().insert("content-type", content_type);
    response
}
