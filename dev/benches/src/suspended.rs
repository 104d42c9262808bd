//! Operations that wait: a million of them in one file, ten thousand that wake within a second, and
//! one that resumes behind a thousand steps.

mod beside;
mod crowd;
mod resume;
mod wake;

use std::path::Path;
use std::time::{Duration, Instant};

use lro_core::store::OperationStore as _;
use lro_sqlite::SqliteStore;

use self::crowd::{Crowd, claim};
use crate::footprint::resident_kib;
use crate::table::{print, ratio};
use crate::{Setting, this_program};

/// How often each file is opened.
const OPENINGS: usize = 15;

pub(crate) async fn run(setting: &Setting) -> anyhow::Result<()> {
    let count = setting.scale(1_000_000);
    let crowds = [
        Crowd::write(setting, "none", 0, None).await?,
        Crowd::write(setting, "on a promise", count, None).await?,
        Crowd::write(setting, "on a timer of 30 days", count, Some(30 * 86_400)).await?,
    ];
    print_openings(&crowds)?;
    beside::run(setting, &crowds).await?;
    drop(crowds);
    wake::run(setting).await?;
    resume::run(setting).await
}

/// Opens the files by turns, each time in a process of its own.
fn print_openings(crowds: &[Crowd]) -> anyhow::Result<()> {
    let mut samples = vec![Vec::new(); crowds.len()];
    for _ in 0..OPENINGS {
        for (crowd, samples) in crowds.iter().zip(&mut samples) {
            let mut program = this_program()?;
            let output = program.arg("--open-suspended").arg(&crowd.path).output()?;
            let said = String::from_utf8(output.stdout)?;
            let numbers = said.split_whitespace().map(str::parse);
            let numbers = numbers.collect::<Result<Vec<u64>, _>>()?;
            let [micros, kib] = numbers[..] else {
                anyhow::bail!("opening has failed: {said}");
            };
            samples.push((micros, kib));
        }
    }
    let median = |numbers: &mut Vec<u64>| {
        numbers.sort_unstable();
        numbers[numbers.len() / 2]
    };
    let medians = samples.iter().map(|samples| {
        let (mut micros, mut kib) = samples.iter().copied().unzip();
        (median(&mut micros) as f64, median(&mut kib) as f64)
    });
    let medians: Vec<_> = medians.collect();
    let rows = crowds.iter().zip(&medians).map(|(crowd, (micros, kib))| {
        let (empty_micros, empty_kib) = medians[0];
        let more = kib - empty_kib;
        vec![
            crowd.what.to_owned(),
            crowd.count.to_string(),
            format!("{:.2} ms", micros / 1e3),
            ratio(*micros, empty_micros),
            format!("{kib} KiB"),
            format!("{more} KiB"),
            format!("{:.1} B", more * 1_024.0 / crowd.count.max(1) as f64),
        ]
    });
    print(
        "Opening a file with suspended operations (SQLite, medians of processes of their own)",
        &[
            "they wait",
            "operations",
            "opening",
            "of the empty file",
            "resident set grows by",
            "beyond the empty file",
            "each",
        ],
        &rows.collect::<Vec<_>>(),
    );
    Ok(())
}

/// A process that opens the file: prints the microseconds that it took, and the KiB by which the
/// resident set has grown after a first claim.
pub(crate) async fn open(path: &Path) -> anyhow::Result<()> {
    let before = resident_kib(None)?;
    let begun = Instant::now();
    let store = SqliteStore::open(path).await?;
    let took = begun.elapsed();
    let claimed = store.claim(claim(crowd::METHOD, 1)).await?;
    anyhow::ensure!(claimed.operations.is_empty(), "none of them is ready");
    let grown = resident_kib(None)?.saturating_sub(before);
    println!("{} {grown}", took.as_micros());
    Ok(())
}

/// The median.
fn middle(mut samples: Vec<f64>) -> f64 {
    samples.sort_unstable_by(f64::total_cmp);
    samples[samples.len() / 2]
}

/// In milliseconds.
fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}
