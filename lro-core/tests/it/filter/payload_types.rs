//! `metadata.@type` and `response.@type`, and `:` that means *contains*.

use lro_core::filter::{Filter, Schema, SchemaBuilder};
use lro_core::store::{ListPolicy, OperationRecord, OperationResult, OperationState};
use prost_types::Any;
use serde_json::json;

use super::fixtures;

fn matches(text: &str, schema: &Schema, record: &OperationRecord) -> bool {
    let filter = Filter::parse(text, schema).unwrap_or_else(|error| panic!("{text}: {error}"));
    filter.matches(record)
}

/// report:L3
#[test]
fn types_are_named_with_and_without_a_host() {
    let mut record = fixtures::with_metadata("Metadata", &json!({"target": "a"}));
    record.state = OperationState::Succeeded;
    record.result = Some(OperationResult::Response(Any {
        type_url: "example.com/types/test.Response".to_owned(),
        value: Vec::new(),
    }));
    // With and without declared types.
    for schema in [Schema::default(), fixtures::wide_schema()] {
        for (text, wanted) in [
            ("metadata.@type = type.googleapis.com/test.Metadata", true),
            ("metadata.@type=type.googleapis.com/test.Metadata", true),
            ("metadata.@type:type.googleapis.com/test.Metadata", true),
            (
                "metadata.@type = \"type.googleapis.com/test.Metadata\"",
                true,
            ),
            ("metadata.@type:'other.host/a/test.Metadata'", true),
            ("metadata.\"@type\" = test.Metadata", true),
            ("metadata.@type = test.Metadata", true),
            ("metadata.@type = (test.Other OR test.Metadata)", true),
            ("metadata.@type = test.*", true),
            ("metadata.@type:Metadata", true),
            ("metadata.@type:*", true),
            ("metadata.@type = Metadata", false),
            ("metadata.@type:etadata", false),
            ("metadata.@type = test.metadata", false),
            ("metadata.@type = test.Other", false),
            ("metadata.@type != test.Other", true),
            ("metadata.@type != test.Metadata", false),
            ("NOT metadata.@type = test.Other", true),
            ("response.@type = test.Response", true),
            ("response.@type:Response AND metadata.@type:Metadata", true),
            ("response.@type != test.Response", false),
        ] {
            assert_eq!(matches(text, &schema, &record), wanted, "{text}");
        }
    }
    // In any order, with fields of that type.
    let schema = fixtures::wide_schema();
    for text in [
        "metadata.target = a AND metadata.@type = test.Metadata",
        "(metadata.@type:test.Metadata) AND (metadata.target:a)",
        "metadata.target = a metadata.@type:Metadata",
    ] {
        assert!(matches(text, &schema, &record), "{text}");
    }
    // Without a payload, there is no type.
    record.metadata = None;
    record.result = None;
    record.state = OperationState::Running;
    for text in [
        "metadata.@type != test.Other",
        "metadata.@type:*",
        "response.@type != x",
    ] {
        assert!(!matches(text, &schema, &record), "{text}");
    }
}

/// report:L3
#[test]
fn a_type_has_no_order_and_no_fields() {
    for (text, kind) in [
        ("metadata.@type < test.Metadata", "BAD_OPERATOR"),
        ("metadata.@type.name = a", "NOT_A_MESSAGE"),
        ("metadata.@type:\"\"", "EXPECTED_VALUE"),
        ("metadata.@typ = a", "UNKNOWN_FIELD"),
    ] {
        let error = Filter::parse(text, &fixtures::wide_schema()).unwrap_err();
        assert_eq!(error.kind().as_str(), kind, "{text}");
        assert!(error.hint().is_some(), "{error}");
    }
}

