//! The generated code for the protos below `fixtures`, compared with the files below `golden`.
//! `UPDATE_EXPECT=1` writes them anew.

use std::fs;
use std::path::{Path, PathBuf};

use expect_test::expect_file;
use lro_build::{Builder, configure};
use syn::Item;

#[test]
fn the_example() {
    let protos = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/exporter/proto");
    let out = compile(configure(), "exporter.proto", &protos);
    expect_file!["golden/exporter.rs"].assert_eq(&out.read("exporter.v1.rs"));
    assert_eq!(
        out.names(),
        ["exporter.v1.descriptor.bin", "exporter.v1.rs"]
    );
}

#[test]
fn every_shape_of_types() {
    let out = compile(configure(), "shapes.proto", &fixtures());
    expect_file!["golden/shapes.rs"].assert_eq(&outline(&out.read("shapes.v1.rs")));
    assert_eq!(
        out.names(),
        ["other.v1.rs", "shapes.v1.descriptor.bin", "shapes.v1.rs"]
    );
}

#[test]
fn other_paths() {
    let builder = configure()
        .core_path("::lro_server::lro_core")
        .codec_path("crate::codec::Codec")
        .extern_path(".other.v1", "::other::pb")
        .build_client(false);
    let out = compile(builder, "shapes.proto", &fixtures());
    let code = out.read("shapes.v1.rs");
    expect_file!["golden/other_paths.rs"].assert_eq(&outline(&code));
    assert!(code.contains("crate::codec::Codec::default()"));
    assert!(!code.contains("shapes_client"));
    assert_eq!(out.names(), ["shapes.v1.descriptor.bin", "shapes.v1.rs"]);
}

#[test]
fn no_package() {
    let out = compile(configure(), "bare.proto", &fixtures());
    expect_file!["golden/bare.rs"].assert_eq(&outline(&out.read("_.rs")));
    assert_eq!(out.names(), ["_.descriptor.bin", "_.rs"]);
}

#[test]
fn neither_client_nor_server() {
    let builder = configure().build_client(false).build_server(false);
    let out = compile(builder, "shapes.proto", &fixtures());
    let code = out.read("shapes.v1.rs");
    assert!(code.contains("pub mod shapes_methods"));
    assert!(!code.contains("http_shapes"));
}

#[test]
fn google_api_types_only_where_a_message_uses_them() {
    let out = compile(configure(), "api.proto", &fixtures());
    assert_eq!(out.names(), ["api.v1.rs", "google.api.rs"]);
    assert!(out.read("google.api.rs").contains("pub enum LaunchStage"));
    assert!(!out.read("google.api.rs").contains("FieldBehavior"));
}

#[test]
fn the_descriptor_set_keeps_options_and_has_no_comments() {
    let out = compile(configure(), "shapes.proto", &fixtures());
    let set = fs::read(out.dir.path().join("shapes.v1.descriptor.bin")).expect("a set");
    let pool = prost_reflect::DescriptorPool::decode(set.as_slice()).expect("it decodes");
    let method = pool
        .get_service_by_name("shapes.v1.Shapes")
        .and_then(|service| service.methods().next())
        .expect("the first rpc");
    let extension = pool
        .get_extension_by_name("google.longrunning.operation_info")
        .expect("imports are there");
    assert!(method.options().has_extension(&extension));
    for file in pool.files() {
        assert!(
            file.file_descriptor_proto().source_code_info.is_none(),
            "{}",
            file.name()
        );
    }
}

#[test]
fn unchanged_files_are_not_written_again() {
    let out = compile(configure(), "bare.proto", &fixtures());
    let path = out.dir.path().join("_.rs");
    let modified = || {
        fs::metadata(&path)
            .and_then(|it| it.modified())
            .expect("a file")
    };
    let before = modified();
    configure()
        .out_dir(out.dir.path())
        .compile_protos(&[fixtures().join("bare.proto")], &[fixtures()])
        .expect("it compiles");
    assert_eq!(before, modified());
}

struct Out {
    dir: tempfile::TempDir,
}

fn compile(builder: Builder, proto: &str, include: &Path) -> Out {
    let dir = tempfile::tempdir().expect("a temporary folder");
    builder
        .out_dir(dir.path())
        .emit_cargo_lines(false)
        .compile_protos(&[include.join(proto)], &[include])
        .expect("it compiles");
    Out { dir }
}

impl Out {
    fn names(&self) -> Vec<String> {
        let entries = fs::read_dir(self.dir.path()).expect("a folder");
        let mut names: Vec<String> = entries
            .map(|entry| {
                entry
                    .expect("an entry")
                    .file_name()
                    .to_string_lossy()
                    .into_owned()
            })
            .collect();
        names.sort();
        names
    }

    fn read(&self, name: &str) -> String {
        fs::read_to_string(self.dir.path().join(name)).expect("a generated file")
    }
}

fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures")
}

/// The code without what is the same for every service: messages, clients, and everything in the
/// server's module but the trait.
fn outline(code: &str) -> String {
    let mut file = syn::parse_file(code).expect("Rust");
    file.items
        .retain(|item| matches!(item, Item::Mod(_) | Item::Const(_)));
    for item in &mut file.items {
        let Item::Mod(module) = item else { continue };
        let name = module.ident.to_string();
        let Some((_, items)) = &mut module.content else {
            continue;
        };
        if name.ends_with("_methods") {
            continue;
        }
        module.attrs.clear();
        items.retain(|item| {
            matches!(item, Item::Trait(_)) || matches!(item, Item::Use(it) if it.attrs.is_empty())
        });
    }
    file.items.retain(|item| !is_dull(item));
    prettyplease::unparse(&file)
}

fn is_dull(item: &Item) -> bool {
    let Item::Mod(module) = item else {
        return false;
    };
    let name = module.ident.to_string();
    !name.ends_with("_methods") && !name.ends_with("_server")
}
