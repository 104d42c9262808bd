//! The files below `golden` compile, and mean what the protos say.

#![allow(
    unreachable_pub,
    reason = "generated for others, who use all of it and reach it"
)]

use std::any::TypeId;

use lro_core::{
    LongRunningMethod, MetadataFields, MetadataOf, Operation, RequestFields, RequestOf, ResponseOf,
    Targeted, wkt,
};
use tonic::{Request, Response, Status};

mod shapes_protos {
    include!("golden/shapes/protos.rs");
}

mod standard_protos {
    include!("golden/standard/protos.rs");
}

mod keywords_protos {
    include!("golden/keywords/protos.rs");
}

mod legacy_protos {
    include!("golden/legacy/protos.rs");
}

mod several_protos {
    include!("golden/several/protos.rs");
}

mod well_known {
    include!("golden/well_known/protos.rs");
}

#[allow(
    clippy::wrong_self_convention,
    reason = "the rpcs are called `New` and `FromArc`"
)]
mod clashes_protos {
    include!("golden/clashes/protos.rs");
}

mod untyped {
    include!("golden/untyped/protos.rs");
}

/// The rpc `M` carries these types.
fn check<M, Q, R, D>(path: &str)
where
    M: LongRunningMethod,
    Q: RequestOf<M>,
    R: ResponseOf<M>,
    D: MetadataOf<M>,
{
    assert_eq!(M::PATH, path);
    assert_eq!(TypeId::of::<M::Request>(), TypeId::of::<Q>(), "{path}");
    assert_eq!(TypeId::of::<M::Response>(), TypeId::of::<R>(), "{path}");
    assert_eq!(TypeId::of::<M::Metadata>(), TypeId::of::<D>(), "{path}");
}

#[test]
fn every_shape_of_types() {
    use shapes_protos::other::v1 as other;
    use shapes_protos::shapes::v1::{
        Metadata, Request, Response, outer, shapes_methods as methods,
    };

    check::<methods::SamePackage, Request, Response, Metadata>("/shapes.v1.Shapes/SamePackage");
    check::<methods::OtherPackage, Request, other::Response, other::outer::Metadata>(
        "/shapes.v1.Shapes/OtherPackage",
    );
    check::<methods::Nested, outer::Request, outer::middle::Response, Metadata>(
        "/shapes.v1.Shapes/Nested",
    );
    check::<methods::NoComment, (), (), ()>("/shapes.v1.Shapes/NoComment");
    check::<methods::WellKnown, String, prost_types::Timestamp, prost_types::Any>(
        "/shapes.v1.Shapes/WellKnown",
    );
    check::<methods::Move, Request, Response, Metadata>("/shapes.v1.Shapes/Move");
}

#[test]
fn several_packages_and_services() {
    use several_protos::several::alpha::v1::{
        RunMetadata, RunRequest, first_methods, second_methods,
    };
    use several_protos::several::beta::{Outer, outer::Inner, third_methods};

    check::<first_methods::Run, RunRequest, Inner, RunMetadata>("/several.alpha.v1.First/Run");
    check::<second_methods::Run, Inner, RunRequest, Outer>("/several.alpha.v1.Second/Run");
    check::<third_methods::Run, Outer, Outer, Outer>("/several.beta.Third/Run");
    assert_eq!(first_methods::Run::API_VERSION, "v1");
    assert_eq!(third_methods::Run::API_VERSION, "");
}

/// report:M1
#[test]
fn an_rpc_has_another_name_in_the_client_if_every_client_has_its_own() {
    use clashes_protos::clashes::v1::{
        Cluster, clashes_client::ClashesClient, clashes_methods as methods, clashes_server,
        cluster::Node,
    };
    use tonic::transport::Channel;

    // The handlers have the names of the proto.
    check::<clashes_server::long_running_rpcs::connect, Cluster, Cluster, Node>(
        "/clashes.v1.Clashes/Connect",
    );
    check::<methods::Connect, Cluster, Cluster, Node>("/clashes.v1.Clashes/Connect");
    // All of these are methods that a caller can call.
    let _calls = |mut client: ClashesClient<Channel>| async move {
        let _ = client.connect_rpc_(Cluster::default()).await;
        let _ = client.connect_rpc(Cluster::default()).await;
        let _ = client.new_rpc(Cluster::default()).await;
        let _ = client.clone_rpc(Cluster::default()).await;
        let _ = client.from_arc(Cluster::default()).await;
        client.clone()
    };
}