/// report:L4
#[test]
fn a_schema_can_say_that_a_colon_means_contains() {
    let record = fixtures::with_metadata(
        "Metadata",
        &json!({"target": "shelves/howl-7", "tags": ["urgent"], "owner": {"email": "a@b"},
            "progress_percent": 40, "state": "RUNNING"}),
    );
    let schema = |change: fn(SchemaBuilder) -> SchemaBuilder| {
        change(fixtures::wide_schema().to_builder()).build()
    };
    let all = schema(SchemaBuilder::colon_contains);
    let target = schema(|it| it.colon_contains_in("metadata.target"));
    let owner = schema(|it| it.colon_contains_in("metadata.owner"));
    let none = fixtures::wide_schema();
    for (text, wanted) in [
        //                                   all  target owner none
        ("metadata.target:howl", [true, true, false, false]),
        ("metadata.target:\"shelves/howl-7\"", [true; 4]),
        ("metadata.target:\"shelves*\"", [true; 4]),
        ("metadata.target:(none OR howl)", [true, true, false, false]),
        ("metadata.target = howl", [false; 4]),
        ("metadata.target:HOWL", [false; 4]),
        ("metadata.owner.email:b", [true, false, true, false]),
        ("metadata.tags:gent", [true, false, false, false]),
        ("metadata.tags:urgent", [true; 4]),
        ("metadata.progressPercent:4", [false; 4]),
        ("metadata.progress_percent:40", [true; 4]),
        ("metadata.state:RUNNING", [true; 4]),
        ("metadata.@type:test.Meta", [true, false, false, false]),
        ("name:operations", [true, false, false, false]),
    ] {
        for (schema, wanted) in [&all, &target, &owner, &none].into_iter().zip(wanted) {
            assert_eq!(
                matches(text, schema, &record),
                wanted,
                "{text} in {schema:?}"
            );
        }
    }
}

/// As Spanner documents them for ListDatabaseOperations, ListBackupOperations and
/// ListInstanceConfigOperations, and as `gcloud spanner operations list --type` sends them.
///
/// report:L3 report:L4
#[test]
fn the_documented_filters_of_spanner_are_taken() {
    let database = "type.googleapis.com/google.spanner.admin.database.v1";
    let instance = "type.googleapis.com/google.spanner.admin.instance.v1";
    let time = "\"2018-03-28T14:50:00Z\"";
    let schema = spanner::schema();
    let policy = ListPolicy::spanner(&schema);
    for (text, found) in [
        ("done:true".to_owned(), true),
        (
            format!(
                "(metadata.@type={database}.RestoreDatabaseMetadata) AND \
                 (metadata.source_type:BACKUP) AND \
                 (metadata.backup_info.backup:backup_howl) AND \
                 (metadata.name:restored_howl) AND \
                 (metadata.progress.start_time < {time}) AND (error:*)"
            ),
            true,
        ),
        (
            format!("(metadata.@type={database}.CreateBackupMetadata) AND metadata.database:prod"),
            false,
        ),
        (
            format!(
                "((metadata.@type={database}.CreateBackupMetadata) AND \
                 (metadata.database:test_db)) OR \
                 ((metadata.@type={database}.CopyBackupMetadata) AND \
                 (metadata.source_backup:test_bkp)) AND (error:*)"
            ),
            false,
        ),
        (
            format!(
                "(metadata.@type={instance}.CreateInstanceConfigMetadata) AND \
                 (metadata.instance_config.name:custom-config) AND \
                 (metadata.progress.start_time < {time}) AND (error:*)"
            ),
            false,
        ),
        (
            format!("(metadata.@type:{database}.RestoreDatabaseMetadata)"),
            true,
        ),
        (
            format!(
                "(metadata.@type:{database}.OptimizeRestoredDatabaseMetadata) OR \
                 (metadata.@type:{database}.RestoreDatabaseMetadata)"
            ),
            true,
        ),
        ("metadata.@type:RestoreDatabaseMetadata".to_owned(), true),
        ("metadata.@type:CreateBackupMetadata".to_owned(), false),
    ] {
        assert_eq!(
            matches(&text, &policy.schema, &spanner::restored()),
            found,
            "{text}"
        );
    }
}

/// The metadata types of Spanner's administration APIs, as far as its documented filters go.
mod spanner {
    use std::sync::LazyLock;

    use lro_core::filter::Schema;
    use lro_core::pb;
    use lro_core::store::{OperationRecord, OperationResult, OperationState};
    use prost::Message as _;
    use prost_reflect::{DescriptorPool, DynamicMessage, MessageDescriptor, Value};
    use prost_types::field_descriptor_proto::{Label, Type};
    use prost_types::{Any, DescriptorProto, FieldDescriptorProto, FileDescriptorProto};
    use serde_json::json;

    use crate::filter::fixtures;

