//! Mistakes as they look in the output of `cargo build`.

use std::fs;

use expect_test::{Expect, expect};

mod descriptor_sets;
mod names;

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

/// spec:11
#[test]
fn a_half_is_missing() {
    check(
        &operation("Response", ""),
        &expect![[
            r#"proto/broken.proto:12: rpc broken.v1.Broken.Run: metadata_type is empty; write `metadata_type: "RunMetadata"` with the name of a message, which may have no fields yet"#
        ]],
    );
    check(
        "rpc Run(Request) returns (google.longrunning.Operation) {\n  \
         option (google.longrunning.operation_info) = {};\n}",
        &expect![[r#"
            proto/broken.proto:12: rpc broken.v1.Broken.Run: response_type is empty; write `response_type: "RunResponse"` with the name of a message, or `response_type: "google.protobuf.Empty"` if there is nothing to return
            proto/broken.proto:12: rpc broken.v1.Broken.Run: metadata_type is empty; write `metadata_type: "RunMetadata"` with the name of a message, which may have no fields yet"#]],
    );
}

/// spec:13
#[test]
fn a_name_is_not_a_message() {
    check(
        &operation("Respons", "Metadata"),
        &expect![[
            r#"proto/broken.proto:12: rpc broken.v1.Broken.Run: response_type "Respons" is not a message of package broken.v1 (did you mean "Response"?); write the name of one, or the full name of a message of another package, or if the proto is not yours put the file that declares it below an include path"#
        ]],
    );
    check(
        &operation("Metadta", "broken.v1.Metdata"),
        &expect![[r#"
            proto/broken.proto:12: rpc broken.v1.Broken.Run: response_type "Metadta" is not a message of package broken.v1 (did you mean "Metadata"?); write the name of one, or the full name of a message of another package, or if the proto is not yours put the file that declares it below an include path
            proto/broken.proto:12: rpc broken.v1.Broken.Run: metadata_type "broken.v1.Metdata" is not a message of the compiled files (did you mean "broken.v1.Metadata"?); write the full name of one, with its package, and import its file, or if the proto is not yours put the file that declares it below an include path"#]],
    );
    check(
        &operation("Response", "other.v1.Metadata"),
        &expect![[
            r#"proto/broken.proto:12: rpc broken.v1.Broken.Run: metadata_type "other.v1.Metadata" is not a message of the compiled files; write the full name of one, with its package, and import its file, or if the proto is not yours put the file that declares it below an include path"#
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
            r#"proto/broken.proto:12: rpc broken.v1.Broken.Run: response_type "not a name" is not a message of package broken.v1; write the name of one, or the full name of a message of another package, or if the proto is not yours put the file that declares it below an include path"#
        ]],
    );
}

/// spec:15
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
         import \"google/longrunning/operations.proto\";\nimport \"google/rpc/error_details.proto\";\nimport \"google/rpc/status.proto\";\nimport \"google/protobuf/struct.proto\";\n\
         message Request {}\nservice Broken {\n\
         rpc Run(google.rpc.ErrorInfo) returns (google.longrunning.Operation) {\n\
         option (google.longrunning.operation_info) = {\n\
         response_type: \"google.rpc.Status\" metadata_type: \"google.protobuf.Struct\" };\n}\n}\n",
        &expect![
            "proto/broken.proto:10: rpc broken.v1.Broken.Run: request type google.rpc.ErrorInfo has no type URL in Rust, because no crate implements `prost::Name` for it; write a message of your own with a field of that type"
        ],
    );
}

/// spec:12
#[test]
fn the_option_stands_on_another_rpc() {
    check(
        "rpc Run(Request) returns (Response) {\n  option (google.longrunning.operation_info) = {\n    \
         response_type: \"Response\" metadata_type: \"Metadata\"\n  };\n}",
        &expect![[
            r#"proto/broken.proto:12: rpc broken.v1.Broken.Run: has operation_info but returns broken.v1.Response; write `returns (google.longrunning.Operation)`, or remove the option, or if the file is not yours write `.ignore_operation_info("broken.v1.Broken.Run")` in the build script"#
        ]],
    );
}

/// spec:8
#[test]
fn an_operation_streams() {
    check(
        "rpc Run(stream Request) returns (stream google.longrunning.Operation) {\n  \
         option (google.longrunning.operation_info) = {\n    \
         response_type: \"Response\" metadata_type: \"Metadata\"\n  };\n}",
        &expect![[r#"
            proto/broken.proto:12: rpc broken.v1.Broken.Run: has operation_info and streams its requests, but an operation is one response to one request; remove `stream` before the request type, or remove the option, or if the file is not yours write `.ignore_operation_info("broken.v1.Broken.Run")` in the build script
            proto/broken.proto:12: rpc broken.v1.Broken.Run: has operation_info and streams its responses, but an operation is one response to one request; remove `stream` before the response type, or remove the option, or if the file is not yours write `.ignore_operation_info("broken.v1.Broken.Run")` in the build script"#]],
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
    let dir = tempfile::tempdir().expect("a temporary folder");
    let path = dir.path().join("a.proto");
    fs::write(&path, "syntax = \"proto3\";").expect("a file");
    let builder = lro_build::configure().out_dir("unused");
    let error = builder.compile_protos(&[&path], &["proto"]);
    let text = format!("{:?}", error.expect_err("another folder is included"));
    expect!["file 'DIR/a.proto' is not in any include path; look for it below one of the include paths, or add the one it is below"]
        .assert_eq(&text.replace(&dir.path().display().to_string(), "DIR"));
}

#[test]
fn a_file_does_not_exist() {
    let builder = lro_build::configure().out_dir("unused");
    let error = builder.compile_protos(&["protos/a.proto"], &["proto", "more"]);
    expect![[r#"
        protos/a.proto: there is no such file, neither in the folder of Cargo.toml nor below the include path `proto` or the include path `more`; correct the path in the build script
    "#]]
    .assert_debug_eq(&error.expect_err("there is no such file"));
}

#[test]
fn a_proto_has_an_edition() {
    check_file(
        "// A comment.\nedition = \"2023\";\npackage broken.v1;\nmessage Request {}\n",
        &expect![[
            r#"broken.proto: has an edition; neither the compiler nor prost knows editions; write `syntax = "proto3";`, and `optional` before the fields whose absence matters"#
        ]],
    );
}

/// spec:19
#[test]
fn the_build_script_says_what_the_proto_does_not() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let path = dir.path().join("broken.proto");
    let text = "syntax = \"proto3\";\npackage broken.v1;\n\
        import \"google/longrunning/operations.proto\";\n\
        message Request {}\nmessage Response {}\nservice Broken {\n\
        rpc Run(Request) returns (google.longrunning.Operation) {\n\
        option (google.longrunning.operation_info) = {\n\
        response_type: \"Response\" metadata_type: \"Request\" };\n}\n\
        rpc Raw(Request) returns (google.longrunning.Operation);\n\
        rpc Plain(Request) returns (Response);\n}\n";
    fs::write(&path, text).expect("a file");
    let check = |rpc: &str, response: &str, metadata: &str, expected: Expect| {
        let result = lro_build::configure()
            .out_dir(dir.path().join("out"))
            .operation_info(rpc, response, metadata)
            .compile_protos(&[&path], &[dir.path()]);
        let text = result.map_or_else(|error| error.to_string(), |()| "fine".to_owned());
        let place = dir.path().display().to_string();
        expected.assert_eq(&text.replace(&place, "proto"));
    };
    check(
        "broken.v1.Broken.Raw",
        "Response",
        "broken.v1.Request",
        expect!["fine"],
    );
    check(
        "broken.v1.Broken.Run",
        "Response",
        "broken.v1.Request",
        expect!["fine"],
    );
    check(
        "broken.v1.Broken.Run",
        "Request",
        "Request",
        expect![[
            r#"proto/broken.proto:8: rpc broken.v1.Broken.Run: has operation_info with "Response" and "Request", but the build script says "Request" and "Request"; remove the call of `operation_info`, or correct it"#
        ]],
    );
    check(
        "broken.v1.Broken.Raw",
        "Response",
        "Requests",
        expect![[
            r#"proto/broken.proto:11: rpc broken.v1.Broken.Raw: metadata_type "Requests" is not a message of package broken.v1 (did you mean "Request"?); write the name of one, or the full name of a message of another package, or if the proto is not yours put the file that declares it below an include path"#
        ]],
    );
    check(
        "broken.v1.Broken.Plain",
        "Response",
        "Request",
        expect![[
            r#"proto/broken.proto:12: rpc broken.v1.Broken.Plain: has operation_info but returns broken.v1.Response; write `returns (google.longrunning.Operation)`, or remove the option, or if the file is not yours write `.ignore_operation_info("broken.v1.Broken.Plain")` in the build script"#
        ]],
    );
    check(
        "broken.v1.Broken.Ran",
        "Response",
        "Request",
        expect![[
            r#"operation_info: "broken.v1.Broken.Ran" is not an rpc of these protos (did you mean "broken.v1.Broken.Raw" or "broken.v1.Broken.Run"?); write the full name of one, such as "exporter.v1.Exporter.Export""#
        ]],
    );
}

/// report:M10
#[test]
fn the_missing_import_is_suggested() {
    check_file(
        "syntax = \"proto3\";\npackage broken.v1;\nmessage Request {}\nservice Broken {\n\
         rpc Run(Request) returns (google.longrunning.Operation);\n}\n",
        &expect![[
            r#"broken.proto:5:27: name 'google.longrunning.Operation' is not defined; write `import "google/longrunning/operations.proto";` at the top of the file"#
        ]],
    );
    check_file(
        "syntax = \"proto3\";\npackage broken.v1;\nmessage Request {}\nservice Broken {\n\
         rpc Run(Request) returns (Request) {\n\
         option (google.longrunning.operation_info) = {\n\
         response_type: \"Request\" metadata_type: \"Request\" };\n}\n}\n",
        &expect![[
            r#"broken.proto:6:1: name 'google.longrunning.operation_info' is not defined; write `import "google/longrunning/operations.proto";` at the top of the file"#
        ]],
    );
    check_file(
        "syntax = \"proto3\";\npackage broken.v1;\nmessage Request { google.protobuf.Struct a = 1; }\n",
        &expect![[
            r#"broken.proto:3:19: name 'google.protobuf.Struct' is not defined; write `import "google/protobuf/struct.proto";` at the top of the file"#
        ]],
    );
    check_file(
        "syntax = \"proto3\";\npackage broken.v1;\nmessage Request { google.rpc.Status a = 1; }\n",
        &expect![[
            r#"broken.proto:3:19: name 'google.rpc.Status' is not defined; write `import "google/rpc/status.proto";` at the top of the file"#
        ]],
    );
}

#[test]
fn there_is_no_out_dir() {
    let error = lro_build::compile_protos(&["a.proto"], &["proto"]);
    expect![[r#"OUT_DIR is not set, which cargo does for build scripts; call this from `build.rs` beside Cargo.toml, or say where to write with `.out_dir("..")`"#]]
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