/// report:M3
#[test]
fn a_package_may_share_its_module_with_nested_types() {
    use clashes_protos::clashes::v1::cluster::{
        Node, Shard, Size, node, node::v1beta1::Disk, shards_server::SERVICE_NAME,
    };

    let shard = Shard {
        node: Some(Node {
            size: Size::Unspecified.into(),
            name: Some(node::Name::Text("a".into())),
        }),
        disk: Some(Disk::default()),
    };
    assert_eq!(shard.node.map(|node| node.size), Some(0));
    assert_eq!(SERVICE_NAME, "clashes.v1.cluster.Shards");
}

/// report:M6
#[test]
fn a_request_may_be_a_type_without_a_name() {
    use clashes_protos::clashes::v1::clashes_methods as methods;
    use prost_types::Any;

    check::<methods::Start, wkt::Struct, wkt::Value, wkt::ListValue>("/clashes.v1.Clashes/Start");
    check::<methods::StartValue, wkt::Value, Any, Any>("/clashes.v1.Clashes/StartValue");
    check::<methods::StartList, wkt::ListValue, Any, Any>("/clashes.v1.Clashes/StartList");
}

#[test]
fn words_of_rust() {
    use keywords_protos::r#type::r#async::v1::{
        Match, Operation, Result, Self_, Some, String, gen_methods, self_, vec_methods,
    };

    check::<vec_methods::Move, Self_, self_::Type, Match>("/type.async.v1.Vec/Move");
    check::<vec_methods::Self_, Match, Result, String>("/type.async.v1.Vec/Self");
    check::<gen_methods::Gen, Result, Some, Operation>("/type.async.v1.gen/Gen");
    let request = Self_ {
        r#match: std::option::Option::Some(self_::Type {
            self_: "self".into(),
            r#async: true,
            ..Default::default()
        }),
        r#fn: self_::Fn::Self2.into(),
        request_id: "1".into(),
    };
    let fields = vec_methods::Move::request_fields(&request);
    assert_eq!(fields.request_id, "1");
    assert_eq!(vec_methods::Move::METADATA_FIELDS.target, 1);
}

#[test]
fn proto2() {
    use legacy_protos::legacy::v2::{
        CreateMetadata, CreateRequest, CreateResponse, legacy_methods::Create,
    };

    check::<Create, CreateRequest, CreateResponse, CreateMetadata>("/legacy.v2.Legacy/Create");
    let absent = CreateRequest {
        parent: "shelves/1".into(),
        ..Default::default()
    };
    let expected = RequestFields {
        target: "shelves/1".into(),
        ..Default::default()
    };
    assert_eq!(Create::request_fields(&absent), expected);
    let present = CreateRequest {
        request_id: Some("1".into()),
        validate_only: Some(true),
        ..absent
    };
    let expected = RequestFields {
        request_id: "1".into(),
        validate_only: true,
        ..expected
    };
    assert_eq!(Create::request_fields(&present), expected);
    let expected = MetadataFields {
        verb: 1,
        requested_cancellation: 2,
        ..MetadataFields::NONE
    };
    assert_eq!(Create::METADATA_FIELDS, expected);
}

/// spec:18
#[test]
fn types_without_a_name_and_without_content() {
    use lro_core::pb;
    use well_known::known::v1::{Request, known_methods as methods};

    check::<methods::DeleteIt, Request, (), wkt::Struct>("/known.v1.Known/DeleteIt");
    check::<methods::Any, (), prost_types::Any, prost_types::Any>("/known.v1.Known/Any");
    check::<methods::Value, prost_types::Any, wkt::Value, wkt::ListValue>("/known.v1.Known/Value");
    check::<methods::Mask, pb::WaitOperationRequest, wkt::FieldMask, wkt::Status>(
        "/known.v1.Known/Mask",
    );
    check::<
        methods::Elsewhere,
        pb::ListOperationsRequest,
        pb::ListOperationsResponse,
        pb::OperationInfo,
    >("/known.v1.Known/Elsewhere");
    // Fields keep the types of prost.
    let request = Request {
        fields: Some(prost_types::Struct::default()),
        ..Default::default()
    };
    assert!(request.fields.is_some());
    // The build script has said what the proto does not.
    check::<methods::Raw, Request, Request, wkt::Struct>("/known.v1.Known/Raw");
}

/// spec:19
#[test]
fn an_untyped_operation_carries_what_the_handler_says() {
    use prost_types::Any;
    use untyped::known::v1::{Request, known_methods::Raw};

    fn allowed<R: ResponseOf<Raw> + MetadataOf<Raw>>() {}

    check::<Raw, Request, Any, Any>("/known.v1.Known/Raw");
    allowed::<Request>();
    allowed::<()>();
    allowed::<wkt::Struct>();
}

