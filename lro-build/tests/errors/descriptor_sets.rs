//! Descriptor sets that cannot be used.

use expect_test::{Expect, expect};
use prost::Message as _;

#[test]
fn a_descriptor_set_is_none() {
    let check = |bytes: &[u8], expected: Expect| {
        let error = lro_build::configure().out_dir("unused").compile_fds(bytes);
        let error = error.expect_err("it is broken");
        assert!(error.is_proto());
        expected.assert_eq(&error.to_string());
    };
    check(
        b"\xff\xff",
        expect![
            "this is no encoded google.protobuf.FileDescriptorSet (failed to decode Protobuf message: invalid varint); write the set with `protoc --include_imports --include_source_info --descriptor_set_out=FILE`, or `buf build -o FILE.binpb`"
        ],
    );
    let file = |file: prost_types::FileDescriptorProto| {
        prost_types::FileDescriptorSet { file: vec![file] }.encode_to_vec()
    };
    let missing = file(prost_types::FileDescriptorProto {
        name: Some("a.proto".into()),
        dependency: vec!["b.proto".into()],
        ..Default::default()
    });
    check(
        &missing,
        expect![[
            r#"a.proto: import "b.proto" is not in the descriptor set; write the set with `protoc --include_imports --include_source_info --descriptor_set_out=FILE`, or `buf build -o FILE.binpb`"#
        ]],
    );
    let edition = file(prost_types::FileDescriptorProto {
        name: Some("a.proto".into()),
        syntax: Some("editions".into()),
        ..Default::default()
    });
    check(
        &edition,
        expect![[
            r#"a.proto: has an edition; neither the compiler nor prost knows editions; write `syntax = "proto3";`, and `optional` before the fields whose absence matters"#
        ]],
    );
    let twice = file(prost_types::FileDescriptorProto {
        name: Some("a.proto".into()),
        message_type: vec![Default::default(), Default::default()],
        ..Default::default()
    });
    check(
        &twice,
        expect!["the files of the descriptor set do not fit together: name '' is defined twice"],
    );
}

/// report:M10
#[test]
fn a_descriptor_set_has_a_file_twice() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let compile = |files: Vec<prost_types::FileDescriptorProto>| {
        let set = prost_types::FileDescriptorSet { file: files }.encode_to_vec();
        lro_build::configure().out_dir(dir.path()).compile_fds(set)
    };
    let file = |message: &str| prost_types::FileDescriptorProto {
        name: Some("a.proto".into()),
        message_type: vec![prost_types::DescriptorProto {
            name: Some(message.into()),
            ..Default::default()
        }],
        ..Default::default()
    };
    compile(vec![file("A"), file("A")]).expect("both are the same");
    let error = compile(vec![file("A"), file("B")]).expect_err("they differ");
    assert!(error.is_proto());
    expect!["a.proto: is in the descriptor set twice, with different contents; leave one of them out, or compile all protos at once: write the set with `protoc --include_imports --include_source_info --descriptor_set_out=FILE`, or `buf build -o FILE.binpb`"].assert_eq(&error.to_string());
}
