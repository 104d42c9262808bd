//! Our copies of the google protos say on the wire what the published ones say.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;

use expect_test::expect_file;
use prost_reflect::{
    Cardinality, DescriptorPool, EnumDescriptor, ExtensionDescriptor, FieldDescriptor, Kind,
    MessageDescriptor, ServiceDescriptor,
};

/// `facts.txt` was written from the published protos (npm `google-proto-files` 5.0.3) by this very
/// listing. To check a newer release, point `GOOGLE_PROTO_FILES` to a folder that has `google/` in
/// it, and run with `UPDATE_EXPECT=1`.
///
/// spec:3 spec:60
#[test]
fn wire_facts_are_those_of_the_published_protos() {
    let set = tempfile::tempdir().expect("a temporary folder");
    let path = set.path().join("set.bin");
    let includes: Vec<String> = std::env::var("GOOGLE_PROTO_FILES").into_iter().collect();
    lro_build::configure()
        .out_dir(set.path())
        .emit_cargo_lines(false)
        .extern_path(".google.api", "::google_api")
        .file_descriptor_set_path(&path)
        .compile_protos(&FILES, &includes)
        .expect("the protos compile");
    let bytes = std::fs::read(&path).expect("the descriptor set was written");
    let pool = DescriptorPool::decode(bytes.as_slice()).expect("a descriptor set");
    expect_file!["google_protos/facts.txt"].assert_eq(&facts(&pool));
}

#[test]
fn a_copy_of_the_users_wins() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let includes = [dir.path().join("own"), dir.path().join("google_protos")];
    let write = |path: std::path::PathBuf, text: &str| {
        std::fs::create_dir_all(path.parent().expect("a folder")).expect("the folder is made");
        std::fs::write(path, text).expect("the proto is written");
    };
    // It has what ours has, and a message that ours has not.
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("proto");
    let ours = std::fs::read_to_string(root.join(OPERATIONS)).expect("our copy");
    assert!(!ours.contains("OnlyInTheCopy"));
    let copy = format!("{ours}\nmessage OnlyInTheCopy {{}}\n");
    write(includes[1].join(OPERATIONS), &copy);
    let proto = format!(
        "syntax = \"proto3\";\npackage own.v1;\nimport \"{OPERATIONS}\";\n\
         message Request {{ google.longrunning.OnlyInTheCopy only = 1; }}\n\
         service Own {{\n  rpc Run(Request) returns (google.longrunning.Operation) {{\n    \
         option (google.longrunning.operation_info) = \
         {{ response_type: \"Request\" metadata_type: \"Request\" }};\n  }}\n}}\n"
    );
    write(includes[0].join("own.proto"), &proto);

    let compile = |includes: &[std::path::PathBuf]| {
        lro_build::configure()
            .out_dir(dir.path().join("out"))
            .emit_cargo_lines(false)
            .compile_protos(&[dir.path().join("own/own.proto")], includes)
    };
    compile(&includes).expect("the copy is found");
    let code = std::fs::read_to_string(dir.path().join("out/own.v1.rs")).expect("the code");
    assert!(code.contains("::lro_core::Operation<super::Request, super::Request>"));
    let error = compile(&includes[..1]).expect_err("ours does not have the message");
    assert!(error.to_string().contains("OnlyInTheCopy"), "{error}");
}

#[test]
fn every_proto_that_comes_with_the_crate_is_compared() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("proto");
    let mut names = vec![];
    let mut folders = vec![root.clone()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                folders.push(path);
            } else {
                let name = path.strip_prefix(&root).expect("below the root");
                names.push(name.to_string_lossy().replace('\\', "/"));
            }
        }
    }
    names.sort();
    assert_eq!(names, FILES);
}

const OPERATIONS: &str = "google/longrunning/operations.proto";

const FILES: [&str; 13] = [
    "google/api/annotations.proto",
    "google/api/client.proto",
    "google/api/field_behavior.proto",
    "google/api/field_info.proto",
    "google/api/http.proto",
    "google/api/httpbody.proto",
    "google/api/launch_stage.proto",
    "google/api/resource.proto",
    "google/api/routing.proto",
    "google/longrunning/operations.proto",
    "google/rpc/code.proto",
    "google/rpc/error_details.proto",
    "google/rpc/status.proto",
];