#[test]
fn options_about_the_shape_of_types() {
    use untyped::known::v1::Request;

    let request = Request {
        status: Some(Box::default()),
        data: prost::bytes::Bytes::from_static(b"data"),
        values: std::collections::BTreeMap::new(),
        ..Default::default()
    };
    assert_eq!(request.data.len(), 4);
}

/// spec:39 spec:125
#[test]
fn standard_fields_of_requests() {
    use standard_protos::standard::v1beta1 as v1;
    use v1::shelves_methods as methods;

    let shelf = v1::Shelf {
        name: "shelves/1".into(),
    };
    let create = v1::CreateShelfRequest {
        parent: "libraries/1".into(),
        name: "shelves/1".into(),
        shelf: Some(shelf.clone()),
        request_id: "1".into(),
        validate_only: true,
    };
    let expected = RequestFields {
        request_id: "1".into(),
        validate_only: true,
        target: "libraries/1".into(),
    };
    assert_eq!(methods::CreateShelf::request_fields(&create), expected);

    // Where an operation's parent can be taken from; the batch has no such field.
    assert_eq!(<methods::CreateShelf as Targeted>::TARGET_FIELD, "parent");
    assert_eq!(
        <methods::UpdateShelf as Targeted>::TARGET_FIELD,
        "shelf.name"
    );
    assert_eq!(<methods::DeleteShelf as Targeted>::TARGET_FIELD, "name");

    let target = |target: &str| RequestFields {
        target: target.into(),
        ..Default::default()
    };
    let update = v1::UpdateShelfRequest { shelf: Some(shelf) };
    assert_eq!(
        methods::UpdateShelf::request_fields(&update),
        target("shelves/1")
    );
    let update = v1::UpdateShelfRequest { shelf: None };
    assert_eq!(methods::UpdateShelf::request_fields(&update), target(""));
    let delete = v1::DeleteShelfRequest {
        name: Some("shelves/1".into()),
        ..Default::default()
    };
    assert_eq!(
        methods::DeleteShelf::request_fields(&delete),
        target("shelves/1")
    );
    let batch = v1::BatchCreateShelvesRequest {
        parent: vec!["libraries/1".into()],
        request_id: vec![1],
        more: Some(v1::batch_create_shelves_request::More::ValidateOnly(true)),
    };
    assert_eq!(
        methods::BatchCreateShelves::request_fields(&batch),
        RequestFields::default()
    );
}

/// spec:31
#[test]
fn standard_fields_of_metadata() {
    use standard_protos::standard::v1beta1::shelves_methods as methods;

    let expected = MetadataFields {
        create_time: 1,
        end_time: 2,
        target: 3,
        verb: 4,
        requested_cancellation: 6,
        api_version: 7,
        start_time: 8,
        update_time: 9,
        current_step: 10,
        waiting_for: 11,
        steps_done: 12,
        blocked_reason: 13,
    };
    assert_eq!(methods::CreateShelf::METADATA_FIELDS, expected);
    let expected = MetadataFields {
        requested_cancellation: 600,
        ..MetadataFields::NONE
    };
    assert_eq!(methods::UpdateShelf::METADATA_FIELDS, expected);
    for none in [
        methods::DeleteShelf::METADATA_FIELDS,
        methods::BatchCreateShelves::METADATA_FIELDS,
    ] {
        assert_eq!(none, MetadataFields::NONE);
    }
    assert_eq!(methods::CreateShelf::VERB, "create");
    assert_eq!(methods::BatchCreateShelves::VERB, "batchCreate");
    assert_eq!(methods::CreateShelf::API_VERSION, "v1beta1");
}

struct Third;

/// The trait is implemented with the types that the proto names.
#[tonic::async_trait]
impl several_protos::several::beta::third_server::Third for Third {
    async fn run(
        &self,
        request: Request<several_protos::several::beta::Outer>,
    ) -> Result<
        Response<
            Operation<several_protos::several::beta::Outer, several_protos::several::beta::Outer>,
        >,
        Status,
    > {
        let _ = request;
        Ok(Response::new(Operation::default()))
    }
}

struct Untyped;

/// Rpcs that are left out answer UNIMPLEMENTED, if asked for.
#[tonic::async_trait]
impl untyped::known::v1::known_server::Known for Untyped {}
