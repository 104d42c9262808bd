//! Bodies with a mistake, which the kit has to find.

use std::fmt::Debug;
use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use lro_server::testing::Failure;
use lro_server::{OperationContext, testing};
use tokio::sync::oneshot;
use tonic::Status;

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// The world of a body: what it counts there outlives its processes.
#[derive(Debug, Default)]
struct World {
    count: AtomicU32,
}

impl World {
    fn add(&self) -> u32 {
        self.count.fetch_add(1, Ordering::SeqCst)
    }
}

fn failure<R, Fut>(body: fn(Arc<World>, OperationContext<()>) -> Fut) -> Failure
where
    R: prost::Message + prost::Name + Default + Debug + 'static,
    Fut: Future<Output = Result<R, Status>> + Send + 'static,
{
    let kit = testing::crash_everywhere(World::default, body);
    let kit = kit.check(|world| assert!(world.count.load(Ordering::SeqCst) < 2, "two mails"));
    kit.try_run().unwrap_err()
}

async fn nothing() -> Result<(), Status> {
    Ok(())
}

async fn reads_a_clock(_: Arc<World>, operation: OperationContext<()>) -> Result<(), Status> {
    operation.step("first", nothing).await?;
    let now = format!("{:?}", Instant::now());
    let digits: String = now.chars().filter(char::is_ascii_digit).collect();
    operation.step(format!("report-{digits}"), nothing).await?;
    operation.step("last", nothing).await
}

#[test]
fn a_clock_between_steps_is_found() {
    let failure = failure(reads_a_clock);
    let place = failure.place().unwrap();
    assert!(
        place.starts_with("after the record of `report-"),
        "{failure}"
    );
    assert!(
        failure
            .problem()
            .contains("was recorded before it could have been"),
        "{failure}"
    );
}

async fn returns_a_clock(_: Arc<World>, operation: OperationContext<()>) -> Result<String, Status> {
    operation.step("first", nothing).await?;
    Ok(format!("{:?}", Instant::now()))
}

#[test]
fn a_clock_in_the_response_is_found() {
    let failure = failure(returns_a_clock);
    assert_eq!(failure.place(), Some("before the record of `first`"));
    assert!(
        failure.problem().contains("ends in another way"),
        "{failure}"
    );
}

async fn counts_between_steps(
    world: Arc<World>,
    operation: OperationContext<()>,
) -> Result<(), Status> {
    let number = world.add();
    operation.step(format!("part/{number}"), nothing).await?;
    operation.step("last", nothing).await
}

#[test]
fn a_counter_that_outlives_the_run_is_found() {
    let failure = failure(counts_between_steps);
    assert_eq!(
        failure.place(),
        Some("before the record of `part/0`"),
        "{failure}"
    );
    let kit = testing::crash_everywhere(World::default, counts_between_steps);
    let failure = kit.try_run().unwrap_err();
    assert_eq!(
        failure.place(),
        Some("after the record of `part/0`"),
        "{failure}"
    );
    assert!(failure.problem().contains("`part/1` is new"), "{failure}");
}

async fn names_branches_alike(
    _: Arc<World>,
    operation: OperationContext<()>,
) -> Result<(), Status> {
    let branch = async || {
        operation.step("open", nothing).await?;
        operation.step("copy", nothing).await
    };
    tokio::try_join!(branch(), branch())?;
    Ok(())
}

#[test]
fn branches_with_equal_names_are_found() {
    let failure = failure(names_branches_alike);
    assert_eq!(failure.place(), None, "{failure}");
    assert!(
        failure.problem().contains("two durable calls named `copy`"),
        "{failure}"
    );
}

async fn nests_calls(_: Arc<World>, operation: OperationContext<()>) -> Result<(), Status> {
    let outer = async || {
        operation.step("inner", nothing).await.ok();
        nothing().await
    };
    operation.step("outer", outer).await
}

