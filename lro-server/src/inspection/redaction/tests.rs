use std::sync::LazyLock;

use prost_reflect::MapKey;
use prost_types::field_descriptor_proto::{Label, Type};
use prost_types::{
    DescriptorProto, FieldDescriptorProto, FieldOptions, FileDescriptorProto, FileDescriptorSet,
    MessageOptions,
};

use super::*;

/// message Login { string user = 1; string password = 2 [debug_redact = true]; }
/// message Job { Login login = 1; repeated Login all = 2; map<string, Login> by_name = 3;
///               google.protobuf.Any any = 4; Job next = 5; }
/// message Plain { string text = 1; Plain next = 2; }
static SET: LazyLock<Vec<u8>> = LazyLock::new(|| {
    let text = |name: &str, number| FieldDescriptorProto {
        name: Some(name.to_owned()),
        number: Some(number),
        r#type: Some(Type::String.into()),
        label: Some(Label::Optional.into()),
        ..Default::default()
    };
    let message = |name: &str, number, of: &str, label: Label| FieldDescriptorProto {
        r#type: Some(Type::Message.into()),
        type_name: Some(of.to_owned()),
        label: Some(label.into()),
        ..text(name, number)
    };
    let described = |name: &str, field: Vec<FieldDescriptorProto>| DescriptorProto {
        name: Some(name.to_owned()),
        field,
        ..Default::default()
    };
    let entry = DescriptorProto {
        options: Some(MessageOptions {
            map_entry: Some(true),
            ..Default::default()
        }),
        ..described(
            "ByNameEntry",
            vec![
                text("key", 1),
                message("value", 2, ".t.Login", Label::Optional),
            ],
        )
    };
    let job = DescriptorProto {
        nested_type: vec![entry],
        ..described(
            "Job",
            vec![
                message("login", 1, ".t.Login", Label::Optional),
                message("all", 2, ".t.Login", Label::Repeated),
                message("by_name", 3, ".t.Job.ByNameEntry", Label::Repeated),
                message("any", 4, ".google.protobuf.Any", Label::Optional),
                message("next", 5, ".t.Job", Label::Optional),
            ],
        )
    };
    let login = described("Login", vec![text("user", 1), text("password", 2)]);
    let plain = described(
        "Plain",
        vec![
            text("text", 1),
            message("next", 2, ".t.Plain", Label::Optional),
        ],
    );
    let file = FileDescriptorProto {
        name: Some("t.proto".to_owned()),
        package: Some("t".to_owned()),
        syntax: Some("proto3".to_owned()),
        dependency: vec!["google/protobuf/any.proto".to_owned()],
        message_type: vec![login, job, plain],
        ..Default::default()
    };
    // prost-types does not know the option, so it is written as bytes.
    let options = [0x80, 0x01, 0x01];
    assert!(FieldOptions::decode(&options[..]).is_ok());
    let google = FileDescriptorSet::decode(lro_core::pb::FILE_DESCRIPTOR_SET).unwrap();
    let any = google.file.into_iter();
    let any = any.filter(|file| file.name() == "google/protobuf/any.proto");
    let mut set = FileDescriptorSet {
        file: any.collect(),
    };
    set.file.push(file);
    mark(&set.encode_to_vec(), &options)
});

/// The set with these options on the field `password`.
fn mark(set: &[u8], options: &[u8]) -> Vec<u8> {
    let pool = DescriptorPool::decode(lro_core::pb::FILE_DESCRIPTOR_SET).unwrap();
    let descriptor = pool.get_message_by_name("google.protobuf.FileDescriptorSet");
    let mut set = DynamicMessage::decode(descriptor.unwrap(), set).unwrap();
    let files = set.get_field_by_name_mut("file").unwrap();
    for file in files.as_list_mut().unwrap() {
        let messages = file.as_message_mut().unwrap();
        let messages = messages.get_field_by_name_mut("message_type").unwrap();
        for message in messages.as_list_mut().unwrap() {
            let fields = message.as_message_mut().unwrap();
            for field in fields
                .get_field_by_name_mut("field")
                .unwrap()
                .as_list_mut()
                .unwrap()
            {
                let field = field.as_message_mut().unwrap();
                if field.get_field_by_name("name").unwrap().as_str() == Some("password") {
                    let marked = field.get_field_by_name_mut("options").unwrap();
                    marked.as_message_mut().unwrap().merge(options).unwrap();
                }
            }
        }
    }
    set.encode_to_vec()
}

