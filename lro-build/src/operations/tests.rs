use std::fs;

use expect_test::{Expect, expect};

use super::{Given, Operations};
use crate::extern_paths::ExternPaths;
use crate::protos::Protos;

/// Compiles a service body and compares the warnings.
fn check(body: &str, expected: &Expect) {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let files = [
        (
            "far.proto",
            "syntax = \"proto3\";\npackage far.v1;\nmessage Far {}\n".to_owned(),
        ),
        (
            "near.proto",
            "syntax = \"proto3\";\npackage near.v1;\nimport \"far.proto\";\n\
             message Near { far.v1.Far far = 1; }\n"
                .to_owned(),
        ),
        (
            "warned.proto",
            format!(
                "syntax = \"proto3\";\npackage warned.v1;\n\
                 import \"google/longrunning/operations.proto\";\nimport \"near.proto\";\n\
                 import \"google/protobuf/empty.proto\";\n\
                 service Warned {{\n{body}\n}}\n"
            ),
        ),
    ];
    for (name, text) in files {
        fs::write(dir.path().join(name), text).expect("a file");
    }
    let protos = Protos::compile(&[dir.path().join("warned.proto")], &[dir.path()], &[]);
    let protos = protos.expect("it compiles");
    let given = Given {
        infos: &[],
        ignored: &[],
    };
    let operations =
        Operations::find(&protos, |_| true, &ExternPaths::default(), given).expect("no errors");
    let place = dir.path().display().to_string();
    let warnings: Vec<String> = operations
        .warnings
        .iter()
        .map(|warning| warning.problem.to_string().replace(&place, "proto"))
        .collect();
    expected.assert_eq(&warnings.join("\n"));
}

/// spec:11
#[test]
fn an_rpc_without_annotation_is_untyped() {
    let body = "rpc Run(near.v1.Near) returns (google.longrunning.Operation);";
    check(
        body,
        &expect![[
            r#"proto/warned.proto:7: rpc warned.v1.Warned.Run: returns google.longrunning.Operation without operation_info, so its types stay unknown; write `option (google.longrunning.operation_info) = { response_type: ".." metadata_type: ".." };` in its body, or if the file is not yours `.operation_info("warned.v1.Warned.Run", "..", "..")` in the build script"#
        ]],
    );
}

/// spec:14
#[test]
fn a_dotted_name_is_fully_qualified() {
    let body = "rpc Run(near.v1.Near) returns (google.longrunning.Operation) { \
                option (google.longrunning.operation_info) = { response_type: \"near.v1.Near\" \
                metadata_type: \"near.v1.Near\" }; }";
    check(body, &expect![[""]]);
}

/// spec:16
#[test]
fn a_type_is_not_imported_directly() {
    let body = "rpc Run(near.v1.Near) returns (google.longrunning.Operation) {\n\
        option (google.longrunning.operation_info) = {\n\
        response_type: \"far.v1.Far\" metadata_type: \"near.v1.Near\" };\n}";
    check(
        body,
        &expect![[
            r#"proto/warned.proto:8: rpc warned.v1.Warned.Run: response_type "far.v1.Far" is declared in a file that is not imported here, which other generators refuse; write `import "far.proto";`"#
        ]],
    );
}

/// spec:17
#[test]
fn empty_metadata() {
    let body = |response: &str, metadata: &str| {
        format!(
            "rpc Run(near.v1.Near) returns (google.longrunning.Operation) {{\n\
             option (google.longrunning.operation_info) = {{\n\
             response_type: \"{response}\" metadata_type: \"{metadata}\" }};\n}}"
        )
    };
    let empty = "google.protobuf.Empty";
    check(
        &body("near.v1.Near", empty),
        &expect![[
            r#"proto/warned.proto:8: rpc warned.v1.Warned.Run: metadata_type "google.protobuf.Empty" tells callers nothing while the operation runs, and can never be changed without breaking them; write a message such as `RunMetadata`, even without fields"#
        ]],
    );
    // A quarter of all operations in Google's protos respond with it.
    check(&body(empty, "near.v1.Near"), &expect![""]);
}

/// spec:21
#[test]
fn a_standard_method_responds_with_something_else() {
    let rpc = |name: &str, response: &str| {
        format!(
            "rpc {name}(near.v1.Near) returns (google.longrunning.Operation) {{\n\
             option (google.longrunning.operation_info) = {{\n\
             response_type: \"{response}\" metadata_type: \"near.v1.Near\" }};\n}}"
        )
    };
    let (near, empty) = ("near.v1.Near", "google.protobuf.Empty");
    check(
        &rpc("CreateShelf", near),
        &expect![
            r#"proto/warned.proto:8: rpc warned.v1.Warned.CreateShelf: response_type "near.v1.Near" is not the resource, which AIP-133 wants of `Create`; write "Shelf""#
        ],
    );
    check(
        &rpc("UpdateNear", empty),
        &expect![
            r#"proto/warned.proto:8: rpc warned.v1.Warned.UpdateNear: response_type "google.protobuf.Empty" is not the resource, which AIP-134 wants of `Update`; write "Near""#
        ],
    );
    check(
        &rpc("DeleteShelf", near),
        &expect![
            r#"proto/warned.proto:8: rpc warned.v1.Warned.DeleteShelf: response_type "near.v1.Near" is not the resource, which AIP-135 wants of `Delete`; write "google.protobuf.Empty", or "Shelf" if it can be undeleted"#
        ],
    );
    for (name, response) in [
        ("CreateNear", near),
        ("UpdateNear", near),
        ("UndeleteNear", near),
        ("DeleteNear", near),
        ("DeleteNear", empty),
        // Custom methods may respond with what they like.
        ("Createshelf", near),
        ("Create", near),
        ("PurgeShelves", near),
        ("BatchCreateShelves", near),
    ] {
        check(&rpc(name, response), &expect![[""]]);
    }
}

/// spec:22
#[test]
fn async_in_a_name() {
    let rpc = |name: &str| {
        format!(
            "rpc {name}(near.v1.Near) returns (google.longrunning.Operation) {{\n\
             option (google.longrunning.operation_info) = {{\n\
             response_type: \"near.v1.Near\" metadata_type: \"near.v1.Near\" }};\n}}"
        )
    };
    check(
        &rpc("RunAsync"),
        &expect![
            "proto/warned.proto:7: rpc warned.v1.Warned.RunAsync: says Async in its name, which AIP-136 rules out, for the return type says it; remove the word, or end the name in `LongRunning` if there is a quick variant"
        ],
    );
    check(
        &rpc("AsyncBatchRun"),
        &expect![
            "proto/warned.proto:7: rpc warned.v1.Warned.AsyncBatchRun: says Async in its name, which AIP-136 rules out, for the return type says it; remove the word, or end the name in `LongRunning` if there is a quick variant"
        ],
    );
    check(&rpc("RunLongRunning"), &expect![""]);
    check(&rpc("Asynchronise"), &expect![""]);
}

/// spec:139
#[test]
fn there_is_no_execute_profile_an_rpc_that_streams_operations_stays_raw() {
    check(
        "rpc Run(near.v1.Near) returns (stream google.longrunning.Operation);",
        &expect![
            "proto/warned.proto:7: rpc warned.v1.Warned.Run: streams and returns google.longrunning.Operation, which stays the raw message and is none of the framework's operations; remove `stream` if it starts one"
        ],
    );
}