/// Although the body ignores its error.
#[test]
fn a_call_in_a_closure_is_found() {
    let failure = failure(nests_calls);
    assert_eq!(failure.place(), None, "{failure}");
    assert!(
        failure.problem().contains("inside the closure"),
        "{failure}"
    );
}

async fn holds_a_channel(_: Arc<World>, operation: OperationContext<()>) -> Result<u32, Status> {
    let (answer, answered) = oneshot::channel();
    tokio::spawn(async move {
        tokio::time::sleep(Duration::from_secs(60)).await;
        answer.send(7)
    });
    let (slept, answered) = tokio::join!(operation.sleep("night", DAY), answered);
    slept?;
    answered.map_err(|_| Status::internal("the task has ended"))
}

#[test]
fn a_channel_beside_a_wait_is_found() {
    let failure = failure(holds_a_channel);
    assert_eq!(failure.place(), None, "{failure}");
    assert!(
        failure
            .problem()
            .contains("suspended at `night`, something else"),
        "{failure}"
    );
}

async fn has_a_timer(_: Arc<World>, operation: OperationContext<()>) -> Result<bool, Status> {
    let wait = tokio::time::timeout(Duration::from_secs(1_800), operation.sleep("night", DAY));
    Ok(wait.await.is_err())
}

#[test]
fn a_timer_of_tokio_beside_a_wait_is_found() {
    let failure = failure(has_a_timer);
    assert!(failure.problem().contains("something else"), "{failure}");
}

async fn mails_twice(world: Arc<World>, operation: OperationContext<()>) -> Result<(), Status> {
    let mail = async || {
        world.add();
        tokio::task::yield_now().await;
        nothing().await
    };
    operation.step("mail", mail).await
}

#[test]
fn an_effect_that_cannot_be_repeated_is_found() {
    let failure = failure(mails_twice);
    assert_eq!(
        failure.place(),
        Some("inside `mail`, at its await 1"),
        "{failure}"
    );
    assert!(failure.problem().contains("two mails"), "{failure}");
    let shown = failure.to_string();
    assert!(
        shown.starts_with("killed inside `mail`, at its await 1 (seed 0): the check fails"),
        "{shown}"
    );
}

async fn depends_on_the_order(
    world: Arc<World>,
    operation: OperationContext<()>,
) -> Result<u32, Status> {
    let step = |name| {
        let world = world.clone();
        operation.step(name, move || {
            let world = world.clone();
            async move { Ok::<_, Status>(world.add()) }
        })
    };
    let (first, _) = tokio::try_join!(step("a"), step("b"))?;
    Ok(first)
}

/// The responses of parallel steps may depend on their order, which differs from seed to seed. It is found where a
/// crash changes it.
#[test]
fn an_order_of_parallel_steps_that_a_crash_changes_is_found() {
    let kit = testing::crash_everywhere(World::default, depends_on_the_order);
    let failure = kit.seeds(16).try_run().unwrap_err();
    assert!(failure.place().is_some(), "{failure}");
    assert!(
        failure.problem().contains("ends in another way"),
        "{failure}"
    );
}

async fn hangs(_: Arc<World>, operation: OperationContext<()>) -> Result<(), Status> {
    operation.step("first", nothing).await?;
    std::future::pending().await
}

#[test]
fn a_body_that_hangs_is_found() {
    let failure = failure(hangs);
    assert!(failure.problem().contains("hangs"), "{failure}");
}

async fn waits(_: Arc<World>, operation: OperationContext<()>) -> Result<bool, Status> {
    operation.promise::<bool>("approved").await
}

#[test]
fn a_promise_without_a_value_is_found() {
    let failure = failure(waits);
    assert!(
        failure.problem().contains("waits for `approved` for ever"),
        "{failure}"
    );
}

#[test]
#[should_panic(expected = "killed inside `mail`, at its await 1 (seed 0)")]
fn run_panics_with_the_failure() {
    let kit = testing::crash_everywhere(World::default, mails_twice);
    kit.check(|world| assert!(world.count.load(Ordering::SeqCst) < 2))
        .run();
}
