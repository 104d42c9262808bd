//! Sagas: when their steps are undone, and what stays.

use lro_core::Reason;
use lro_core::pb::rpc;
use lro_core::store::{Command, OperationState, OperationStore as _, StepKind, Update};
use lro_server::HandlerError;
use lro_server::steps::Saga;
use tonic::{Code, Status};

use super::{HOUR, Trail, keys, record, record_when, rows, store, suspended, wait};
use crate::support::{Metadata, Typed, exported, name, start_on};

/// Makes something in a step of the saga, which its undo notes.
pub(super) async fn make<'a>(
    saga: &Saga<'a, Metadata>,
    trail: &'a Trail,
    what: &'static str,
) -> Result<String, Status> {
    let run = move || async move {
        trail.add(format!("make {what}"));
        Ok::<_, Status>(what.to_owned())
    };
    let undo = move |made: Option<String>| async move {
        trail.add(format!("undo {what} {}", made.as_deref().unwrap_or("?")));
        Ok::<_, Status>(())
    };
    saga.step(what, run, undo).await
}

pub(super) fn error(done: &Typed) -> rpc::Status {
    done.error().unwrap().clone()
}

pub(super) fn is_incomplete(error: &rpc::Status) -> bool {
    Reason::UndoIncomplete.is_told_by(error)
}

/// steps:E3 steps:U4
#[tokio::test(start_paused = true)]
async fn a_suspended_operation_that_is_cancelled_undoes_and_ends_as_cancelled() {
    let trail = Trail::default();
    let seen = trail.clone();
    let (store, node) = store();
    let (operations, exporter, _worker) = start_on(
        node,
        |it| it,
        move |_, operation| {
            let trail = trail.clone();
            async move {
                let (trail, operation) = (&trail, &operation);
                let saga = operation.saga();
                saga.run(async {
                    make(&saga, trail, "network").await?;
                    make(&saga, trail, "disk").await?;
                    operation.sleep("night", HOUR).await?;
                    make(&saga, trail, "late").await?;
                    Ok(exported(1))
                })
                .await
            }
        },
    )
    .await;
    let started = exporter.call(&["a"]).await.unwrap();
    suspended(&store, &name(&started)).await;
    operations.cancel(&name(&started)).await.unwrap();
    let done = wait(&operations, &started).await;
    let error = error(&done);
    assert_eq!(error.code, Code::Cancelled as i32);
    assert!(!is_incomplete(&error));
    let events = seen.events();
    assert_eq!(
        events,
        [
            "make network",
            "make disk",
            "undo disk disk",
            "undo network network"
        ]
    );
    let rows = rows(&store, &name(&started)).await;
    assert_eq!(
        keys(&rows),
        [
            "saga",
            "network",
            "disk",
            "night",
            "undo",
            "undo/disk",
            "undo/network"
        ]
    );
    assert_eq!(rows[0].kind, StepKind::Saga);
    assert!(rows[0].is_finished());
}

/// steps:U4
#[tokio::test(start_paused = true)]
async fn a_running_operation_that_is_cancelled_or_takes_too_long_undoes_in_the_same_run() {
    for cancels in [true, false] {
        let trail = Trail::default();
        let seen = trail.clone();
        let (store, node) = store();
        let (operations, exporter, _worker) = start_on(
            node,
            |it| it,
            move |_, operation| {
                let trail = trail.clone();
                async move {
                    let (trail, operation) = (&trail, &operation);
                    trail.add("run");
                    let saga = operation.saga();
                    saga.run(async {
                        make(&saga, trail, "network").await?;
                        let hangs = || async move {
                            trail.add("hang");
                            std::future::pending::<Result<(), Status>>().await
                        };
                        let undo = |made: Option<()>| async move {
                            trail.add(format!("undo {made:?}"));
                            Ok::<_, Status>(())
                        };
                        saga.step("hang", hangs, undo).await?;
                        Ok(exported(1))
                    })
                    .await
                }
            },
        )
        .await;
        let started = exporter.call(&["a"]).await.unwrap();
        seen.reached(3).await;
        if cancels {
            operations.cancel(&name(&started)).await.unwrap();
        }
        let done = wait(&operations, &started).await;
        let expected = if cancels {
            Code::Cancelled
        } else {
            Code::DeadlineExceeded
        };
        assert_eq!(error(&done).code, expected as i32);
        assert_eq!(
            seen.events(),
            [
                "run",
                "make network",
                "hang",
                "undo None",
                "undo network network"
            ]
        );
        assert!(!record(&store, &name(&started)).await.owes());
    }
}

