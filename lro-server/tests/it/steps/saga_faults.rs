//! Sagas of runs that lose their operation, and of runs whose store or runtime stands still.

use std::time::Duration;

use lro_core::store::{Command, MemoryStore, OperationStore as _, Update};
use lro_server::{HandlerError, Worker};
use tokio::sync::watch;
use tonic::{Code, Status};

use super::sagas::{error, is_incomplete, make};
use super::{HOUR, Node, Trail, record, store, suspended, wait};
use crate::support::{Typed, exported, name, start_on};

/// Gives the operation back under its run, which has lost it then.
pub(super) async fn take_away(store: &MemoryStore, started: &Typed) {
    let release = Command::Release {
        fence: record(store, &name(started)).await.fence,
        metadata: None,
    };
    let lost = Update::by_name(name(started), release);
    store.update(vec![lost]).await.unwrap().remove(0).unwrap();
}

/// A gate that opens once.
#[derive(Clone)]
struct Gate(watch::Sender<bool>);

impl Gate {
    fn new() -> Self {
        Self(watch::Sender::new(false))
    }

    fn open(&self) {
        self.0.send_replace(true);
    }

    async fn passed(&self) {
        let mut opened = self.0.subscribe();
        opened.wait_for(|it| *it).await.unwrap();
    }
}

/// The next run undoes the saga. In the lost one the body would take it for undone.
///
/// steps:S9 steps:U4
#[tokio::test(start_paused = true)]
async fn a_saga_of_a_lost_run_does_not_return() {
    let trail = Trail::default();
    let seen = trail.clone();
    let gate = Gate::new();
    let opened = gate.clone();
    let (store, _) = store();
    let body = move |_, operation: crate::support::Context| {
        let (trail, gate) = (trail.clone(), gate.clone());
        async move {
            let (trail, gate, operation) = (&trail, &gate, &operation);
            let saga = operation.saga();
            let make = async || {
                trail.add("make");
                Ok::<_, Status>(())
            };
            let undo = async |_: Option<()>| {
                trail.add("undo");
                gate.passed().await;
                Ok::<_, Status>(())
            };
            let ended = saga.run(async {
                saga.step("network", make, undo).await?;
                operation.cancelled().await;
                // In the grace period.
                Err::<(), HandlerError>(Status::failed_precondition("enough").into())
            });
            let code = ended.await.unwrap_err().status().code();
            trail.add(format!("returned {code:?}"));
            Ok(exported(1))
        }
    };
    // It receives no notification.
    let (operations, exporter, _worker) = start_on(Node::new(&store), |it| it, body).await;
    let started = exporter.call(&["a"]).await.unwrap();
    seen.reached(1).await;
    operations.cancel(&name(&started)).await.unwrap();
    seen.reached(2).await;
    take_away(&store, &started).await;
    opened.open();
    wait(&operations, &started).await;
    let returned = ["make", "undo", "undo"];
    assert_eq!(seen.events(), returned);
}

/// Nothing would tell a later run that it has begun.
///
/// steps:S6 steps:S9 steps:U1
#[tokio::test(start_paused = true)]
async fn no_closure_begins_whose_row_is_refused() {
    for is_undoable in [true, false] {
        let trail = Trail::default();
        let seen = trail.clone();
        let gate = Gate::new();
        let opened = gate.clone();
        let (store, _) = store();
        let body = move |_, operation: crate::support::Context| {
            let (trail, gate) = (trail.clone(), gate.clone());
            async move {
                let (trail, gate, operation) = (&trail, &gate, &operation);
                let saga = operation.saga();
                saga.run(async {
                    make(&saga, trail, "network").await?;
                    trail.add("waits");
                    operation.cancelled().await;
                    trail.add("has its grace period");
                    gate.passed().await;
                    if is_undoable {
                        make(&saga, trail, "disk").await?;
                    } else {
                        let count = async || Ok::<_, Status>(1_u32);
                        operation.step("count", count).lazy().await?;
                        let begin = async || {
                            trail.add("make disk");
                            Ok::<_, Status>(())
                        };
                        operation.step("disk", begin).await?;
                    }
                    Ok(exported(1))
                })
                .await
            }
        };
        let (operations, exporter, _worker) = start_on(Node::new(&store), |it| it, body).await;
        let started = exporter.call(&["a"]).await.unwrap();
        seen.reached(2).await;
        operations.cancel(&name(&started)).await.unwrap();
        seen.reached(3).await;
        take_away(&store, &started).await;
        opened.open();
        wait(&operations, &started).await;
        assert_eq!(seen.count_of("make disk"), 0, "{:?}", seen.events());
        assert_eq!(seen.events().last().unwrap(), "undo network network");
    }
}

/// A run that undoes waits for 10 s, when nothing happens, until the body has reached what it must undo.
///
/// steps:U4 steps:U6
#[tokio::test(start_paused = true)]
async fn no_step_is_given_up_while_the_store_is_slow() {
    let trail = Trail::default();
    let seen = trail.clone();
    let (store, node) = store();
    let way = node.clone();
    let body = move |_, operation: crate::support::Context| {
        let (trail, way) = (trail.clone(), way.clone());
        async move {
            let (trail, operation) = (&trail, &operation);
            let first = operation.saga();
            let undone = first.run(async {
                if trail.count_of("undo network network") == 1 {
                    way.delay_read(Duration::from_secs(20));
                }
                make(&first, trail, "network").await?;
                Err::<(), _>(Status::aborted("enough").into())
            });
            undone.await.unwrap_err();
            let second = operation.saga();
            second
                .run(async {
                    let fail = async || Err::<(), _>(Status::aborted("no"));
                    operation.step("bad", fail).await.unwrap_err();
                    make(&second, trail, "disk").await?;
                    operation.sleep("night", HOUR).await?;
                    Ok(exported(1))
                })
                .await
        }
    };
    let (operations, exporter, _worker) = start_on(node, |it| it, body).await;
    let started = exporter.call(&["a"]).await.unwrap();
    suspended(&store, &name(&started)).await;
    operations.cancel(&name(&started)).await.unwrap();
    let error = error(&wait(&operations, &started).await);
    assert_eq!(error.code, Code::Cancelled as i32);
    assert!(!is_incomplete(&error), "{error:?}");
    assert_eq!(seen.events().last().unwrap(), "undo disk disk");
}