fn redactor() -> Redactor {
    Redactor::new([SET.clone()])
}

fn new(redactor: &Redactor, name: &str) -> DynamicMessage {
    DynamicMessage::new(redactor.find(name).unwrap())
}

fn login(redactor: &Redactor) -> DynamicMessage {
    let mut login = new(redactor, "t.Login");
    login.set_field_by_name("user", Value::String("ada".into()));
    login.set_field_by_name("password", Value::String("secret".into()));
    login
}

fn packed(message: &DynamicMessage) -> Any {
    Any {
        type_url: format!("type.googleapis.com/{}", message.descriptor().full_name()),
        value: message.encode_to_vec(),
    }
}

fn fields(redacted: Redacted) -> Any {
    match redacted {
        Redacted::Fields(any) => any,
        other => panic!("{other:?}"),
    }
}

#[test]
fn marked_fields_are_cleared_wherever_they_are() {
    let redactor = redactor();
    let mut job = new(&redactor, "t.Job");
    let inner = || Value::Message(login(&redactor));
    job.set_field_by_name("login", inner());
    job.set_field_by_name("all", Value::List(vec![inner(), inner()]));
    let by_name = [(MapKey::String("x".into()), inner())];
    job.set_field_by_name("by_name", Value::Map(by_name.into()));
    let mut any = new(&redactor, ANY);
    any.transcode_from(&packed(&login(&redactor))).unwrap();
    job.set_field_by_name("any", Value::Message(any));
    job.set_field_by_name("next", Value::Message(job.clone()));
    let message = packed(&job);
    let count = |any: &Any, text: &[u8]| {
        any.value
            .windows(text.len())
            .filter(|it| *it == text)
            .count()
    };
    assert_eq!(count(&message, b"secret"), 10);
    let redacted = fields(redactor.redact(&message));
    assert_eq!(count(&redacted, b"secret"), 0);
    assert_eq!(count(&redacted, b"ada"), 10, "the rest stays");
    assert_eq!(redacted.type_url, message.type_url);
    // Again, with what the redactor has learned.
    assert_eq!(redactor.redact(&redacted), Redacted::Nothing);
}

#[test]
fn what_has_no_marked_field_stays_to_the_byte() {
    let redactor = redactor();
    let mut plain = new(&redactor, "t.Plain");
    plain.set_field_by_name("text", Value::String("ada".into()));
    let mut message = packed(&plain);
    // A field that the proto does not know.
    message.value.extend([0x78, 0x01]);
    assert_eq!(redactor.redact(&message), Redacted::Nothing);
    assert_eq!(redactor.redact(&Any::default()), Redacted::Nothing);
    let unset = packed(&new(&redactor, "t.Login"));
    assert_eq!(redactor.redact(&unset), Redacted::Nothing);
}

#[test]
fn types_without_a_proto_are_told_apart() {
    let redactor = redactor();
    let unknown = Any {
        type_url: "type.googleapis.com/t.Unknown".into(),
        value: vec![1],
    };
    assert_eq!(redactor.redact(&unknown), Redacted::UnknownType);
    let broken = Any {
        value: vec![0xff],
        ..packed(&login(&redactor))
    };
    assert_eq!(redactor.redact(&broken), Redacted::UnknownType);
    // Within a known message, only the name of the type stays.
    let mut job = new(&redactor, "t.Job");
    let mut any = new(&redactor, ANY);
    any.transcode_from(&unknown).unwrap();
    job.set_field_by_name("any", Value::Message(any));
    let redacted = fields(redactor.redact(&packed(&job)));
    let job = DynamicMessage::decode(redactor.find("t.Job").unwrap(), &*redacted.value).unwrap();
    let any = job.get_field_by_name("any").unwrap();
    let any = any.as_message().unwrap().transcode_to::<Any>().unwrap();
    assert_eq!((&*any.type_url, &*any.value), (&*unknown.type_url, &[][..]));
}

#[test]
fn what_is_nested_too_deep_is_cleared() {
    let redactor = redactor();
    let mut job = new(&redactor, "t.Job");
    job.set_field_by_name("login", Value::Message(login(&redactor)));
    for _ in 0..90 {
        let mut outer = new(&redactor, "t.Job");
        outer.set_field_by_name("next", Value::Message(job));
        job = outer;
    }
    let redacted = fields(redactor.redact(&packed(&job)));
    assert!(!redacted.value.windows(6).any(|it| it == b"secret"));
}
