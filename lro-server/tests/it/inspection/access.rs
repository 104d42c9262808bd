//! The permissions of callers.

use exporter::pb::FILE_DESCRIPTOR_SET;
use exporter::pb::exporter_server::Exporter as ExporterRpc;
use lro_core::inspection as pb;
use lro_core::inspection::complete_promise_request::Outcome;
use lro_core::inspection::inspection_server::Inspection as _;
use lro_core::inspection::list_steps_request::View;
use lro_core::inspection::steps_server::Steps as _;
use lro_core::store::MemoryStore;
use lro_server::access::{
    Access, Authorizer, Call, Caller, InspectionCall, InspectionPermission, Principal,
};
use lro_server::inspection::StepsService;
use lro_server::{Operations, ServiceSettings, Worker};
use tonic::{Code, Status};
use tonic_types::StatusExt as _;

use crate::access::fixture::{As, SERVICE};
use crate::inspection::service;
use crate::support::{Exporter, exported};

/// Callers have what is below their names; `root` operates; `nosy` may inspect nothing.
#[derive(Debug)]
struct Team;

#[tonic::async_trait]
impl Authorizer for Team {
    async fn authenticate(&self, caller: &Caller<'_>) -> Result<Principal, Status> {
        let user = caller.header("x-user");
        let user = user.ok_or_else(|| Status::unauthenticated("who are you?"))?;
        Ok(Principal::new(user))
    }

    async fn authorize(&self, call: &Call<'_>) -> Result<Access, Status> {
        let user = call.principal().name();
        let own = call.is_within(&format!("users/{user}"));
        Ok(Access::allowed_if(own || user == "root"))
    }

    async fn authorize_inspection(&self, call: &InspectionCall<'_>) -> Result<Access, Status> {
        let permission = call.permission();
        let verb = permission.as_str();
        assert!(
            call.permission_name()
                .ends_with(&format!(".operations.{verb}"))
        );
        assert_eq!(
            permission == InspectionPermission::Operate,
            call.service().is_empty()
        );
        Ok(match call.principal().name() {
            "root" => Access::Allowed,
            "nosy" => Access::Denied,
            _ => Access::allowed_if(permission == InspectionPermission::Inspect),
        })
    }
}

/// A policy that says nothing of inspection.
#[derive(Debug)]
struct Unaware;

#[tonic::async_trait]
impl Authorizer for Unaware {
    async fn authorize(&self, _: &Call<'_>) -> Result<Access, Status> {
        Ok(Access::Allowed)
    }
}

fn operations(authorizer: impl Authorizer) -> Operations {
    let users = ServiceSettings::new(SERVICE).parent("users/*".parse().unwrap());
    let builder = Operations::builder(MemoryStore::new()).bind(users);
    let builder = builder.file_descriptor_set(FILE_DESCRIPTOR_SET).unwrap();
    builder.authorizer(authorizer).build()
}

async fn start(exporter: &Exporter, user: &str) -> String {
    let tables = vec![format!("parent=users/{user}")];
    let request = As(user).request(exporter::pb::ExportRequest { tables });
    let started = ExporterRpc::export(exporter, request).await.unwrap();
    started.into_inner().name().to_owned()
}

async fn describe(
    operations: &Operations,
    user: &str,
    name: &str,
    unredacted: bool,
) -> Result<pb::OperationRecord, Status> {
    let name = name.to_owned();
    let request = pb::DescribeOperationRequest { name, unredacted };
    let inspection = service(operations);
    let answer = inspection.describe_operation(As(user).request(request));
    Ok(answer.await?.into_inner())
}

fn refused(error: &Status, permission: &str) {
    assert_eq!(error.code(), Code::PermissionDenied, "{error}");
    let info = error.get_details_error_info().unwrap();
    assert_eq!(info.metadata["permission"], permission, "{error}");
}

