//! The generated code for the protos below `fixtures`, compared with the files below `golden`.
//! `UPDATE_EXPECT=1` writes them anew.

use std::fs;
use std::path::{Path, PathBuf};

use expect_test::{expect, expect_file};
use lro_build::{Builder, configure};
use syn::Item;

#[test]
fn the_example() {
    let protos = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/exporter/proto");
    let out = compile(configure(), "exporter.proto", &protos);
    expect_file!["golden/exporter.rs"].assert_eq(&out.read("exporter.v1.rs"));
    assert_eq!(
        out.names(),
        ["exporter.v1.descriptor.bin", "exporter.v1.rs", "protos.rs"]
    );
}

/// Every file of a build, in a folder of its own; `compiled.rs` compiles them.
#[test]
fn every_file() {
    let client = |enable| configure().build_client(enable).build_descriptors(false);
    let check = |name: &str, builder: Builder, protos: &[&str]| {
        let out = compile_all(builder, protos, &fixtures());
        let golden = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("tests/golden")
            .join(name);
        for file in out.names() {
            expect_file![golden.join(&file)].assert_eq(&out.read(&file));
        }
        assert_eq!(names(&golden), out.names());
    };
    check("shapes", client(true), &["shapes.proto"]);
    check("standard", client(false), &["standard.proto"]);
    check("keywords", client(true), &["keywords.proto"]);
    check("legacy", client(false), &["legacy.proto"]);
    check(
        "several",
        client(true),
        &["several/alpha.proto", "several/beta.proto"],
    );
    check(
        "clashes",
        configure().build_descriptors(false),
        &["clashes/clashes.proto", "clashes/cluster.proto"],
    );
    check(
        "well_known",
        configure().build_descriptors(false).operation_info(
            "known.v1.Known.Raw",
            "Request",
            "google.protobuf.Struct",
        ),
        &["well_known.proto"],
    );
    check(
        "untyped",
        client(false)
            .build_descriptors(false)
            .extern_path(".other.v1", "crate::shapes_protos::other::v1")
            .btree_map(".")
            .bytes(".known.v1")
            .boxed("known.v1.Request.status")
            .skip_debug(["known.v1.Request"])
            .message_attribute(
                "known.v1.Request",
                "#[allow(missing_debug_implementations)]",
            )
            .enum_attribute(".", "#[derive(Default)]")
            .field_attribute("known.v1.Request.data", "#[doc(hidden)]")
            .generate_default_stubs(true)
            .disable_comments(["known.v1.Known.Raw"])
            .server_mod_attribute("known.v1", "#[doc(hidden)]")
            .server_attribute("known.v1.Known", "#[doc(alias = \"served\")]")
            .trait_attribute("Known", "#[doc(alias = \"known\")]"),
        &["well_known.proto"],
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
    assert_eq!(
        out.names(),
        ["protos.rs", "shapes.v1.descriptor.bin", "shapes.v1.rs"]
    );
}

#[test]
fn no_package() {
    let out = compile(configure(), "bare.proto", &fixtures());
    expect_file!["golden/bare.rs"].assert_eq(&outline(&out.read("_.rs")));
    assert_eq!(out.names(), ["_.descriptor.bin", "_.rs", "protos.rs"]);
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
    assert_eq!(out.names(), ["api.v1.rs", "google.api.rs", "protos.rs"]);
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

/// A descriptor set of another compiler gives the same code.
#[test]
fn a_descriptor_set() {
    let proto = fixtures().join("shapes.proto");
    let mut compiler = protox::Compiler::new([fixtures(), google()]).expect("two folders");
    compiler
        .include_imports(true)
        .include_source_info(true)
        .open_files([&proto])
        .expect("it compiles");
    let dir = tempfile::tempdir().expect("a temporary folder");
    configure()
        .out_dir(dir.path())
        .compile_fds(compiler.encode_file_descriptor_set())
        .expect("it is a set");
    let (from_set, from_protos) = (
        Out { dir },
        compile(configure(), "shapes.proto", &fixtures()),
    );
    assert_eq!(from_set.names(), from_protos.names());
    for name in from_set.names().iter().filter(|name| name.ends_with(".rs")) {
        assert_eq!(from_set.read(name), from_protos.read(name), "{name}");
    }
    let set = |out: &Out| {
        fs::read(out.dir.path().join("shapes.v1.descriptor.bin")).expect("a descriptor set")
    };
    assert_eq!(set(&from_set), set(&from_protos));
}

/// All packages of a build share their descriptors.
#[test]
fn one_descriptor_set() {
    let protos = ["several/alpha.proto", "several/beta.proto"];
    let out = compile_all(configure(), &protos, &fixtures());
    let set = "several.alpha.v1.descriptor.bin";
    assert_eq!(
        out.names(),
        ["protos.rs", set, "several.alpha.v1.rs", "several.beta.rs"]
    );
    for name in ["several.alpha.v1.rs", "several.beta.rs"] {
        assert!(out.read(name).contains(set), "{name}");
    }
    let out = compile(configure(), "keywords.proto", &fixtures());
    let set = "r#type.r#async.v1.descriptor.bin";
    assert_eq!(out.names(), ["protos.rs", set, "r#type.r#async.v1.rs"]);
    assert!(out.read("r#type.r#async.v1.rs").contains(set));
}

/// report:M8
#[test]
fn the_file_that_includes_all_others_has_a_name_of_its_own() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let path = dir.path().join("a.proto");
    fs::write(
        &path,
        "syntax = \"proto3\";\npackage protos;\nmessage A {}\n",
    )
    .expect("a file");
    let builder = || configure().out_dir(dir.path().join("out"));
    let error = builder().compile_protos(&[&path], &[dir.path()]);
    let error = error.expect_err("the name is taken");
    assert!(error.is_option());
    expect![[r#"the code of a package goes to protos.rs, where the file that includes all packages would go; give that another name, such as `.include_file("all.rs")`"#]]
        .assert_eq(&error.to_string());
    builder()
        .include_file("all.rs")
        .compile_protos(&[&path], &[dir.path()])
        .expect("it has another name");
    assert_eq!(names(&dir.path().join("out")), ["all.rs", "protos.rs"]);
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
    compile_all(builder, &[proto], include)
}

fn compile_all(builder: Builder, protos: &[&str], include: &Path) -> Out {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let protos: Vec<PathBuf> = protos.iter().map(|proto| include.join(proto)).collect();
    builder
        .out_dir(dir.path())
        .emit_cargo_lines(false)
        .compile_protos(&protos, &[include])
        .expect("it compiles");
    Out { dir }
}

impl Out {
    fn names(&self) -> Vec<String> {
        names(self.dir.path())
    }

    fn read(&self, name: &str) -> String {
        fs::read_to_string(self.dir.path().join(name)).expect("a generated file")
    }
}

fn names(dir: &Path) -> Vec<String> {
    let entries = fs::read_dir(dir).expect("a folder");
    let name = |entry: std::io::Result<fs::DirEntry>| {
        let name = entry.expect("an entry").file_name();
        name.to_string_lossy().into_owned()
    };
    let mut names: Vec<String> = entries.map(name).collect();
    names.sort();
    names
}

fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures")
}

/// The google protos that come with the crate.
fn google() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("proto")
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
        items.retain(|item| matches!(item, Item::Trait(_) | Item::Use(_)));
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
