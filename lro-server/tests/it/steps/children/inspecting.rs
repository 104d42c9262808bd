//! Children as `lro.v1.Steps` shows them.

use lro_core::inspection as pb;
use lro_core::inspection::list_steps_request::View;
use lro_core::inspection::step::{Kind, State};
use lro_core::inspection::steps_server::Steps as _;
use lro_server::inspection::StepsService;

use super::*;

async fn only_step(server: &Server, operation: &Typed, view: View) -> pb::Step {
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