#[tokio::test]
async fn each_permission_is_asked_for_by_name() {
    let operations = operations(Team);
    let exporter = Exporter::new(&operations, async |_, _| Ok(exported(1)));
    let (ada, nosy) = (
        start(&exporter, "ada").await,
        start(&exporter, "nosy").await,
    );
    let inspection = service(&operations);
    let permission = |verb: &str| format!("{SERVICE}.operations.{verb}");

    assert!(describe(&operations, "ada", &ada, false).await.is_ok());
    let error = describe(&operations, "ada", &ada, true).await.unwrap_err();
    refused(&error, &permission("inspectUnredacted"));
    assert!(describe(&operations, "root", &ada, true).await.is_ok());

    let error = describe(&operations, "nosy", &nosy, false)
        .await
        .unwrap_err();
    refused(&error, &permission("inspect"));
    let parent = "users/nosy".to_owned();
    let list = pb::ListOperationsRequest {
        parent: parent.clone(),
        ..Default::default()
    };
    let error = inspection.list_operations(As("nosy").request(list)).await;
    refused(&error.unwrap_err(), &permission("inspect"));
    let count = pb::CountOperationsRequest {
        parent: parent.clone(),
        ..Default::default()
    };
    let error = inspection.count_operations(As("nosy").request(count)).await;
    refused(&error.unwrap_err(), &permission("inspect"));
    for watch in [
        pb::WatchOperationsRequest {
            names: vec![nosy],
            ..Default::default()
        },
        pb::WatchOperationsRequest {
            parent,
            ..Default::default()
        },
    ] {
        let error = inspection.watch_operations(As("nosy").request(watch)).await;
        refused(&error.err().unwrap(), &permission("inspect"));
    }
    let resubmit = pb::ResubmitOperationRequest {
        name: ada.clone(),
        ..Default::default()
    };
    let error = inspection
        .resubmit_operation(As("ada").request(resubmit))
        .await;
    refused(&error.unwrap_err(), &permission("resubmit"));
    steps_need_permissions(&operations, &ada).await;
    for user in ["ada", "nosy"] {
        let workers = As(user).request(pb::ListWorkersRequest {});
        let error = inspection.list_workers(workers).await.unwrap_err();
        refused(&error, "longrunning.operations.operate");
        let methods = As(user).request(pb::ListMethodsRequest {});
        let error = inspection.list_methods(methods).await.unwrap_err();
        refused(&error, "longrunning.operations.operate");
    }
    let workers = As("root").request(pb::ListWorkersRequest {});
    assert!(inspection.list_workers(workers).await.is_ok());
    let error = describe(&operations, "", &ada, false).await.unwrap_err();
    assert_eq!(error.code(), Code::Unauthenticated);
}

/// A caller that may get the operation sees its steps; all else has a permission of its own.
async fn steps_need_permissions(operations: &Operations, ada: &str) {
    let steps = StepsService::from(operations.clone());
    let permission = |verb: &str| format!("{SERVICE}.operations.{verb}");
    let list = |view: View, unredacted| pb::ListStepsRequest {
        name: ada.to_owned(),
        view: view.into(),
        unredacted,
        ..Default::default()
    };
    let complete = || pb::CompletePromiseRequest {
        name: ada.to_owned(),
        promise: "approved".into(),
        outcome: Some(Outcome::Response(lro_core::pack(&true))),
    };
    let basic = As("ada").request(list(View::Basic, false));
    assert!(steps.list_steps(basic).await.is_ok());
    let full = As("ada").request(list(View::Full, false));
    let error = steps.list_steps(full).await.unwrap_err();
    refused(&error, &permission("readSteps"));
    let completing = As("ada").request(complete());
    let error = steps.complete_promise(completing).await.unwrap_err();
    refused(&error, &permission("complete"));
    let stranger = As("nosy").request(list(View::Basic, false));
    let error = steps.list_steps(stranger).await.unwrap_err();
    refused(&error, &permission("get"));

    let name = || ada.to_owned();
    let forget = pb::ForgetStepsRequest {
        name: name(),
        keys: vec!["x".into()],
    };
    let error = steps.forget_steps(As("ada").request(forget)).await;
    refused(&error.unwrap_err(), &permission("repair"));
    let unblock = pb::UnblockRequest { name: name() };
    let error = steps.unblock(As("ada").request(unblock)).await;
    refused(&error.unwrap_err(), &permission("repair"));

    let completing = As("root").request(complete());
    steps.complete_promise(completing).await.unwrap();
    let full = As("root").request(list(View::Full, true));
    let listed = steps.list_steps(full).await.unwrap().into_inner();
    assert_eq!(listed.steps[0].value, Some(lro_core::pack(&true)));
    assert_eq!(listed.steps[0].operation_attempt, 0);
}

/// Identities of workers tell which operations run together.
#[tokio::test]
async fn only_operators_see_workers() {
    let operations = operations(Team);
    let exporter = Exporter::new(&operations, async |_, _| {
        std::future::pending::<()>().await;
        Ok(exported(1))
    });
    let worker = Worker::builder(&operations).host(exporter.clone());
    let worker = worker.start().await.unwrap();
    let name = start(&exporter, "ada").await;
    let seen = async |user: &str| {
        let record = describe(&operations, user, &name, false).await.unwrap();
        let lease = record.lease.unwrap();
        assert!(lease.expire_time.is_some());
        assert_eq!(lease.worker, record.attempts[0].worker);
        lease.worker
    };
    assert_eq!(seen("ada").await, "");
    assert!(uuid::Uuid::parse_str(&seen("root").await).is_ok());
    operations.cancel(&name.parse().unwrap()).await.unwrap();
    worker.drain().await;
}

/// An authorizer from before the service grants nothing that goes beyond the standard.
#[tokio::test]
async fn authorizers_deny_what_concerns_others_by_default() {
    let operations = operations(Unaware);
    let exporter = Exporter::new(&operations, async |_, _| Ok(exported(1)));
    let name = start(&exporter, "ada").await;
    assert!(describe(&operations, "ada", &name, false).await.is_ok());
    let error = describe(&operations, "ada", &name, true).await.unwrap_err();
    assert_eq!(error.code(), Code::PermissionDenied);
    let workers = As("ada").request(pb::ListWorkersRequest {});
    let error = service(&operations)
        .list_workers(workers)
        .await
        .unwrap_err();
    assert_eq!(error.code(), Code::PermissionDenied);
}
