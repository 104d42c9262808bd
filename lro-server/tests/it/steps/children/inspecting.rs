//! Children as `lro.v1.Steps` and `lro.v1.Inspection` show them.

use lro_core::inspection as pb;
use lro_core::inspection::inspection_server::Inspection as _;
use lro_core::inspection::list_steps_request::View;
use lro_core::inspection::step::{Kind, State};
use lro_core::inspection::steps_server::Steps as _;
use lro_server::inspection::{InspectionService, StepsService};

use super::*;

pub(super) async fn only_step(server: &Server, operation: &Typed, view: View) -> pb::Step {
    let service = StepsService::from(server.family.operations.clone());
    let request = pb::ListStepsRequest {
        name: operation.name().to_owned(),
        view: view.into(),
        ..Default::default()
    };
    let listed = service.list_steps(Request::new(request)).await.unwrap();
    let mut steps = listed.into_inner().steps;
    assert_eq!(steps.len(), 1);
    steps.remove(0)
}

#[tokio::test(start_paused = true)]
async fn a_parent_lists_its_child_with_the_latest_metadata() {
    let server = Server::new(async |family: Family, operation: Context| {
        Ok(family.child(&operation, "export", "slow").await?)
    })
    .await;
    let started = server.start().await;
    suspended(&server.store, &name(&started)).await;
    let child = server.child_of(&started, "export").await;

    let basic = only_step(&server, &started, View::Basic).await;
    assert_eq!((basic.kind(), basic.state()), (Kind::Child, State::Waiting));
    assert_eq!(
        (basic.child.as_str(), basic.child_cancelled),
        (child.as_str(), false)
    );
    assert_eq!(basic.child_metadata, None);

    let full = only_step(&server, &started, View::Full).await;
    let metadata = record(&server.store, &child).await.metadata;
    // The server has no descriptors of its type, so the value is left out, as that of a request would be.
    let shown = full.child_metadata.unwrap();
    assert_eq!(shown.type_url, metadata.unwrap().type_url);
    assert!(shown.value.is_empty());

    server.cancel(&child).await;
    server.wait(&started).await;
    let ended = only_step(&server, &started, View::Full).await;
    assert_eq!(ended.state(), State::Failed);
    assert_eq!(
        (ended.child.as_str(), ended.child_metadata),
        (child.as_str(), None)
    );
}

#[tokio::test(start_paused = true)]
async fn a_child_names_its_parent_and_the_step_in_descriptions_and_lists() {
    let server = Server::new(async |family: Family, operation: Context| {
        let scoped = operation.scope("tables");
        Ok(family.child(&scoped, "export", "slow").await?)
    })
    .await;
    let started = server.start().await;
    suspended(&server.store, &name(&started)).await;
    let child = server.child_of(&started, "tables/export").await;
    let service = InspectionService::from(server.family.operations.clone());

    let parents = |record: &pb::OperationRecord| {
        let (parent, step) = (&record.parent_operation, &record.parent_step);
        (parent.clone(), step.clone())
    };
    let of_child = (started.name().to_owned(), "tables/export".to_owned());
    for (name, expected) in [
        (child.as_str(), of_child.clone()),
        (started.name(), Default::default()),
    ] {
        let request = pb::DescribeOperationRequest {
            name: name.to_owned(),
            unredacted: false,
        };
        let described = service.describe_operation(Request::new(request)).await;
        assert_eq!(parents(described.unwrap().get_ref()), expected, "{name}");
    }
    let listed = service
        .list_operations(Request::new(Default::default()))
        .await
        .unwrap();
    let listed: Vec<_> = listed.get_ref().operations.iter().map(parents).collect();
    // The newest first.
    assert_eq!(listed, [of_child, Default::default()]);
}

/// An operator forgets the step of a running child.
///
/// steps:C11
#[tokio::test(start_paused = true)]
async fn a_forgotten_child_is_cancelled_and_another_one_is_started() {
    let server = Server::new(async |family: Family, operation: Context| {
        Ok(family.child(&operation, "export", "slow").await?)
    })
    .await;
    let started = server.start().await;
    suspended(&server.store, &name(&started)).await;
    let first = server.child_of(&started, "export").await;
    let service = StepsService::from(server.family.operations.clone());
    let mut known = vec![first.clone()];
    for _ in 0..2 {
        let request = pb::ForgetStepsRequest {
            name: started.name().to_owned(),
            keys: vec!["export".to_owned()],
        };
        service.forget_steps(Request::new(request)).await.unwrap();
        let last = known.last().unwrap();
        let ended = record_when(&server.store, last, |it| it.state.is_done()).await;
        assert_eq!(ended.state, OperationState::Cancelled);
        suspended(&server.store, &name(&started)).await;
        let next = server.child_of(&started, "export").await;
        assert!(!known.contains(&next), "{next} is one of {known:?}");
        known.push(next);
    }
    server.cancel(known.last().unwrap()).await;
    let done = server.wait(&started).await;
    assert_eq!(done.error().unwrap().code, Code::Cancelled as i32);
}
