//! guarantee:R1: the power fails under the store.
//!
//! A [`SqliteStore`](lro_sqlite::SqliteStore) lives on a disk in memory (`disk`, `vfs`) that
//! remembers every write and every sync, and among them the moments in which calls were answered.
//! Then the power is lost, at random moments of that life and once or more each: what had not been
//! synced is dropped, torn at sectors of 512 bytes, or arrives out of order (`survivor`). What
//! is left is opened again and compared, column by column, with what a model of the store says it
//! held after each group of calls, steps and children included: it has to be the state after one of the groups, whole, and none
//! from before the last answer. One of the images becomes the disk of the next life.

mod aged;
mod calls;
mod disk;
mod gate;
mod life;
mod model;
mod rows;
mod shared_memory;
mod step_calls;
mod steps;
mod survivor;
mod vfs;

use std::path::Path;
use std::sync::Arc;

use anyhow::{Context as _, bail};
use lro_core::Timestamp;

use self::aged::aged;
use self::disk::{Disk, Event, Image};
use self::life::{Life, live};
use self::model::Model;
use self::rows::{Rows, difference, read};
use self::survivor::Replay;
use self::vfs::Mount;
use crate::random::Random;
use crate::trials::{Tally, Trial};

const DATABASE: &str = "operations.db";

/// How many lives follow each other on one disk at most.
const LIVES_MAX: u64 = 3;

/// A planted fault, to show that it is found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Planted {
    /// Nothing.
    #[default]
    Nothing,
    /// The store has `Durability::Normal`.
    Normal,
    /// Calls are answered before they are committed.
    EarlyAnswers,
    /// The disk says that it has synced, and has not.
    LyingDisk,
}

/// Power losses over and over: one trial is up to three lives with [`PowerLoss::LOSSES`] losses
/// each.
#[derive(Clone, Copy, Debug, Default)]
pub struct PowerLoss {
    /// The planted fault.
    pub planted: Planted,
    /// Whether every life but the first begins with a file of the store's first version (guarantee:R18).
    pub upgrade: bool,
}

impl PowerLoss {
    /// Power losses in one life.
    pub const LOSSES: usize = 40;
}

impl Trial for PowerLoss {
    fn name(&self) -> &'static str {
        "power-loss"
    }

    fn flags(&self) -> String {
        let planted = match self.planted {
            Planted::Nothing => "",
            Planted::Normal => " --planted normal",
            Planted::EarlyAnswers => " --planted early-answers",
            Planted::LyingDisk => " --planted lying-disk",
        };
        let upgrade = if self.upgrade { " --upgrade" } else { "" };
        format!("{planted}{upgrade}")
    }

    fn run(&self, seed: u64, tally: &mut Tally) -> anyhow::Result<()> {
        let mut random = Random::new(seed);
        let folder = tempfile::tempdir()?;
        // A path with a link in it would be another one for the store.
        let folder = folder.path().canonicalize()?;
        let mut image = Image::new();
        let mut begin = (None, Model::default());
        let mut now = Timestamp::from_micros(1_700_000_000_000_000);
        for number in 0..1 + random.below(LIVES_MAX) + u64::from(self.upgrade) {
            let upgrade = self.upgrade && number > 0;
            if upgrade {
                image = aged(&folder, &image)?;
                begin.1.forget_new_columns();
                begin.0 = begin.0.map(|_| begin.1.rows());
                tally.add("migrations", 1);
            }
            let life = live(&folder, &image, begin, now, &mut random, self.planted)?;
            tally.add("lives", 1);
            tally.add("acknowledged", life.answers);
            if let Some((_, model)) = life.states.last() {
                let [steps, children, ended] = model.count_steps();
                tally.add("steps at the ends of lives", steps);
                tally.add("children among them", children);
                tally.add("ends of children among them", ended);
            }
            now = life.end;
            let lying = self.planted == Planted::LyingDisk;
            let replay = Replay::of(&image, lying);
            let Some(next) = examine(&folder, life, replay, upgrade, &mut random, tally) else {
                break;
            };
            (image, begin) = next;
        }
        Ok(())
    }
}

type Next = (Image, (Option<Rows>, Model));

/// Loses the power at random moments. Gives one of the images to live on with.
fn examine(
    folder: &Path,
    life: Life,
    mut replay: Replay,
    upgrade: bool,
    random: &mut Random,
    tally: &mut Tally,
) -> Option<Next> {
    let len = life.events.len();
    let opened = |event: &Event| matches!(event, Event::Answered(_));
    // Of a migration half of the losses see something.
    let opening = life.events.iter().position(opened).filter(|_| upgrade);
    let mut moments: Vec<_> = (0..PowerLoss::LOSSES)
        .map(|loss| match opening {
            Some(opened) if loss % 2 == 0 => random.index(opened + 1),
            _ => random.index(len + 1),
        })
        .collect();
    moments.sort_unstable();
    let survivor = random.index(moments.len());
    let mut events = life.events.into_iter();
    let mut at = 0;
    let mut next = None;
    for (loss, moment) in moments.into_iter().enumerate() {
        for event in events.by_ref().take(moment - at) {
            replay.apply(event);
        }
        at = moment;
        let image = replay.lose_power(random);
        match judge(folder, &image, &replay, &life.states) {
            Ok(state) => {
                tally.pass();
                tally.add(
                    "groups lost before their answer",
                    (replay.submitted - state) as u64,
                );
                if loss == survivor {
                    next = Some((image, life.states[state].clone()));
                }
            }
            Err(error) => tally.fail(format!("event {moment} of {len}: {error:#}")),
        }
    }
    next
}

/// Which state the image holds.
fn judge(
    folder: &Path,
    image: &Image,
    replay: &Replay,
    states: &[(Option<Rows>, Model)],
) -> anyhow::Result<usize> {
    let folder = format!("{}/again", folder.display());
    let renamed = image.iter().map(|(path, bytes)| {
        let name = path.rsplit('/').next().unwrap_or(path);
        (format!("{folder}/{name}"), bytes.clone())
    });
    let disk = Arc::new(Disk::holding(renamed.collect()));
    let _mount = Mount::new(folder.clone(), disk);
    let found = read(&format!("{folder}/{DATABASE}")).context("corrupt")?;
    let allowed = replay.answered..=replay.submitted;
    if let Some(state) = allowed
        .clone()
        .rev()
        .find(|state| states[*state].0 == found)
    {
        return Ok(state);
    }
    let older = states[..replay.answered]
        .iter()
        .rposition(|it| it.0 == found);
    if let Some(state) = older {
        bail!(
            "lost: it holds state {state}, and {} was acknowledged",
            replay.answered
        );
    }
    let nearest = states[replay.submitted].0.as_ref();
    match (found, nearest) {
        (Some(found), Some(expected)) => bail!(
            "torn: no state of {allowed:?}, for one {}",
            difference(&found, expected)
        ),
        (found, _) => bail!("torn: a table is there: {}", found.is_some()),
    }
}