/// Unless an operator has forgotten a step, which may have been this one.
///
/// steps:U1
#[tokio::test(start_paused = true)]
async fn a_step_that_no_run_has_begun_is_not_undone() {
    for is_forgotten in [false, true] {
        let trail = Trail::default();
        let seen = trail.clone();
        let (store, node) = store();
        let (operations, exporter, _worker) = start_on(
            node,
            |it| it,
            move |_, operation| {
                let trail = trail.clone();
                async move {
                    let (trail, operation) = (&trail, &operation);
                    trail.add("run");
                    let is_first = trail.count_of("run") == 1;
                    let saga = operation.saga();
                    saga.run(async {
                        make(&saga, trail, "network").await?;
                        if is_first {
                            operation.sleep("night", HOUR).await?;
                        }
                        make(&saga, trail, "disk").await?;
                        Ok(exported(1))
                    })
                    .await
                }
            },
        )
        .await;
        let started = exporter.call(&["a"]).await.unwrap();
        suspended(&store, &name(&started)).await;
        let keys = match is_forgotten {
            true => ["network", "night"],
            false => ["night", "night"],
        };
        // Both before its next run.
        let cancel = Update::by_name(name(&started), Command::cancel());
        let keys = keys.map(|key| key.parse().unwrap()).into();
        let forget = Update::by_name(name(&started), Command::ForgetSteps { keys });
        let answers = store.update(vec![forget, cancel]).await.unwrap();
        assert!(answers.iter().all(Result::is_ok), "{answers:?}");
        let done = wait(&operations, &started).await;
        assert_eq!(error(&done).code, Code::Cancelled as i32);
        let expected: &[_] = match is_forgotten {
            true => &["undo network ?"],
            false => &["undo network network"],
        };
        assert_eq!(&seen.events()[3..], expected, "{:?}", seen.events());
    }
}

/// steps:U3
#[tokio::test(start_paused = true)]
async fn a_retryable_error_undoes_only_when_no_attempt_is_left() {
    let trail = Trail::default();
    let seen = trail.clone();
    let (_, node) = store();
    let (operations, exporter, _worker) = start_on(
        node,
        |it| it,
        move |_, operation| {
            let trail = trail.clone();
            async move {
                let (trail, operation) = (&trail, &operation);
                trail.add("run");
                let saga = operation.saga();
                saga.run(async {
                    make(&saga, trail, "network").await?;
                    Err(HandlerError::retry(Status::unavailable("busy")))
                })
                .await
            }
        },
    )
    .await;
    let started = exporter.call(&["a"]).await.unwrap();
    let done = wait(&operations, &started).await;
    assert_eq!(error(&done).code, Code::Unavailable as i32);
    // The first attempt has made progress, so three follow it.
    let events = [
        "run",
        "make network",
        "run",
        "run",
        "run",
        "undo network network",
    ];
    assert_eq!(seen.events(), events);
}

/// steps:U3
#[tokio::test(start_paused = true)]
async fn a_block_that_panics_is_undone() {
    let trail = Trail::default();
    let seen = trail.clone();
    let (_, node) = store();
    let (operations, exporter, _worker) = start_on(
        node,
        |it| it,
        move |_, operation| {
            let trail = trail.clone();
            async move {
                let (trail, operation) = (&trail, &operation);
                let saga = operation.saga();
                saga.run(async {
                    make(&saga, trail, "network").await?;
                    panic!("a mistake of the body");
                })
                .await
            }
        },
    )
    .await;
    let started = exporter.call(&["a"]).await.unwrap();
    let done = wait(&operations, &started).await;
    assert!(Reason::HandlerPanicked.is_told_by(&error(&done)));
    assert_eq!(seen.events(), ["make network", "undo network network"]);
}

