//! The order in which sagas undo: the same in each run.

use lro_core::store::{Command, OperationStore as _, Update};
use tonic::{Code, Status};

use super::{Trail, record, store, wait};
use crate::support::{exported, name, start_on};

/// Two steps side by side end in another order than they begin. The run is lost in the undo of the one that has ended
/// last, and the next run begins with that, too.
///
/// steps:U1 steps:U4
#[tokio::test(start_paused = true)]
async fn a_later_run_undoes_in_the_order_in_which_an_earlier_one_has_begun_to() {
    let trail = Trail::default();
    let seen = trail.clone();
    let (store, node) = store();
    let body = move |_, operation: crate::support::Context| {
        let trail = trail.clone();
        async move {
            let (trail, operation) = (&trail, &operation);
            let saga = operation.saga();
            let step = |what: &'static str, waits: usize| {
                let make = move || async move {
                    trail.reached(waits).await;
                    trail.add(format!("make {what}"));
                    // So that the two ends are recorded at different times.
                    let length = std::time::Duration::from_millis(5 + 20 * waits as u64);
                    tokio::time::sleep(length).await;
                    Ok::<_, Status>(())
                };
                let undo = move |_: Option<()>| async move {
                    trail.add(format!("undo {what}"));
                    if trail.count_of("undo first") == 1 {
                        std::future::pending::<()>().await;
                    }
                    Ok::<_, Status>(())
                };
                saga.step(what, make, undo)
            };
            saga.run(async {
                // The one that begins first ends last.
                tokio::try_join!(step("first", 1), step("second", 0))?;
                Err(Status::aborted("enough").into())
            })
            .await
            .map(|()| exported(1))
        }
    };
    let (operations, exporter, _worker) = start_on(node, |it| it, body).await;
    let started = exporter.call(&["a"]).await.unwrap();
    seen.reached(3).await;
    let release = Command::Release {
        fence: record(&store, &name(&started)).await.fence,
        metadata: None,
    };
    let lost = Update::by_name(name(&started), release);
    store.update(vec![lost]).await.unwrap().remove(0).unwrap();
    let done = wait(&operations, &started).await;
    assert_eq!(done.error().unwrap().code, Code::Aborted as i32);
    let events = [
        "make second",
        "make first",
        "undo first",
        "undo first",
        "undo second",
    ];
    assert_eq!(seen.events(), events);
}
