//! Protos of others, which their users cannot change.

use std::fs;
use std::path::Path;
use std::process::Command;

use expect_test::{Expect, expect};
use lro_build::{Builder, Error, configure};
use prost::Message as _;

mod manifest;

const OPERATIONS: &str = "import \"google/longrunning/operations.proto\";\n";

/// A folder of protos.
struct Protos(tempfile::TempDir);

impl Protos {
    fn new(files: &[(&str, &str)]) -> Self {
        let dir = tempfile::tempdir().expect("a temporary folder");
        for (name, text) in files {
            let path = dir.path().join(name);
            fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
            fs::write(path, text).expect("a file");
        }
        Self(dir)
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    fn compile(&self, builder: Builder, proto: &str) -> Result<(), Error> {
        builder
            .out_dir(self.path().join("out"))
            .compile_protos(&[self.path().join(proto)], &[self.path()])
    }

    fn fails(&self, builder: Builder, proto: &str, expected: &Expect) {
        let error = self.compile(builder, proto).expect_err("it is wrong");
        let place = self.path().display().to_string();
        expected.assert_eq(&error.to_string().replace(&place, "proto"));
    }

    fn generated(&self) -> Vec<String> {
        let entries = fs::read_dir(self.path().join("out")).expect("a folder");
        let mut names: Vec<String> = entries
            .map(|entry| {
                let name = entry.expect("an entry").file_name();
                name.to_string_lossy().into_owned()
            })
            .filter(|name| name.ends_with(".rs") && name != "protos.rs")
            .collect();
        names.sort();
        names
    }
}

/// Set in the child that plays the build script of a test.
const CHILD: &str = "LRO_BUILD_SCRIPT";

/// The warnings of a build script; `test` is the test's name, at which this program runs again.
fn check_warnings(test: &str, protos: &Protos, build: impl Fn(&Protos), expected: &Expect) {
    if std::env::var_os(CHILD).is_some() {
        return build(protos);
    }
    let child = Command::new(std::env::current_exe().expect("this program"))
        .args(["--exact", test, "--nocapture"])
        .env(CHILD, "")
        .env("OUT_DIR", protos.path().join("out"))
        .env("HOST", "here")
        .output()
        .expect("the child starts");
    assert!(child.status.success(), "{child:?}");
    let text = String::from_utf8(child.stdout).expect("text");
    let warnings: Vec<&str> = text
        .lines()
        .filter_map(|line| line.split_once("cargo:warning="))
        .map(|(_, warning)| warning)
        .collect();
    // The child has a folder of its own.
    let warnings: Vec<String> = warnings
        .into_iter()
        .map(|warning| match warning.split_once("/proto/") {
            Some((_, rest)) => format!("proto/{rest}"),
            None => warning.to_owned(),
        })
        .collect();
    expected.assert_eq(&warnings.join("\n"));
}

fn service(package: &str, imports: &str, rpc: &str) -> String {
    format!(
        "syntax = \"proto3\";\npackage {package};\n{OPERATIONS}{imports}\nmessage Request {{}}\n\
         service Other {{\n{rpc}\n}}\n"
    )
}

fn rpc(name: &str, response: &str, metadata: &str) -> String {
    format!(
        "rpc {name}(Request) returns (google.longrunning.Operation) {{\n\
         option (google.longrunning.operation_info) = {{\n\
         response_type: \"{response}\" metadata_type: \"{metadata}\" }};\n}}"
    )
}

/// report:M2
#[test]
fn types_that_are_not_imported_are_found_below_the_include_paths() {
    let text = service(
        "other.v1",
        "",
        &rpc("Run", "far.v1.Outer.Far", "OperationMetadata"),
    );
    let metadata = "syntax = \"proto3\";\npackage other.v1;\nmessage OperationMetadata {}\n";
    let far = "syntax = \"proto3\";\npackage far.v1;\nmessage Outer { message Far {} }\n";
    // One has the name and not the message, one cannot be read.
    let protos = Protos::new(&[
        ("other/v1/service.proto", &text),
        ("other/v1/operation.proto", metadata),
        ("other/v2/operation.proto", &metadata.replace("v1", "v2")),
        (
            "far/a.proto",
            "edition = \"2023\";\npackage far.v1;\nmessage Far {}\n",
        ),
        ("far/b.proto", "package far.v1;\nmessage Far {}\n"),
        ("far/c.proto", far),
    ]);
    protos
        .compile(configure(), "other/v1/service.proto")
        .expect("both are there");
    assert_eq!(protos.generated(), ["far.v1.rs", "other.v1.rs"]);
}

/// report:M2
#[test]
fn types_that_cannot_be_found_are_named_with_what_to_do() {
    let text = service("other.v1", "", &rpc("Run", "Response", "far.v1.Far"));
    let protos = Protos::new(&[
        ("other.proto", &text),
        // Another package's type of the name is not meant.
        (
            "imported.proto",
            "syntax = \"proto3\";\npackage imported.v1;\nmessage Response {}\n",
        ),
        (
            "far.proto",
            "syntax = \"proto3\";\npackage far.v1;\nimport \"missing.proto\";\nmessage Far {}\n",
        ),
    ]);
    protos.fails(configure(), "other.proto", &expect![[r#"
        proto/other.proto:8: rpc other.v1.Other.Run: response_type "Response" is not a message of package other.v1; write the name of one, or the full name of a message of another package, or if the proto is not yours put the file that declares it below an include path
        proto/other.proto:8: rpc other.v1.Other.Run: metadata_type "far.v1.Far" is declared in far.proto, which does not compile: far.proto:3:1: import 'missing.proto' not found"#]]);
}

/// report:M5
#[test]
fn an_edition_matters_where_code_is_generated() {
    let edition = "edition = \"2023\";\npackage edition.v1;\nmessage New {}\n";
    let user = |field: &str| {
        format!(
            "syntax = \"proto3\";\npackage other.v1;\nimport \"edition.proto\";\n\
             message Request {{ {field} }}\n"
        )
    };
    let protos = Protos::new(&[
        ("edition.proto", edition),
        ("unused.proto", &user("")),
        ("used.proto", &user("edition.v1.New new = 1;")),
    ]);
    protos
        .compile(configure(), "unused.proto")
        .expect("nothing needs it");
    assert_eq!(protos.generated(), ["other.v1.rs"]);
    protos.fails(configure(), "used.proto", &expect![[r#"used.proto:4:19: name 'edition.v1.New' is not defined; the types of edition.proto are not there, for it has an edition: neither the compiler nor prost knows editions; write `syntax = "proto3";`, and `optional` before the fields whose absence matters"#]]);
    protos.fails(configure(), "edition.proto", &expect![[r#"edition.proto: has an edition; neither the compiler nor prost knows editions; write `syntax = "proto3";`, and `optional` before the fields whose absence matters"#]]);
}

/// report:M5
#[test]
fn an_edition_in_a_descriptor_set_matters_where_code_is_generated() {
    let file = |name: &str, import: Option<&str>, ty: Option<&str>, syntax: &str| {
        prost_types::FileDescriptorProto {
            name: Some(name.into()),
            package: Some(name.trim_end_matches(".proto").into()),
            syntax: Some(syntax.into()),
            dependency: import.into_iter().map(str::to_owned).collect(),
            message_type: vec![prost_types::DescriptorProto {
                name: Some("New".into()),
                field: ty
                    .into_iter()
                    .map(|ty| prost_types::FieldDescriptorProto {
                        name: Some("field".into()),
                        number: Some(1),
                        label: Some(1),
                        r#type: Some(11),
                        type_name: Some(ty.into()),
                        ..Default::default()
                    })
                    .collect(),
                ..Default::default()
            }],
            ..Default::default()
        }
    };
    let dir = tempfile::tempdir().expect("a temporary folder");
    let compile = |files: Vec<prost_types::FileDescriptorProto>| {
        let set = prost_types::FileDescriptorSet { file: files }.encode_to_vec();
        configure().out_dir(dir.path()).compile_fds(set)
    };
    let edition = file("edition.proto", None, None, "editions");
    let unused = file("user.proto", Some("edition.proto"), None, "proto3");
    compile(vec![edition.clone(), unused]).expect("nothing needs it");
    assert!(!dir.path().join("edition.rs").exists());
    let used = file(
        "user.proto",
        Some("edition.proto"),
        Some(".edition.New"),
        "proto3",
    );
    let error = compile(vec![edition, used]).expect_err("it is needed");
    expect![[r#"the files of the descriptor set do not fit together: name '.edition.New' is not defined; the types of edition.proto are not there, for it has an edition: neither the compiler nor prost knows editions; write `syntax = "proto3";`, and `optional` before the fields whose absence matters"#]].assert_eq(&error.to_string());
}

const WRAPPED: &str = "message Wrapped { google.longrunning.Operation operation = 1; }\n";

/// report:M7
#[test]
fn an_operation_in_another_message_is_a_plain_rpc() {
    let rpc = "rpc Run(Request) returns (Wrapped) {\noption (google.longrunning.operation_info) = \
               {\nresponse_type: \"Request\" metadata_type: \"Missing\" };\n}";
    let text = service("other.v1", WRAPPED, rpc);
    let protos = Protos::new(&[("proto/other.proto", &text)]);
    let build = |builder: Builder| {
        move |protos: &Protos| {
            protos
                .compile(builder.clone(), "proto/other.proto")
                .expect("it is a warning");
        }
    };
    let test = "an_operation_in_another_message_is_a_plain_rpc";
    check_warnings(
        test,
        &protos,
        build(configure()),
        &expect![[
            r#"proto/other.proto:9: rpc other.v1.Other.Run: has operation_info, but returns other.v1.Wrapped, whose field operation is the operation, so it stays a plain rpc; write `returns (google.longrunning.Operation)` to make it long-running, or `.ignore_operation_info("other.v1.Other.Run")` in the build script if the file is not yours"#
        ]],
    );
}

/// report:M7
#[test]
fn the_build_script_silences_or_corrects_an_annotation() {
    let wrong = rpc("Run", "Missing", "Request");
    let wrapped = "rpc Wrap(Request) returns (Wrapped) {\noption \
                   (google.longrunning.operation_info) = {\nresponse_type: \"Request\" \
                   metadata_type: \"Request\" };\n}";
    let plain = wrapped
        .replace("Wrap(", "Plain(")
        .replace("(Wrapped)", "(Request)");
    let text = service("other.v1", WRAPPED, &[&wrong, wrapped, &plain].join("\n"));
    let protos = Protos::new(&[("proto/other.proto", &text)]);
    protos.fails(configure(), "proto/other.proto", &expect![[r#"
        proto/proto/other.proto:9: rpc other.v1.Other.Run: response_type "Missing" is not a message of package other.v1; write the name of one, or the full name of a message of another package, or if the proto is not yours put the file that declares it below an include path
        proto/proto/other.proto:17: rpc other.v1.Other.Plain: has operation_info but returns other.v1.Request; write `returns (google.longrunning.Operation)`, or remove the option, or if the file is not yours write `.ignore_operation_info("other.v1.Other.Plain")` in the build script"#]]);
    let build = |protos: &Protos| {
        let builder = configure()
            .operation_info("other.v1.Other.Run", "Request", "Request")
            .ignore_operation_info("other.v1.Other.Wrap")
            .ignore_operation_info("other.v1.Other.Plain");
        protos
            .compile(builder, "proto/other.proto")
            .expect("the build script has corrected it");
    };
    let test = "the_build_script_silences_or_corrects_an_annotation";
    check_warnings(test, &protos, build, &expect![""]);
}

/// Compiles a package of one's own and one of others, both with bad style.
fn check_style(test: &str, builder: impl Fn(Builder) -> Builder, expected: &Expect) {
    let rpcs = [
        rpc("CreateShelf", "Request", "google.protobuf.Empty"),
        rpc("RunAsync", "Request", "Request"),
    ]
    .join("\n");
    let empty = "import \"google/protobuf/empty.proto\";\n";
    let protos = Protos::new(&[
        ("proto/own.proto", &service("own.v1", empty, &rpcs)),
        ("proto/other.proto", &service("others.v1", empty, &rpcs)),
    ]);
    let build = |protos: &Protos| {
        let files = ["proto/own.proto", "proto/other.proto"];
        builder(configure())
            .compile_protos(
                &files.map(|file| protos.path().join(file)),
                &[protos.path()],
            )
            .expect("style is no error");
    };
    check_warnings(test, &protos, build, expected);
}

/// report:M11
#[test]
fn style_warnings_say_how_to_keep_them_to_ones_own_packages() {
    check_style(
        "style_warnings_say_how_to_keep_them_to_ones_own_packages",
        |builder| builder,
        &expect![[r#"
            proto/own.proto:9: rpc own.v1.Other.CreateShelf: response_type "own.v1.Request" is not the resource, which AIP-133 wants of `Create`; write "Shelf"
            (that is advice on style; `.style_warnings_for(["own.v1"])` in the build script keeps such advice to packages of your own, and an empty list switches it off)
            proto/own.proto:9: rpc own.v1.Other.CreateShelf: metadata_type "google.protobuf.Empty" tells callers nothing while the operation runs, and can never be changed without breaking them; write a message such as `CreateShelfMetadata`, even without fields
            proto/own.proto:12: rpc own.v1.Other.RunAsync: says Async in its name, which AIP-136 rules out, for the return type says it; remove the word, or end the name in `LongRunning` if there is a quick variant
            proto/other.proto:9: rpc others.v1.Other.CreateShelf: response_type "others.v1.Request" is not the resource, which AIP-133 wants of `Create`; write "Shelf"
            proto/other.proto:9: rpc others.v1.Other.CreateShelf: metadata_type "google.protobuf.Empty" tells callers nothing while the operation runs, and can never be changed without breaking them; write a message such as `CreateShelfMetadata`, even without fields
            proto/other.proto:12: rpc others.v1.Other.RunAsync: says Async in its name, which AIP-136 rules out, for the return type says it; remove the word, or end the name in `LongRunning` if there is a quick variant"#]],
    );
}

/// report:M11
#[test]
fn style_warnings_can_be_kept_to_ones_own_packages() {
    check_style(
        "style_warnings_can_be_kept_to_ones_own_packages",
        |builder| builder.style_warnings_for([".own"]),
        &expect![[r#"
            proto/own.proto:9: rpc own.v1.Other.CreateShelf: response_type "own.v1.Request" is not the resource, which AIP-133 wants of `Create`; write "Shelf"
            proto/own.proto:9: rpc own.v1.Other.CreateShelf: metadata_type "google.protobuf.Empty" tells callers nothing while the operation runs, and can never be changed without breaking them; write a message such as `CreateShelfMetadata`, even without fields
            proto/own.proto:12: rpc own.v1.Other.RunAsync: says Async in its name, which AIP-136 rules out, for the return type says it; remove the word, or end the name in `LongRunning` if there is a quick variant"#]],
    );
}

/// report:M11
#[test]
fn style_warnings_can_be_switched_off() {
    check_style(
        "style_warnings_can_be_switched_off",
        |builder| builder.style_warnings_for([] as [&str; 0]),
        &expect![""],
    );
}
