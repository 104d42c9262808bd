//! Children that a saga undoes.

use std::time::Duration;

use lro_server::steps::Saga;

use super::super::saga_faults::take_away;
use super::*;

pub(super) fn child<'a>(
    saga: &Saga<'a, Metadata>,
    family: &'a Family,
    table: &'static str,
) -> Step<'a, ExportResponse> {
    let start = async move |request_id: String| family.start(table, &request_id).await;
    let undo = move |made: Option<ExportResponse>| async move {
        let made = made.map(|made| made.tables_exported);
        family.trail.add(format!("undo {table} {made:?}"));
        Ok::<_, Status>(())
    };
    saga.child(table, &family.operations, start, undo)
}

/// steps:U1 steps:C6
#[tokio::test(start_paused = true)]
async fn a_saga_cancels_its_children_before_it_undoes() {
    for cancels in [false, true] {
        let server = Server::new(move |family: Family, operation: Context| async move {
            let (family, saga) = (&family, operation.saga());
            saga.run(async {
                child(&saga, family, "good").await?;
                let fails = async {
                    family.trail.reached(4).await;
                    match cancels {
                        true => std::future::pending().await,
                        false => Err::<(), _>(Status::aborted("enough")),
                    }
                };
                tokio::try_join!(child(&saga, family, "slow"), fails)?;
                Ok(exported(1))
            })
            .await
        })
        .await;
        let started = server.start().await;
        if cancels {
            server.family.trail.reached(4).await;
            server.cancel(&name(&started)).await;
        }
        let done = server.wait(&started).await;
        let code = if cancels {
            Code::Cancelled
        } else {
            Code::Aborted
        };
        assert_eq!(done.error().unwrap().code, code as i32);
        let events = [
            "start good",
            "run good",
            "start slow",
            "run slow",
            "stop slow",
            "undo slow None",
            "undo good Some(7)",
        ];
        assert_eq!(server.events(), events, "{cancels}");
        assert!(!server.record(&started).await.owes());
    }
}

/// The undo gets what the child has returned although it was cancelled.
///
/// steps:U1
#[tokio::test(start_paused = true)]
async fn a_child_that_succeeds_while_it_is_cancelled_is_undone_with_its_response() {
    let server = Server::new(move |family: Family, operation: Context| async move {
        let (family, saga) = (&family, operation.saga());
        saga.run(async {
            let fails = async {
                family.trail.reached(2).await;
                Err::<(), _>(Status::aborted("enough"))
            };
            tokio::try_join!(child(&saga, family, "late"), fails)?;
            Ok(exported(1))
        })
        .await
    })
    .await;
    let started = server.start().await;
    let done = server.wait(&started).await;
    assert_eq!(done.error().unwrap().code, Code::Aborted as i32);
    let events = server.events();
    assert_eq!(events.last().unwrap(), "undo late Some(3)", "{events:?}");
}

/// steps:U1
#[tokio::test(start_paused = true)]
async fn a_child_that_ended_after_a_step_is_undone_before_it() {
    let server = Server::new(async |family: Family, operation: Context| {
        let (family, saga) = (&family, operation.saga());
        saga.run(async {
            let make = async || Ok::<u32, Status>(1);
            let undo = async |_: Option<u32>| {
                family.trail.add("undo network");
                Ok::<_, Status>(())
            };
            saga.step("network", make, undo).await?;
            child(&saga, family, "good").await?;
            Err(Status::aborted("enough").into())
        })
        .await
    })
    .await;
    let started = server.start().await;
    server.wait(&started).await;
    let events = [
        "start good",
        "run good",
        "undo good Some(7)",
        "undo network",
    ];
    assert_eq!(server.events(), events);
}

