//! Manifests of crates that protos are compiled for.

use std::fs;
use std::process::Command;

use expect_test::{Expect, expect};

use super::{CHILD, Protos, rpc, service};

/// The build of a crate with this manifest, in a build script.
fn check_manifest(test: &str, manifest: &str, expected: &Expect) {
    let text = service("other.v1", "", &rpc("Run", "Request", "Request"));
    let protos = Protos::new(&[("proto/other.proto", &text), ("proto/Cargo.toml", manifest)]);
    if std::env::var_os(CHILD).is_some() {
        let file = protos.path().join("proto/other.proto");
        match lro_build::compile_protos(&[file], &[protos.path()]) {
            Ok(()) => return,
            Err(error) => println!("cargo:warning={error}"),
        }
        return;
    }
    let child = Command::new(std::env::current_exe().expect("this program"))
        .args(["--exact", test, "--nocapture"])
        .env(CHILD, "")
        .env("OUT_DIR", protos.path().join("out"))
        .env("HOST", "here")
        .env("CARGO_MANIFEST_DIR", protos.path().join("proto"))
        .output()
        .expect("the child starts");
    let text = String::from_utf8(child.stdout).expect("text");
    let mut lines: Vec<String> = text
        .lines()
        .filter_map(|line| {
            let (_, warning) = line.split_once("cargo:warning=")?;
            Some(warning.replace(&protos.path().display().to_string(), "here"))
        })
        .collect();
    if text.contains("proto/Cargo.toml\n") {
        lines.push("watched: Cargo.toml".to_owned());
    }
    let code = fs::read_to_string(protos.path().join("out/other.v1.rs")).unwrap_or_default();
    let core = code.split("Operation<").next().unwrap_or_default();
    lines.extend(
        core.rsplit(['<', ' ', '\n'])
            .next()
            .map(|path| format!("path: {path}")),
    );
    expected.assert_eq(&lines.join("\n"));
}

/// report:M9
#[test]
fn lro_core_is_found_through_lro_server() {
    check_manifest(
        "manifest::lro_core_is_found_through_lro_server",
        "[dependencies]\nlro-server = '0.1'\nprost = '0.14'\ntonic = '0.14'\n",
        &expect!["path: ::lro_server::lro_core::"],
    );
}

/// report:M9
#[test]
fn a_manifest_without_what_the_code_needs_is_one_error() {
    check_manifest(
        "manifest::a_manifest_without_what_the_code_needs_is_one_error",
        "[dependencies]\nprost = '0.14'\n",
        &expect![[r#"
            here/proto/Cargo.toml: the generated code needs one of lro-server, lro-client and lro-core, and none is a dependency; run `cargo add lro-server tonic@0.14`, or say where lro-core is with `.core_path("..")`
            path: "#]],
    );
}

/// report:M9
#[test]
fn a_missing_tonic_is_one_warning_until_the_manifest_changes() {
    check_manifest(
        "manifest::a_missing_tonic_is_one_warning_until_the_manifest_changes",
        "[dependencies]\nlro-client = '0.1'\nprost = '0.14'\n",
        &expect![[r#"
            here/proto/Cargo.toml: dependencies of the generated code are missing; run `cargo add tonic@0.14`
            watched: Cargo.toml
            path: ::lro_client::lro_core::"#]],
    );
}
