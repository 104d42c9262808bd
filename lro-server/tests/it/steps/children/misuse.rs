//! Closures of children that start none, or another one.

use super::*;

async fn refused<F, Fut>(start: F) -> Status
where
    F: Fn(Family, String) -> Fut + Clone + Send + Sync + 'static,
    Fut: Future<Output = Result<Response<Typed>, Status>> + Send + 'static,
{
    let server = Server::new(move |family: Family, operation: Context| {
        let start = start.clone();
        async move {
            let closure = |request_id| start(family.clone(), request_id);
            let child: ExportResponse = operation
                .child("export", &family.operations, closure)
                .await?;
            Ok(child)
        }
    })
    .await;
    let started = server.start().await;
    let done = server.wait(&started).await;
    let error = done.error().unwrap();
    Status::new(Code::from_i32(error.code), error.message.clone())
}

#[tokio::test(start_paused = true)]
async fn the_start_happens_in_the_closure_itself() {
    let in_a_task = refused(|family, id| async move {
        let start = async move { family.start("good", &id).await };
        tokio::spawn(start).await.unwrap()
    });
    let error = in_a_task.await;
    assert_eq!(error.code(), Code::Internal);
    assert!(error.message().contains("nor in another task"), "{error}");
}

#[tokio::test(start_paused = true)]
async fn a_closure_starts_one_operation() {
    let second = refused(|family, id| async move {
        family.start("good", &id).await?;
        family.start("good", &format!("{id}2")).await
    });
    let error = second.await;
    assert_eq!(error.code(), Code::Internal);
    assert!(error.message().contains("second operation"), "{error}");
}

#[tokio::test(start_paused = true)]
async fn a_closure_returns_the_operation_that_it_starts() {
    let other = refused(|family, id| async move {
        family.start("good", &id).await?;
        let other = lro_core::pb::Operation {
            name: "operations/other".to_owned(),
            ..lro_core::pb::Operation::default()
        };
        Ok(Response::new(other.into()))
    });
    let error = other.await;
    assert_eq!(error.code(), Code::Internal);
    assert!(error.message().contains("operations/other"), "{error}");
}

/// steps:C4
#[tokio::test(start_paused = true)]
async fn an_operation_of_another_caller_is_no_child() {
    let server = Server::new(async |family: Family, operation: Context| {
        family.start("good", "order-7").await?;
        let start = async |_| family.start("good", "order-7").await;
        let child: Result<ExportResponse, _> =
            operation.child("export", &family.operations, start).await;
        Ok(child?)
    })
    .await;
    let started = server.start().await;
    let done = server.wait(&started).await;
    let error = done.error().unwrap();
    assert_eq!(error.code, Code::InvalidArgument as i32);
    assert!(
        error.message.contains("is not the child of this step"),
        "{error:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_is_done_needs_no_operation() {
    let server = Server::new(async |family: Family, operation: Context| {
        let child = operation.child("export", &family.operations, async |_| {
            let done = lro_core::pb::Operation {
                done: true,
                result: Some(lro_core::pb::operation::Result::Response(lro_core::pack(
                    &exported(5),
                ))),
                ..lro_core::pb::Operation::default()
            };
            Ok::<_, Status>(Response::new(Typed::from(done)))
        });
        Ok(child.await?)
    })
    .await;
    let started = server.start().await;
    assert_eq!(response(&server.wait(&started).await), exported(5));
}