/// Its timeout has passed in an earlier run: the saga waits for it all the same.
///
/// steps:C6 steps:S23
#[tokio::test(start_paused = true)]
async fn a_child_that_its_timeout_has_cancelled_is_waited_for() {
    let server = Server::new(async |family: Family, operation: Context| {
        let (family, saga) = (&family, operation.saga());
        saga.run(async {
            let lingers = child(&saga, family, "lingers").timeout(HOUR / 4);
            let fails = async {
                // The child was cancelled, and needs a while to stop.
                operation
                    .sleep("patience", HOUR / 4 + std::time::Duration::from_secs(1))
                    .await?;
                Err::<(), _>(Status::aborted("enough"))
            };
            tokio::try_join!(lingers, fails)?;
            Ok(exported(1))
        })
        .await
    })
    .await;
    let started = server.start().await;
    let done = server.wait(&started).await;
    let error = done.error().unwrap();
    assert_eq!(error.code, Code::Aborted as i32);
    assert!(
        !lro_core::Reason::UndoIncomplete.is_told_by(error),
        "{error:?}"
    );
    let events = server.events();
    assert_eq!(
        events[events.len() - 2..],
        ["stop lingers", "undo lingers Some(5)"],
        "{events:?}"
    );
}

/// The block fails while the start of a child is under way. The next run replays the block up to the decision to undo, so the
/// child is recorded before it.
///
/// steps:C7 steps:U4 steps:U5
#[tokio::test(start_paused = true)]
async fn a_child_whose_start_was_under_way_is_undone_by_a_later_run() {
    let server = Server::new(async |family: Family, operation: Context| {
        let (family, saga) = (&family, operation.saga());
        let undo = async |_: Option<ExportResponse>| {
            family.trail.add("undo good");
            if family.trail.count_of("undo good") == 1 {
                std::future::pending::<()>().await;
            }
            Ok::<_, Status>(())
        };
        saga.run(async {
            let fail = async || Err::<(), _>(Status::aborted("no"));
            // The block lets others replay after it.
            operation.step("bad", fail).await.unwrap_err();
            family.way.delay_start(Duration::from_secs(1));
            let start = async |request_id: String| family.start("good", &request_id).await;
            let fails = async {
                family.trail.reached(1).await;
                Err::<(), _>(Status::aborted("enough"))
            };
            let node = saga.child("node", &family.operations, start, undo);
            tokio::try_join!(node, fails)?;
            Ok(exported(1))
        })
        .await
    })
    .await;
    let started = server.start().await;
    server.family.trail.happened("undo good").await;
    take_away(&server.store, &started).await;
    let done = server.wait(&started).await;
    assert_eq!(done.error().unwrap().code, Code::Aborted as i32);
    let undone = server.family.trail.count_of("undo good");
    assert_eq!(undone, 2, "{:?}", server.events());
}

/// The next run has seen no call of the child yet when it has found all steps to undo.
///
/// steps:U1 steps:C6
#[tokio::test(start_paused = true)]
async fn a_later_run_undoes_after_the_plain_children_of_the_block() {
    let server = Server::new(async |family: Family, operation: Context| {
        let (family, operation, saga) = (&family, &operation, operation.saga());
        saga.run(async {
            let make = async || Ok::<_, Status>(());
            let undo = async |_: Option<()>| {
                family.trail.add("undo network");
                Ok::<_, Status>(())
            };
            saga.step("network", make, undo).await?;
            let fail = async || Err::<(), _>(Status::aborted("no"));
            // The block lets others replay after it.
            operation.step("bad", fail).await.unwrap_err();
            let fails = async || {
                family.trail.happened("run lingers").await;
                Err::<(), _>(Status::aborted("enough"))
            };
            tokio::try_join!(
                family.child(operation, "node", "lingers"),
                operation.step("fails", fails)
            )?;
            Ok(exported(1))
        })
        .await
    })
    .await;
    let way = server.family.way.clone();
    server.family.way.before_updates(move |updates| {
        let mut steps = updates.iter().flat_map(|update| &update.steps);
        if steps.any(|step| step.child.as_ref().is_some_and(|it| it.is_cancelled)) {
            // So that the run is not suspended yet.
            way.delay_update(Duration::from_secs(1));
        }
        Ok(())
    });
    let started = server.start().await;
    server.family.trail.happened("run lingers").await;
    let is_cancelled = |child: &OperationRecord| child.cancel_time.is_some();
    server.child_when(&started, "node", is_cancelled).await;
    take_away(&server.store, &started).await;
    let done = server.wait(&started).await;
    assert_eq!(done.error().unwrap().code, Code::Aborted as i32);
    let events = [
        "start lingers",
        "run lingers",
        "stop lingers",
        "undo network",
    ];
    assert_eq!(server.events(), events);
}
