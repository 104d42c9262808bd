//! What a mistake looks like in the output of `cargo build`.

use std::fs;

use expect_test::{Expect, expect};

/// Compiles `broken.proto` with this service body, and compares the error.
fn check(body: &str, expected: &Expect) {
    let text = format!(
        "syntax = \"proto3\";\npackage broken.v1;\n\
         import \"google/longrunning/operations.proto\";\n\
         import \"google/protobuf/empty.proto\";\n\
         message Request {{}}\nmessage Response {{}}\nmessage Metadata {{}}\n\
         message Outer {{ message Inner {{}} }}\nenum Colour {{ RED = 0; }}\n\
         service Broken {{\n{body}\n}}\n"
    );
    check_file(&text, expected);
}

fn check_file(text: &str, expected: &Expect) {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let path = dir.path().join("broken.proto");
    fs::write(&path, text).expect("a file");
    let error = lro_build::configure()
        .out_dir(dir.path().join("out"))
        .compile_protos(&[path], &[dir.path()])
        .expect_err("it is broken");
    let place = dir.path().display().to_string();
    expected.assert_eq(&format!("{error:?}").replace(&place, "proto"));
    assert_eq!(format!("{error}"), format!("{error:?}"));
    assert!(
        !dir.path().join("out").exists(),
        "an error leaves no files behind"
    );
}

/// An rpc with these names, starting on line 11.
fn operation(response: &str, metadata: &str) -> String {
    format!(
        "rpc Run(Request) returns (google.longrunning.Operation) {{\n  \
         option (google.longrunning.operation_info) = {{\n    \
         response_type: \"{response}\"\n    metadata_type: \"{metadata}\"\n  }};\n}}"
    )
}

