//! Messages of exports.proto, made from JSON.

use std::sync::OnceLock;

use lro_core::pb;
use lro_core::pb::operation::Result as Outcome;
use prost::Message as _;
use prost_reflect::DescriptorPool;
use prost_types::Any;

/// The file and all that it imports, encoded.
pub(crate) fn descriptor_set() -> Vec<u8> {
    pool().encode_to_vec()
}

/// The same with the comments of the proto.
pub(crate) fn descriptor_set_with_comments() -> Vec<u8> {
    compile(true).encode_to_vec()
}

fn pool() -> &'static DescriptorPool {
    static POOL: OnceLock<DescriptorPool> = OnceLock::new();
    POOL.get_or_init(|| compile(false))
}

fn compile(comments: bool) -> DescriptorPool {
    let folders = ["/tests/it", "/../lro-build/proto"];
    let folders = folders.map(|it| format!("{}{it}", env!("CARGO_MANIFEST_DIR")));
    let mut compiler = protox::Compiler::new(folders).unwrap();
    compiler.include_imports(true).include_source_info(comments);
    compiler.open_file("exports.proto").unwrap();
    compiler.descriptor_pool()
}

/// A message of google.example.v1 in an Any.
pub(crate) fn any(name: &str, json: &str) -> Any {
    let name = format!("google.example.v1.{name}");
    let descriptor = pool().get_message_by_name(&name).unwrap();
    let message = lro_json::ReadOptions::new()
        .read(&descriptor, json.as_bytes())
        .unwrap();
    Any {
        type_url: format!("type.googleapis.com/{name}"),
        value: message.encode_to_vec(),
    }
}

/// An operation that runs, with this metadata.
pub(crate) fn running(name: &str, metadata: &str) -> pb::Operation {
    pb::Operation {
        name: name.to_owned(),
        metadata: Some(any("ExportMetadata", metadata)),
        ..Default::default()
    }
}

pub(crate) fn succeeded(name: &str, metadata: &str, response: &str) -> pb::Operation {
    pb::Operation {
        done: true,
        result: Some(Outcome::Response(any("ExportResponse", response))),
        ..running(name, metadata)
    }
}

pub(crate) fn failed(
    name: &str,
    metadata: &str,
    code: i32,
    message: &str,
    details: Vec<Any>,
) -> pb::Operation {
    let message = message.to_owned();
    let status = pb::rpc::Status {
        code,
        message,
        details,
    };
    pb::Operation {
        done: true,
        result: Some(Outcome::Error(status)),
        ..running(name, metadata)
    }
}

/// A message of google.rpc in an Any.
pub(crate) fn pack(name: &str, message: &impl prost::Message) -> Any {
    Any {
        type_url: format!("type.googleapis.com/google.rpc.{name}"),
        value: message.encode_to_vec(),
    }
}