/// A line for everything that other programs can see on the wire, in JSON or by reflection.
fn facts(pool: &DescriptorPool) -> String {
    let mut lines = BTreeMap::new();
    let ours = |file: &str| FILES.contains(&file);
    for message in pool
        .all_messages()
        .filter(|it| ours(it.parent_file().name()))
    {
        message_facts(&message, &mut lines);
    }
    for it in pool.all_enums().filter(|it| ours(it.parent_file().name())) {
        enum_facts(&it, &mut lines);
    }
    for it in pool
        .all_extensions()
        .filter(|it| ours(it.parent_file().name()))
    {
        lines.insert(
            format!("extension {}", it.full_name()),
            extension_facts(&it),
        );
    }
    for it in pool.services().filter(|it| ours(it.parent_file().name())) {
        service_facts(&it, &mut lines);
    }
    for file in pool.files().filter(|file| ours(file.name())) {
        let mut imports: Vec<_> = file.dependencies().map(|it| it.name().to_owned()).collect();
        imports.sort();
        let facts = format!(
            "{} {:?} {}",
            file.package_name(),
            file.syntax(),
            imports.join(" ")
        );
        lines.insert(format!("file {}", file.name()), facts);
    }
    lines.iter().fold(String::new(), |mut text, (key, value)| {
        let _ = writeln!(text, "{}", format!("{key}: {value}").trim_end());
        text
    })
}

fn message_facts(message: &MessageDescriptor, lines: &mut BTreeMap<String, String>) {
    let name = message.full_name();
    lines.insert(
        format!("message {name}"),
        message.options().to_text_format(),
    );
    for field in message.fields() {
        lines.insert(
            format!("message {name}.{}", field.name()),
            field_facts(&field),
        );
    }
    for range in message.reserved_ranges() {
        lines.insert(format!("message {name} reserved {range:?}"), String::new());
    }
}

fn field_facts(field: &FieldDescriptor) -> String {
    let label = match field.cardinality() {
        Cardinality::Repeated if field.is_packed() => "repeated packed ",
        Cardinality::Repeated => "repeated ",
        Cardinality::Required => "required ",
        Cardinality::Optional => "",
    };
    let oneof = field
        .containing_oneof()
        .map(|oneof| format!(" oneof {}", oneof.name()))
        .unwrap_or_default();
    format!(
        "{} {label}{} json {}{oneof} {}",
        field.number(),
        kind(&field.kind()),
        field.json_name(),
        field.options().to_text_format(),
    )
}

fn enum_facts(it: &EnumDescriptor, lines: &mut BTreeMap<String, String>) {
    lines.insert(
        format!("enum {}", it.full_name()),
        it.options().to_text_format(),
    );
    for value in it.values() {
        let key = format!("enum {}.{}", it.full_name(), value.name());
        lines.insert(
            key,
            format!("{} {}", value.number(), value.options().to_text_format()),
        );
    }
}

fn extension_facts(it: &ExtensionDescriptor) -> String {
    let label = if it.is_list() { "repeated " } else { "" };
    format!(
        "{} {label}{} of {}",
        it.number(),
        kind(&it.kind()),
        it.containing_message().full_name()
    )
}

fn service_facts(service: &ServiceDescriptor, lines: &mut BTreeMap<String, String>) {
    let name = service.full_name();
    lines.insert(
        format!("service {name}"),
        service.options().to_text_format(),
    );
    for method in service.methods() {
        let facts = format!(
            "{}{} -> {}{} {}",
            if method.is_client_streaming() {
                "stream "
            } else {
                ""
            },
            method.input().full_name(),
            if method.is_server_streaming() {
                "stream "
            } else {
                ""
            },
            method.output().full_name(),
            method.options().to_text_format(),
        );
        lines.insert(format!("service {name}.{}", method.name()), facts);
    }
}

fn kind(kind: &Kind) -> String {
    match kind {
        Kind::Message(message) => message.full_name().to_owned(),
        Kind::Enum(it) => it.full_name().to_owned(),
        scalar => format!("{scalar:?}"),
    }
}
