//! The operations of the engine's own that watch children on other servers.

use super::*;

/// steps:C9
#[tokio::test(start_paused = true)]
async fn no_call_of_google_longrunning_finds_a_watch() {
    let parents = Parents::new(just_a_child).await;
    let started = parents.server.start().await;
    suspended(&parents.server.store, &name(&started)).await;
    let watch = parents.server.child_of(&started, STEP).await;
    assert!(watch.is_watch());
    let operations = &parents.server.family.operations;
    let rpcs = lro_core::pb::operations_client::OperationsClient::new(operations.service());
    let by_name = watch.to_string();
    let get = lro_core::pb::GetOperationRequest {
        name: by_name.clone(),
    };
    assert_eq!(
        rpcs.clone().get_operation(get).await.unwrap_err().code(),
        Code::NotFound
    );
    let cancel = lro_core::pb::CancelOperationRequest {
        name: by_name.clone(),
    };
    assert_eq!(
        rpcs.clone()
            .cancel_operation(cancel)
            .await
            .unwrap_err()
            .code(),
        Code::NotFound
    );
    let wait = lro_core::pb::WaitOperationRequest {
        name: by_name.clone(),
        timeout: None,
    };
    assert_eq!(
        rpcs.clone().wait_operation(wait).await.unwrap_err().code(),
        Code::NotFound
    );
    // Services pass names of their callers on.
    let other = lro_core::pb::Operation::default();
    let told = operations.complete(&watch, "operation", &other).await;
    assert_eq!(told.unwrap_err().code(), Code::NotFound);
    for refused in [
        operations.get(&watch).await.map(drop),
        operations.wait(&watch, None).await.map(drop),
        operations.cancel(&watch).await,
        operations.delete(&watch).await,
    ] {
        assert_eq!(refused.unwrap_err().code(), Code::NotFound);
    }
    let delete = lro_core::pb::DeleteOperationRequest { name: by_name };
    assert_eq!(
        rpcs.clone()
            .delete_operation(delete)
            .await
            .unwrap_err()
            .code(),
        Code::NotFound
    );
    for parent in ["operations", "lro.v1/watches", "-/-", "lro.v1/-"] {
        let list = lro_core::pb::ListOperationsRequest {
            name: parent.into(),
            ..Default::default()
        };
        let listed = rpcs
            .clone()
            .list_operations(list)
            .await
            .unwrap()
            .into_inner();
        assert!(
            listed.operations.iter().all(|it| it.name == started.name()),
            "{parent}"
        );
    }
    let mine = parents
        .server
        .family
        .exporter()
        .call(&["good", "parent=lro.v1/watches"])
        .await;
    assert_eq!(mine.unwrap_err().code(), Code::InvalidArgument);
}

/// Watches run as long as operations elsewhere: each crash loses all of them, and they must not wait for one another
/// as operations do of which a process may die.
#[tokio::test(start_paused = true)]
async fn the_loss_of_its_worker_makes_a_watch_no_suspect() {
    use lro_core::store::{Command, OperationStore as _, Update};
    let parents = Parents::new(just_a_child).await;
    let started = parents.server.start().await;
    suspended(&parents.server.store, &name(&started)).await;
    let watch = parents.server.child_of(&started, STEP).await;
    for command in [Command::ExpireShared, Command::Expire] {
        let runs = |watch: &OperationRecord| watch.state.is_running();
        let before = record_when(&parents.server.store, &watch, runs).await;
        let update = Update::by_name(watch.clone(), command);
        let answer = parents.server.store.update(vec![update]).await.unwrap();
        answer.into_iter().next().unwrap().unwrap();
        let again = |watch: &OperationRecord| watch.fence > before.fence;
        let after = record_when(&parents.server.store, &watch, again).await;
        assert_eq!(after.losses, 0);
    }
    parents.elsewhere.end(&parents.elsewhere.names()[0], 5);
    assert_eq!(response(&parents.end(&started).await), exported(5));
}

/// The watch has the names, and the metadata of the operation elsewhere.
#[cfg(feature = "inspection")]
#[tokio::test(start_paused = true)]
async fn a_parent_lists_its_child_elsewhere_with_the_latest_metadata() {
    use lro_core::inspection::list_steps_request::View;

    use crate::steps::children::inspecting::only_step;

    let parents = Parents::new(just_a_child).await;
    let started = parents.server.start().await;
    suspended(&parents.server.store, &name(&started)).await;
    let child = parents.elsewhere.names().remove(0);
    parents.elsewhere.change(&child, |operation| {
        operation.metadata = Some(lro_core::pack(&prost_types::Duration {
            seconds: 4,
            nanos: 0,
        }));
    });
    let shown = |watch: &OperationRecord| watch.metadata.is_some();
    parents.server.child_when(&started, STEP, shown).await;
    let full = only_step(&parents.server, &started, View::Full).await;
    let names = (full.remote.as_str(), full.remote_operation.as_str());
    assert_eq!(names, ("other", child.as_str()));
    assert!(
        full.child_metadata
            .unwrap()
            .type_url
            .ends_with("google.protobuf.Duration")
    );
    parents.elsewhere.end(&child, 1);
    parents.end(&started).await;
    let basic = only_step(&parents.server, &started, View::Basic).await;
    assert_eq!(
        (&*basic.remote, &*basic.remote_operation),
        ("other", &*child)
    );
    assert_eq!(basic.child_metadata, None);
}
