//! The comments of requests in the descriptor set of the generated code.
#![allow(clippy::unwrap_used, reason = "helpers of tests are tests too")]

use std::path::Path;

use lro_build::{Builder, configure};
use prost::Message as _;
use prost_types::FileDescriptorSet;

const PROTO: &str = r#"
syntax = "proto3";
package notes.v1;
import "google/longrunning/operations.proto";
import "google/protobuf/duration.proto";

// A service.
service Notes {
  // Prints notes.
  rpc Print(PrintRequest) returns (google.longrunning.Operation) {
    option (google.longrunning.operation_info) = {response_type: "Printed" metadata_type: "Printed"};
  }
  // Not long-running.
  rpc Get(GetRequest) returns (Printed);
}

// Detached.

// The pages to print.
message PrintRequest {
  // Its pages.
  repeated Page pages = 1;
  // How.
  Colour colour = 2;
  oneof printer {
    // By name.
    string name = 3;
  }
  google.protobuf.Duration limit = 4; // At most.
  Inner inner = 5;
  message Inner {
    // Deep.
    bool deep = 1;
  }
  // Of no field.
  message Unused {}
}

// A page.
message Page {
  // From 1.
  int32 number = 1;
}

// A colour.
enum Colour {
  // Unknown.
  COLOUR_UNSPECIFIED = 0;
  // Red.
  RED = 1;
}

// Not kept.
message GetRequest {
  // Not kept.
  string name = 1;
}

// Not kept.
message Printed {}
"#;

/// The comments in the set that the builder writes, and its size.
fn comments(builder: Builder) -> (Vec<String>, usize) {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("notes.proto"), PROTO).unwrap();
    let set = folder.path().join("set.binpb");
    builder
        .out_dir(folder.path())
        .file_descriptor_set_path(&set)
        .compile_protos(&[Path::new("notes.proto")], &[folder.path()])
        .unwrap();
    let bytes = std::fs::read(set).unwrap();
    // The generated code has the same.
    let embedded = std::fs::read(folder.path().join("notes.v1.descriptor.bin")).unwrap();
    assert_eq!(embedded, bytes);
    let set = FileDescriptorSet::decode(&*bytes).unwrap();
    let infos = set.file.into_iter().filter_map(|it| it.source_code_info);
    let places = infos.flat_map(|info| info.location);
    let texts = places.flat_map(|it| {
        assert!(it.leading_detached_comments.is_empty());
        [it.leading_comments, it.trailing_comments]
    });
    let texts = texts.flatten().map(|text| text.trim().to_owned());
    (texts.collect(), bytes.len())
}

#[test]
fn the_comments_of_requests_are_kept_on_demand_and_no_others() {
    let (mut found, with) = comments(configure().request_comments(true));
    found.sort();
    assert_eq!(
        found,
        [
            "A colour.",
            "A page.",
            "At most.",
            "By name.",
            "Deep.",
            "From 1.",
            "How.",
            "Its pages.",
            "Prints notes.",
            "Red.",
            "The pages to print.",
            "Unknown.",
        ]
    );
    let (none, without) = comments(configure());
    assert_eq!(none, Vec::<String>::new());
    assert!(without < with, "{without} {with}");
}