/// The closure has not run, so the next worker may run it.
///
/// steps:S8 steps:W8
#[tokio::test(start_paused = true)]
async fn a_drain_interrupts_no_step_that_has_not_begun() {
    let trail = Trail::default();
    let seen = trail.clone();
    let gate = Gate::new();
    let opened = gate.clone();
    let (_, node) = store();
    let body = move |_, operation: crate::support::Context| {
        let (trail, gate) = (trail.clone(), gate.clone());
        async move {
            let (trail, gate, operation) = (&trail, &gate, &operation);
            let saga = operation.saga();
            saga.run(async {
                make(&saga, trail, "network").await?;
                trail.add("waits");
                gate.passed().await;
                let make = async || {
                    trail.add("make disk");
                    Ok::<_, Status>(())
                };
                let undo = async |_: Option<()>| Ok::<_, Status>(());
                saga.step("disk", make, undo).at_most_once().await?;
                Ok(exported(1))
            })
            .await
        }
    };
    let (operations, exporter, worker) = start_on(node, |it| it, body).await;
    let started = exporter.call(&["a"]).await.unwrap();
    seen.reached(2).await;
    let draining = tokio::spawn(worker.drain());
    tokio::task::yield_now().await;
    opened.open();
    draining.await.unwrap();
    let second = Worker::builder(&operations).host(exporter.clone());
    let _second = second.start().await.unwrap();
    let done = wait(&operations, &started).await;
    assert!(done.error().is_none(), "{done:?}");
    let events = ["make network", "waits", "waits", "make disk"];
    assert_eq!(seen.events(), events);
}

/// The next run would not find its response again.
///
/// steps:S6 steps:L3
#[tokio::test(start_paused = true)]
async fn no_closure_begins_after_a_lazy_row_that_is_refused() {
    let trail = Trail::default();
    let seen = trail.clone();
    let (_, node) = store();
    let body = move |_, operation: crate::support::Context| {
        let trail = trail.clone();
        async move {
            let (trail, operation) = (&trail, &operation);
            let large = async || Ok::<_, Status>(vec![7_u8; (1 << 20) - 1_024]);
            for number in 0..16 {
                operation.step(format!("large/{number}"), large).await?;
            }
            // There is no room for this one.
            operation.step("lazy", large).lazy().await?;
            let act = async || {
                trail.add("acts");
                Ok::<_, Status>(())
            };
            let refused = operation.step("small", act).await.unwrap_err();
            trail.add(format!("{:?}", refused.code()));
            Ok(exported(1))
        }
    };
    let (operations, exporter, _worker) = start_on(node, |it| it, body).await;
    let started = exporter.call(&["a"]).await.unwrap();
    wait(&operations, &started).await;
    assert_eq!(seen.events(), ["ResourceExhausted"]);
}

/// The saga of an inner scope undoes its own steps.
///
/// steps:U4 steps:U6
#[tokio::test(start_paused = true)]
async fn a_saga_does_not_wait_for_the_steps_of_one_in_an_inner_scope() {
    let trail = Trail::default();
    let seen = trail.clone();
    let (store, node) = store();
    let body = move |_, operation: crate::support::Context| {
        let trail = trail.clone();
        async move {
            let (trail, operation) = (&trail, &operation);
            let inner = operation.scope("inner");
            let (outer_saga, inner_saga) = (operation.saga(), inner.saga());
            let outer = outer_saga.run(async {
                let make = async || Ok::<_, Status>(());
                let undo = async |_: Option<()>| {
                    trail.add("undo");
                    if trail.count_of("undo") == 1 {
                        std::future::pending::<()>().await;
                    }
                    Ok::<_, Status>(())
                };
                outer_saga.step("network", make, undo).await?;
                trail.happened("make disk").await;
                // Its row is written before the decision to undo.
                tokio::time::sleep(Duration::from_millis(10)).await;
                Err::<(), HandlerError>(Status::aborted("enough").into())
            });
            let inner = async {
                tokio::time::sleep(Duration::from_secs(15)).await;
                inner_saga
                    .run(async { Ok(make(&inner_saga, trail, "disk").await?) })
                    .await
            };
            let (undone, made) = tokio::join!(outer, inner);
            made?;
            let error = undone.unwrap_err();
            let details = tonic_types::StatusExt::get_details_error_info(error.status());
            trail.add(format!("incomplete: {}", details.is_some()));
            Ok(exported(1))
        }
    };
    let (operations, exporter, _worker) = start_on(node, |it| it, body).await;
    let started = exporter.call(&["a"]).await.unwrap();
    seen.happened("undo").await;
    take_away(&store, &started).await;
    wait(&operations, &started).await;
    let events = ["make disk", "undo", "undo", "incomplete: false"];
    assert_eq!(seen.events(), events);
}
