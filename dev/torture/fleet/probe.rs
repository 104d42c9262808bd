//! Probes that must succeed after a fault, while the load continues.

use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use futures_util::future::join_all;
use tonic::Code;

use super::calls::{self, PATIENCE};
use super::fault::Fault;
use super::world::{POLL, World};
use torture::server::Script;
use torture::trials::Tally;

/// How many start with one key at once.
const RIVALS: usize = 6;

/// While a node believes that notifications work, it polls less often, by this factor.
const POLLS_SAVED: u32 = 5;

/// The time that a busy machine may add.
const SLACK: Duration = Duration::from_secs(2);

/// The fleet serves again, keys are given once, and news crosses processes in time.
pub(super) async fn after(
    fault: Fault,
    world: &mut World,
    notifications: bool,
    tally: &mut Tally,
) -> anyhow::Result<()> {
    let begun = Instant::now();
    serve_again(world).await?;
    tally.measure(fault.name(), begun.elapsed());
    race_for_a_request_id(world).await?;
    race_for_a_key(world).await?;
    tally.add("races for a request id or a key", 2);
    cross(world, notifications, tally).await
}

/// An operation through each front end, from its start to its end.
async fn serve_again(world: &mut World) -> anyhow::Result<()> {
    for number in 0..world.front_ends.len() {
        let (url, id) = (world.url(number)?, world.new_id("again"));
        let started = calls::start_for_sure(&url, &id, Script::Now, None, &world.journal);
        started.await?.context("a start was refused")?;
        calls::wait(&url, &id, &world.journal).await?;
    }
    Ok(())
}

/// All who start with one request id get one operation.
async fn race_for_a_request_id(world: &mut World) -> anyhow::Result<()> {
    let id = world.new_id("request");
    let key = format!("request {id}");
    let rivals = (0..RIVALS).map(|number| {
        let (url, journal) = (world.url(number), &world.journal);
        let (id, key) = (&id, Some(&*key));
        async move { calls::start_for_sure(&url?, id, Script::Now, key, journal).await }
    });
    for answer in join_all(rivals).await {
        let name = answer?.context("a second start with a request id")?;
        ensure!(
            name == format!("operations/{id}"),
            "the request id of {id} gave {name}"
        );
    }
    calls::wait(&world.url(0)?, &id, &world.journal).await?;
    Ok(())
}

/// Of all starts with one exclusive key, one gets the key, and the others learn its holder. When
/// the holder has finished, the key is free.
async fn race_for_a_key(world: &mut World) -> anyhow::Result<()> {
    let held = world.new_id("key");
    let key = format!("exclusive {held}");
    let ids: Vec<_> = (0..RIVALS).map(|_| world.new_id("rival")).collect();
    let rivals = ids.iter().enumerate().map(|(number, id)| {
        let (url, journal, key) = (world.url(number), &world.journal, Some(&*key));
        async move { calls::start_for_sure(&url?, id, Script::Hold, key, journal).await }
    });
    let (mut winners, mut losers) = (Vec::new(), Vec::new());
    for (id, answer) in ids.iter().zip(join_all(rivals).await) {
        match answer? {
            Ok(_) => winners.push(id.clone()),
            Err(status) if status.code() == Code::Aborted => losers.push(status),
            Err(status) => return Err(status).context("a start with a key that is held"),
        }
    }
    let [winner] = &*winners else {
        anyhow::bail!("{} hold the key {held}", winners.len());
    };
    for status in losers {
        let names = status.message().contains(&format!("operations/{winner}"));
        ensure!(names, "{winner} holds the key, and not: {status:?}");
    }
    let url = world.url(0)?;
    calls::cancel(&url, winner, &world.journal).await?;
    calls::wait(&url, winner, &world.journal).await?;
    let next = world.new_id("next");
    let started = calls::start_for_sure(&url, &next, Script::Now, Some(&key), &world.journal);
    started.await?.context("a key that is free again")?;
    Ok(())
}

/// An operation is started and cancelled through one front end, runs in a worker, and is waited for
/// through the other front end.
async fn cross(world: &mut World, notifications: bool, tally: &mut Tally) -> anyhow::Result<()> {
    let id = world.new_id("cross");
    let (one, other) = (world.url(0)?, world.url(1)?);
    let started = calls::start_for_sure(&one, &id, Script::Hold, None, &world.journal);
    started.await?.context("a start was refused")?;
    let ran = |told: &super::member::Told| told.ran.contains_key(&id).then_some(());
    let ran = world.witness.wait(PATIENCE, ran).await;
    ran.with_context(|| format!("{id} is not run"))?;
    let waited = async {
        calls::wait(&other, &id, &world.journal).await?;
        anyhow::Ok(Instant::now())
    };
    let cancelled = async {
        calls::cancel(&one, &id, &world.journal).await?;
        anyhow::Ok(Instant::now())
    };
    let (waited, cancelled) = tokio::join!(waited, cancelled);
    let (waited, cancelled) = (waited?, cancelled?);
    let ended = |told: &super::member::Told| told.ends.get(&id)?.accepted.first().copied();
    // An answer that was lost leaves nothing to measure by.
    let Some(ended) = world.witness.wait(SLACK, ended).await else {
        tally.add("ends that were not told", 1);
        return Ok(());
    };
    let (heard, woken) = (
        ended.saturating_duration_since(cancelled),
        waited.saturating_duration_since(ended),
    );
    let (heard_as, woken_as, gap) = match notifications {
        true => (
            "cancelled here, ended there: notifications",
            "ended there, told here: notifications",
            POLL * POLLS_SAVED,
        ),
        false => (
            "cancelled here, ended there: polling",
            "ended there, told here: polling",
            POLL,
        ),
    };
    tally.measure(heard_as, heard);
    tally.measure(woken_as, woken);
    for (what, took) in [("a cancellation", heard), ("an end", woken)] {
        ensure!(took <= gap + SLACK, "{what} was heard of after {took:?}");
    }
    Ok(())
}