    const PACKAGE: &str = "google.spanner.admin.database.v1";
    const MESSAGES: &[(&str, &[(&str, &str)])] = &[
        (
            "RestoreDatabaseMetadata",
            &[
                ("name", "string"),
                ("source_type", "string"),
                ("backup_info", "BackupInfo"),
                ("progress", "OperationProgress"),
            ],
        ),
        ("BackupInfo", &[("backup", "string")]),
        (
            "OperationProgress",
            &[("start_time", "google.protobuf.Timestamp")],
        ),
        (
            "CreateBackupMetadata",
            &[("name", "string"), ("database", "string")],
        ),
        (
            "CopyBackupMetadata",
            &[("name", "string"), ("source_backup", "string")],
        ),
        (
            "CreateInstanceConfigMetadata",
            &[
                ("instance_config", "InstanceConfig"),
                ("progress", "OperationProgress"),
            ],
        ),
        ("InstanceConfig", &[("name", "string")]),
    ];

    fn message(name: &str) -> MessageDescriptor {
        static POOL: LazyLock<DescriptorPool> = LazyLock::new(|| {
            let mut pool = DescriptorPool::global();
            let file = FileDescriptorProto {
                name: Some("spanner.proto".to_owned()),
                package: Some(PACKAGE.to_owned()),
                syntax: Some("proto3".to_owned()),
                dependency: vec!["google/protobuf/timestamp.proto".to_owned()],
                message_type: MESSAGES
                    .iter()
                    .map(|(name, fields)| proto(name, fields))
                    .collect(),
                ..Default::default()
            };
            pool.add_file_descriptor_proto(file).unwrap();
            pool
        });
        POOL.get_message_by_name(&format!("{PACKAGE}.{name}"))
            .unwrap()
    }

    fn proto(name: &str, fields: &[(&str, &str)]) -> DescriptorProto {
        let field = |(number, (name, kind)): (i32, &(&str, &str))| FieldDescriptorProto {
            name: Some((*name).to_owned()),
            number: Some(number),
            label: Some(Label::Optional.into()),
            r#type: Some(
                if *kind == "string" {
                    Type::String
                } else {
                    Type::Message
                }
                .into(),
            ),
            type_name: match *kind {
                "string" => None,
                kind if kind.contains('.') => Some(format!(".{kind}")),
                kind => Some(format!(".{PACKAGE}.{kind}")),
            },
            ..Default::default()
        };
        DescriptorProto {
            name: Some(name.to_owned()),
            field: (1..).zip(fields).map(field).collect(),
            ..Default::default()
        }
    }

    pub(super) fn schema() -> Schema {
        let metadata = [
            "CreateBackupMetadata",
            "RestoreDatabaseMetadata",
            "CopyBackupMetadata",
            "CreateInstanceConfigMetadata",
        ];
        let builder = metadata
            .into_iter()
            .fold(Schema::builder(), |builder, name| {
                builder.metadata(message(name))
            });
        builder.build()
    }

    /// A restore from `backup_howl` that failed.
    pub(super) fn restored() -> OperationRecord {
        let nested = |name: &str, field: &str, value| {
            let mut nested = DynamicMessage::new(message(name));
            nested.set_field_by_name(field, value);
            Value::Message(nested)
        };
        let mut start_time = DynamicMessage::new(
            DescriptorPool::global()
                .get_message_by_name("google.protobuf.Timestamp")
                .unwrap(),
        );
        start_time.set_field_by_number(1, Value::I64(1_500_000_000));
        let mut metadata = DynamicMessage::new(message("RestoreDatabaseMetadata"));
        let text = |text: &str| Value::String(text.to_owned());
        let name = "projects/p/instances/i/databases/restored_howl_7";
        metadata.set_field_by_name("name", text(name));
        metadata.set_field_by_name("source_type", text("BACKUP"));
        let backup = text("projects/p/instances/i/backups/backup_howl");
        metadata.set_field_by_name("backup_info", nested("BackupInfo", "backup", backup));
        let time = Value::Message(start_time);
        metadata.set_field_by_name("progress", nested("OperationProgress", "start_time", time));
        let mut record = fixtures::with_metadata("Metadata", &json!({}));
        record.metadata = Some(Any {
            type_url: format!("type.googleapis.com/{PACKAGE}.RestoreDatabaseMetadata"),
            value: metadata.encode_to_vec(),
        });
        record.state = OperationState::Failed;
        record.result = Some(OperationResult::Error(pb::rpc::Status {
            code: 9,
            ..Default::default()
        }));
        record
    }
}
