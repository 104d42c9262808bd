//! Bodies that survive a crash at any place.

use std::collections::BTreeSet;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use lro_server::steps::Retry;
use lro_server::{HandlerError, OperationContext, testing};
use tonic::{Code, Status};

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// The world outside of the processes of a body.
#[derive(Debug, Default)]
struct World {
    done: Mutex<BTreeSet<String>>,
    attempts: AtomicU32,
}

impl World {
    /// An effect that may be repeated.
    async fn set(&self, effect: &str) -> Result<String, Status> {
        tokio::task::yield_now().await;
        self.done.lock().unwrap().insert(effect.to_owned());
        tokio::time::sleep(Duration::from_secs(2)).await;
        Ok(effect.to_owned())
    }

    fn done(&self) -> Vec<String> {
        self.done.lock().unwrap().iter().cloned().collect()
    }
}

/// Everything that a body can do.
async fn whole(world: &World, operation: OperationContext<()>) -> Result<String, HandlerError> {
    let first = operation
        .step("first", async || world.set("first").await)
        .await?;
    let pages = ["a", "b", "c"]
        .map(|page| operation.step(format!("page/{page}"), async move || world.set(page).await));
    let pages = futures_util::future::try_join_all(pages).await?;
    operation.sleep("night", 30 * DAY).await?;
    let flaky = async || match world.attempts.fetch_add(1, Ordering::SeqCst) {
        0 | 1 => Err(HandlerError::retry(Status::unavailable("busy"))),
        _ => Ok(()),
    };
    operation
        .step("flaky", flaky)
        .retry(Retry::times(9))
        .await?;
    let answer = operation.promise::<String>("approved").timeout(DAY).await?;
    let scope = operation.scope("late");
    let late = scope.promise::<bool>("answer").timeout(3 * DAY).await;
    assert_eq!(late.unwrap_err().code(), Code::DeadlineExceeded);
    operation
        .step("last", async || world.set("last").await)
        .await?;
    Ok(format!("{first} {} {answer}", pages.join("")))
}

#[test]
fn a_good_body_survives_a_crash_at_every_place() {
    let report = testing::crash_everywhere(World::default, |world, operation| async move {
        whole(&world, operation).await
    })
    .complete("approved", &"yes".to_owned())
    .seeds(16)
    .check(|world| assert_eq!(world.done(), ["a", "b", "c", "first", "last"]))
    .run();
    assert!(report.crash_points > 100, "{report:?}");
}

#[test]
fn the_same_seed_is_the_same_run() {
    let run = || {
        let kit = testing::crash_everywhere(World::default, |world, operation| async move {
            whole(&world, operation).await
        });
        kit.complete("approved", &"yes".to_owned()).seed(3).run()
    };
    assert_eq!(run(), run());
}

/// A step that runs at most once may be interrupted, which its author has asked for.
#[test]
fn an_interruption_of_a_step_that_runs_at_most_once_is_no_failure() {
    let body = async |world: &World, operation: OperationContext<()>| {
        let mail = async || world.set("mail").await;
        operation.step("mail", mail).at_most_once().await
    };
    let report = testing::crash_everywhere(World::default, move |world, operation| async move {
        body(&world, operation).await
    })
    .run();
    assert!(report.crash_points >= 5, "{report:?}");
}
