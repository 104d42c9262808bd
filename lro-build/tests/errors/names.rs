//! Names that clash in Rust.

use expect_test::expect;

use super::{check, check_file, operation};

#[test]
fn two_rpcs_have_one_name_in_rust() {
    let second = operation("Response", "Metadata").replace("Run", "run");
    check(
        &[operation("Response", "Metadata"), second].join("\n"),
        &expect![
            "proto/broken.proto:17: service broken.v1.Broken: the rpcs Run and run both become `run` in Rust; rename one of the two"
        ],
    );
}

#[test]
fn two_names_are_one_in_rust() {
    check_file(
        "syntax = \"proto2\";\npackage broken.v1;\n\
         enum Colour {\n  COLOUR_UNSPECIFIED = 0;\n  COLOUR_RED = 1;\n  RED = 2;\n}\n\
         message Request {\n  optional string aB = 1;\n  oneof a_b { string c = 2; }\n  \
         message Inner {}\n  enum inner { X = 0; }\n}\n\
         message request {}\nservice Option {}\nservice option {}\n",
        &expect![[r#"
            proto/broken.proto:6: enum broken.v1.Colour: the values COLOUR_RED and RED both become `Red` in Rust; rename one of the two
            proto/broken.proto:10: message broken.v1.Request: the fields aB and a_b both become `a_b` in Rust; rename one of the two
            proto/broken.proto:12: enum broken.v1.Request.inner: has the same name in Rust as broken.v1.Request.Inner, `Inner`; rename one of the two
            proto/broken.proto:14: message broken.v1.request: has the same name in Rust as broken.v1.Request, `Request`; rename one of the two
            proto/broken.proto:15: service broken.v1.Option: the server code that tonic writes needs the name `Option` for something else; rename the service, to `OptionService` for example, or turn the servers off with `.build_server(false)` in the build script
            proto/broken.proto:16: service broken.v1.option: has the same name in Rust as broken.v1.Option, `Option`; rename one of the two
            proto/broken.proto:16: service broken.v1.option: the server code that tonic writes needs the name `Option` for something else; rename the service, to `OptionService` for example, or turn the servers off with `.build_server(false)` in the build script"#]],
    );
}

/// report:M1 report:M3
#[test]
fn modules_and_rpcs_have_one_name_in_rust() {
    check_file(
        "syntax = \"proto3\";\npackage broken.v1;\n\
         message BrokenServer { enum Kind { X = 0; } }\nmessage BrokenClient { oneof a { string b = 1; } }\n\
         message Request {}\n\
         service Broken {\nrpc GetTable(Request) returns (Request);\nrpc getTable(Request) returns (Request);\n}\n\
         service RunSvc { rpc Run(Request) returns (Request); }\n\
         service B { rpc Run(Request) returns (Request); }\n",
        &expect![[r#"
            proto/broken.proto:3: message broken.v1.BrokenServer: its nested types need the module `broken_server`, which holds the server of service broken.v1.Broken; rename one of the two, or turn the servers off with `.build_server(false)` in the build script
            proto/broken.proto:4: message broken.v1.BrokenClient: its nested types need the module `broken_client`, which holds the client of service broken.v1.Broken; rename one of the two, or turn the clients off with `.build_client(false)` in the build script
            proto/broken.proto:8: service broken.v1.Broken: the rpcs GetTable and getTable both become `get_table` in Rust; rename one of the two
            proto/broken.proto:10: service broken.v1.RunSvc: the server code that tonic writes needs the name `RunSvc` for something else, a type for its rpc Run; rename the service, to `RunSvcService` for example, or turn the servers off with `.build_server(false)` in the build script
            proto/broken.proto:11: service broken.v1.B: the server code that tonic writes needs the name `B` for something else; rename the service, to `BService` for example, or turn the servers off with `.build_server(false)` in the build script"#]],
    );
}