#[test]
fn a_half_is_missing() {
    check(
        &operation("Response", ""),
        &expect![[
            r#"proto/broken.proto:12: rpc broken.v1.Broken.Run: metadata_type is empty; write `metadata_type: ".."` with the name of a message, or `metadata_type: "google.protobuf.Empty"` if there is nothing to carry"#
        ]],
    );
    check(
        "rpc Run(Request) returns (google.longrunning.Operation) {\n  \
         option (google.longrunning.operation_info) = {};\n}",
        &expect![[r#"
            proto/broken.proto:12: rpc broken.v1.Broken.Run: response_type is empty; write `response_type: ".."` with the name of a message, or `response_type: "google.protobuf.Empty"` if there is nothing to carry
            proto/broken.proto:12: rpc broken.v1.Broken.Run: metadata_type is empty; write `metadata_type: ".."` with the name of a message, or `metadata_type: "google.protobuf.Empty"` if there is nothing to carry"#]],
    );
}

#[test]
fn a_name_is_not_a_message() {
    check(
        &operation("Respons", "Metadata"),
        &expect![[
            r#"proto/broken.proto:12: rpc broken.v1.Broken.Run: response_type "Respons" is not a message of package broken.v1; write the name of one, or the full name of a message of another package"#
        ]],
    );
    check(
        &operation("Response", "other.v1.Metadata"),
        &expect![[
            r#"proto/broken.proto:12: rpc broken.v1.Broken.Run: metadata_type "other.v1.Metadata" is not a message of this file or its imports; write the full name of one, with its package, and import its file"#
        ]],
    );
    check(
        &operation("Colour", "broken.v1.Colour"),
        &expect![[r#"
        proto/broken.proto:12: rpc broken.v1.Broken.Run: response_type "Colour" is an enum; write the name of a message, such as one with a field of that enum
        proto/broken.proto:12: rpc broken.v1.Broken.Run: metadata_type "broken.v1.Colour" is an enum; write the name of a message, such as one with a field of that enum"#]],
    );
    check(
        &operation("not a name", "Metadata"),
        &expect![[
            r#"proto/broken.proto:12: rpc broken.v1.Broken.Run: response_type "not a name" is not a message of package broken.v1; write the name of one, or the full name of a message of another package"#
        ]],
    );
}

#[test]
fn a_name_is_written_in_another_way() {
    check(
        &operation(".broken.v1.Response", "Metadata"),
        &expect![[
            r#"proto/broken.proto:12: rpc broken.v1.Broken.Run: response_type ".broken.v1.Response" starts with a dot; write `response_type: "broken.v1.Response"`"#
        ]],
    );
    check(
        &operation("Outer.Inner", "Inner"),
        &expect![[r#"
        proto/broken.proto:12: rpc broken.v1.Broken.Run: response_type "Outer.Inner" is looked up as a full name, because it has a dot; write `response_type: "broken.v1.Outer.Inner"`
        proto/broken.proto:12: rpc broken.v1.Broken.Run: metadata_type "Inner" is not a message of package broken.v1; write `metadata_type: "broken.v1.Outer.Inner"`"#]],
    );
    check(
        &operation("Empty", "Metadata"),
        &expect![[
            r#"proto/broken.proto:12: rpc broken.v1.Broken.Run: response_type "Empty" is not a message of package broken.v1; write `response_type: "google.protobuf.Empty"`"#
        ]],
    );
}

#[test]
fn a_well_known_type_is_not_imported() {
    check(
        &operation("Response", "google.protobuf.Struct"),
        &expect![[
            r#"proto/broken.proto:12: rpc broken.v1.Broken.Run: metadata_type "google.protobuf.Struct" is not imported; write `import "google/protobuf/struct.proto";` at the top of the file"#
        ]],
    );
}

#[test]
fn a_type_has_no_type_url() {
    check_file(
        "syntax = \"proto3\";\npackage broken.v1;\n\
         import \"google/longrunning/operations.proto\";\nimport \"google/rpc/status.proto\";\nimport \"google/protobuf/struct.proto\";\n\
         message Request {}\nservice Broken {\n\
         rpc Run(google.rpc.Status) returns (google.longrunning.Operation) {\n\
         option (google.longrunning.operation_info) = {\n\
         response_type: \"google.rpc.Status\" metadata_type: \"google.protobuf.Struct\" };\n}\n}\n",
        &expect![[r#"
            proto/broken.proto:9: rpc broken.v1.Broken.Run: response_type "google.rpc.Status" has no type URL in Rust, because no crate implements `prost::Name` for it; write a message of your own with a field of that type
            proto/broken.proto:9: rpc broken.v1.Broken.Run: metadata_type "google.protobuf.Struct" has no type URL in Rust, because no crate implements `prost::Name` for it; write a message of your own with a field of that type
            proto/broken.proto:9: rpc broken.v1.Broken.Run: request type google.rpc.Status has no type URL in Rust, because no crate implements `prost::Name` for it; write a message of your own with a field of that type"#]],
    );
}

#[test]
fn the_option_stands_on_another_rpc() {
    check(
        "rpc Run(Request) returns (Response) {\n  option (google.longrunning.operation_info) = {\n    \
         response_type: \"Response\" metadata_type: \"Metadata\"\n  };\n}",
        &expect![
            "proto/broken.proto:12: rpc broken.v1.Broken.Run: has operation_info but returns broken.v1.Response; write `returns (google.longrunning.Operation)`, or remove the option"
        ],
    );
}

#[test]
fn an_operation_streams() {
    check(
        "rpc Run(stream Request) returns (stream google.longrunning.Operation) {\n  \
         option (google.longrunning.operation_info) = {\n    \
         response_type: \"Response\" metadata_type: \"Metadata\"\n  };\n}",
        &expect![[r#"
            proto/broken.proto:12: rpc broken.v1.Broken.Run: has operation_info and streams its requests, but an operation is one response to one request; remove `stream` before the request type, or remove the option
            proto/broken.proto:12: rpc broken.v1.Broken.Run: has operation_info and streams its responses, but an operation is one response to one request; remove `stream` before the response type, or remove the option"#]],
    );
}

#[test]
fn two_rpcs_have_one_name_in_rust() {
    let second = operation("Response", "Metadata").replace("Run", "run");
    check(
        &[operation("Response", "Metadata"), second].join("\n"),
        &expect![[r#"
            proto/broken.proto:12: rpc broken.v1.Broken.Run: has the same name in Rust as broken.v1.Broken.run, `run`; rename one of the two
            proto/broken.proto:18: rpc broken.v1.Broken.run: has the same name in Rust as broken.v1.Broken.Run, `run`; rename one of the two"#]],
    );
}

#[test]
fn a_proto_does_not_compile() {
    check(
        "rpc Run(Request) returns Response;",
        &expect!["broken.proto:11:26: expected '(', but found 'Response'"],
    );
    check(
        "rpc Run(Requests) returns (Response);",
        &expect!["broken.proto:11:9: name 'Requests' is not defined"],
    );
    check_file(
        "syntax = \"proto3\";\nimport \"missing.proto\";\n",
        &expect![
            "broken.proto:2:1: import 'missing.proto' not found; look for it below one of the include paths, or add the one it is below"
        ],
    );
}

#[test]
fn a_file_is_outside_the_include_paths() {
    let builder = lro_build::configure().out_dir("unused");
    let error = builder.compile_protos(&["elsewhere/a.proto"], &["proto"]);
    expect![[r#"
        file 'elsewhere/a.proto' is not in any include path; look for it below one of the include paths, or add the one it is below
    "#]]
    .assert_debug_eq(&error.expect_err("there is no such file"));
}

#[test]
fn there_is_no_out_dir() {
    let error = lro_build::compile_protos(&["a.proto"], &["proto"]);
    expect![
        "OUT_DIR is not set; call this from a build script, or say where to write with `out_dir`"
    ]
    .assert_eq(&error.expect_err("no build script").to_string());
}

#[test]
fn an_option_is_no_rust() {
    let check = |builder: lro_build::Builder, expected: Expect| {
        let error = builder
            .out_dir("unused")
            .compile_protos(&["a.proto"], &["proto"]);
        let error = error.expect_err("an option is wrong");
        assert!(error.is_option());
        expected.assert_eq(&error.to_string());
    };
    let configure = lro_build::configure;
    check(
        configure().extern_path("common.v1", "::common"),
        expect![[
            r#"extern_path: "common.v1" is not a full proto name; write it with a leading dot, such as ".common.v1""#
        ]],
    );
    check(
        configure().extern_path(".common.v1", "common crate"),
        expect![[
            r#"extern_path: "common crate" is not a Rust path (unexpected token); write one such as "::common::pb""#
        ]],
    );
    check(
        configure().type_attribute(".", "derive(Eq)"),
        expect![
            "type_attribute: `derive(Eq)` is not an attribute (unexpected token); write one such as `#[derive(PartialOrd)]`"
        ],
    );
    check(
        configure().field_attribute(".", "#[serde"),
        expect![
            "field_attribute: `#[serde` is not an attribute (cannot parse string into token stream); write one such as `#[derive(PartialOrd)]`"
        ],
    );
}