/// steps:U6
#[tokio::test(start_paused = true)]
async fn an_undo_that_fails_is_named_and_does_not_stop_the_others() {
    let trail = Trail::default();
    let seen = trail.clone();
    let (store, node) = store();
    let (operations, exporter, _worker) = start_on(
        node,
        |it| it,
        move |_, operation| {
            let trail = trail.clone();
            async move {
                let (trail, operation) = (&trail, &operation);
                let saga = operation.saga();
                saga.run(async {
                    make(&saga, trail, "network").await?;
                    let run = async || Ok::<_, Status>(());
                    let stuck = |_: Option<()>| async move {
                        trail.add("stuck");
                        Err::<(), _>(Status::internal("stuck"))
                    };
                    saga.step("stuck", run, stuck).await?;
                    let panics = |_: Option<()>| async move {
                        match trail.count_of("stuck") {
                            0 => panic!("a mistake of the undo"),
                            _ => Ok::<_, Status>(()),
                        }
                    };
                    saga.step("panics", run, panics).await?;
                    Err(Status::aborted("unhealthy").into())
                })
                .await
            }
        },
    )
    .await;
    let started = exporter.call(&["a"]).await.unwrap();
    let done = wait(&operations, &started).await;
    let error = error(&done);
    assert_eq!(
        (error.code, &*error.message),
        (Code::Aborted as i32, "unhealthy")
    );
    let details = format!(
        "{:?}",
        String::from_utf8_lossy(&error.details.last().unwrap().value)
    );
    assert!(
        is_incomplete(&error) && details.contains("panics, stuck"),
        "{details}"
    );
    assert_eq!(seen.count_of("stuck"), 10);
    assert_eq!(seen.count_of("undo network network"), 1);
    let rows = rows(&store, &name(&started)).await;
    let stuck = rows.iter().find(|row| row.key.as_str() == "undo/stuck");
    assert_eq!(stuck.unwrap().attempt, 10);
}

/// steps:E4
#[tokio::test(start_paused = true)]
async fn an_operation_whose_attempts_are_used_up_undoes() {
    let trail = Trail::default();
    let seen = trail.clone();
    let (store, node) = store();
    let (operations, exporter, _worker) = start_on(
        node,
        |it| it,
        move |_, operation| {
            let trail = trail.clone();
            async move {
                let (trail, operation) = (&trail, &operation);
                let saga = operation.saga();
                let ended = saga.run(async {
                    make(&saga, trail, "network").await?;
                    std::future::pending::<()>().await;
                    Ok(())
                });
                // The sleep after the saga never begins.
                let ended: Result<(), _> = ended.await;
                trail.add(format!("{}", ended.is_ok()));
                operation.sleep("after", HOUR).await?;
                Ok(exported(1))
            }
        },
    )
    .await;
    let started = exporter.call(&["a"]).await.unwrap();
    let name = name(&started);
    seen.reached(1).await;
    let verdict = || async {
        let record = record(&store, &name).await;
        record.steps.unwrap().verdict
    };
    for _ in 0..4 {
        let running = |it: &lro_core::store::OperationRecord| it.state == OperationState::Running;
        let held = record_when(&store, &name, running).await;
        if verdict().await.is_some() {
            break;
        }
        let lost = lro_core::store::Update::by_uid(name.clone(), held.uid, Command::Expire);
        let store: &dyn lro_core::store::OperationStore = &*store;
        store.update(vec![lost]).await.unwrap();
    }
    let done = wait(&operations, &started).await;
    assert!(Reason::AttemptsExhausted.is_told_by(&error(&done)));
    assert!(!is_incomplete(&error(&done)));
    assert_eq!(seen.count_of("make network"), 1);
    assert_eq!(seen.count_of("undo network network"), 1);
}
