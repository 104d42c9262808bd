use std::fs;

use expect_test::{Expect, expect};

use super::Operations;
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
                 service Warned {{\n{body}\n}}\n"
            ),
        ),
    ];
    for (name, text) in files {
        fs::write(dir.path().join(name), text).expect("a file");
    }
    let protos = Protos::compile(&[dir.path().join("warned.proto")], &[dir.path()]);
    let protos = protos.expect("it compiles");
    let operations =
        Operations::find(&protos, |_| true, &ExternPaths::default()).expect("no errors");
    let place = dir.path().display().to_string();
    let warnings: Vec<String> = operations
        .warnings
        .iter()
        .map(|warning| warning.to_string().replace(&place, "proto"))
        .collect();
    expected.assert_eq(&warnings.join("\n"));
}

#[test]
fn an_rpc_without_annotation_stays_raw() {
    let body = "rpc Run(near.v1.Near) returns (google.longrunning.Operation);";
    check(
        body,
        &expect![[
            r#"proto/warned.proto:6: rpc warned.v1.Warned.Run: returns google.longrunning.Operation without operation_info, so its types stay unknown; write `option (google.longrunning.operation_info) = { response_type: ".." metadata_type: ".." };` in its body"#
        ]],
    );
}

#[test]
fn a_type_is_not_imported_directly() {
    let body = "rpc Run(near.v1.Near) returns (google.longrunning.Operation) {\n\
        option (google.longrunning.operation_info) = {\n\
        response_type: \"far.v1.Far\" metadata_type: \"near.v1.Near\" };\n}";
    check(
        body,
        &expect![[
            r#"proto/warned.proto:7: rpc warned.v1.Warned.Run: response_type "far.v1.Far" is declared in a file that is not imported here, which other generators refuse; write `import "far.proto";`"#
        ]],
    );
}
