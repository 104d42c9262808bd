//! Trials from seeds: as many as asked for, on all processors, counted and reported.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

/// The largest number of failures that are printed.
const PRINTED_MAX: usize = 10;

/// Something that is tried again and again, each time with another seed.
pub trait Trial: Sync {
    /// The subcommand that runs it.
    fn name(&self) -> &'static str;

    /// Its options on the command line, each with a space before it.
    fn flags(&self) -> String;

    /// Tries once. An error counts as one failure, besides what is tallied.
    ///
    /// # Errors
    ///
    /// Whatever kept it from being tried to the end.
    fn run(&self, seed: u64, tally: &mut Tally) -> anyhow::Result<()>;
}

/// The end of a run: whichever comes first.
#[derive(Clone, Copy, Debug)]
pub struct Until {
    /// The number of checks that have passed or failed.
    pub checks: u64,
    /// So much time is over.
    pub time: Duration,
}

/// The counts of trials.
#[derive(Clone, Debug, Default)]
pub struct Tally {
    /// How many checks passed.
    pub passed: u64,
    /// The failures, and how to see them again.
    pub failures: Vec<String>,
    /// Other counts.
    pub counts: BTreeMap<&'static str, u64>,
    /// The measurements.
    pub samples: BTreeMap<&'static str, Vec<Duration>>,
    /// How long it took.
    pub time: Duration,
}

impl Tally {
    /// A check has passed.
    pub fn pass(&mut self) {
        self.passed += 1;
    }

    /// Counts checks that have passed.
    pub fn pass_all(&mut self, count: u64) {
        self.passed += count;
    }

    /// A check has failed.
    pub fn fail(&mut self, what: impl Into<String>) {
        self.failures.push(what.into());
    }

    /// A check that passes when there is no error.
    pub fn check(&mut self, result: anyhow::Result<()>) {
        match result {
            Ok(()) => self.pass(),
            Err(error) => self.fail(format!("{error:#}")),
        }
    }

    /// Counts something else.
    pub fn add(&mut self, what: &'static str, count: u64) {
        *self.counts.entry(what).or_default() += count;
    }

    /// Measures something.
    pub fn measure(&mut self, what: &'static str, time: Duration) {
        self.samples.entry(what).or_default().push(time);
    }

    /// A percentile of a measurement.
    pub fn percentile(&self, what: &str, of_hundred: usize) -> Option<Duration> {
        let mut samples = self.samples.get(what)?.clone();
        samples.sort_unstable();
        let at = (samples.len() * of_hundred).div_ceil(100).max(1) - 1;
        samples.get(at).copied()
    }

    /// How many checks there were.
    pub fn checks(&self) -> u64 {
        self.passed + self.failures.len() as u64
    }

    fn take_in(&mut self, other: Self) {
        self.passed += other.passed;
        self.failures.extend(other.failures);
        for (what, count) in other.counts {
            self.add(what, count);
        }
        for (what, samples) in other.samples {
            self.samples.entry(what).or_default().extend(samples);
        }
    }
}

/// Failures, counts, and the closing line.
impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for failure in self.failures.iter().take(PRINTED_MAX) {
            writeln!(f, "FAILED {failure}")?;
        }
        let more = self.failures.len().saturating_sub(PRINTED_MAX);
        if more > 0 {
            writeln!(f, "FAILED {more} more")?;
        }
        for (what, count) in &self.counts {
            writeln!(f, "{what}: {count}")?;
        }
        if !self.samples.is_empty() {
            writeln!(f, "| time | samples | p50 | p99 | longest |")?;
            writeln!(f, "| --- | --- | --- | --- | --- |")?;
        }
        for (what, samples) in &self.samples {
            let [half, most, all] =
                [50, 99, 100].map(|it| self.percentile(what, it).unwrap_or_default());
            let len = samples.len();
            writeln!(
                f,
                "| {what} | {len} | {half:.1?} | {most:.1?} | {all:.1?} |"
            )?;
        }
        let seconds = self.time.as_secs_f64();
        let rate = self.checks() as f64 / seconds.max(0.001);
        writeln!(f, "time: {seconds:.1} s, {rate:.1} checks a second")?;
        write!(f, "{} passed, {} failed", self.passed, self.failures.len())
    }
}

/// Tries with one seed after the other, beginning with this one.
pub fn run(trial: &impl Trial, seed: u64, until: Until, threads: usize) -> Tally {
    let begun = Instant::now();
    let next = AtomicU64::new(seed);
    let done = AtomicBool::new(false);
    let all = Mutex::new(Tally::default());
    let work = || {
        while !done.load(Ordering::Relaxed) {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            let tally = once(trial, seed);
            let mut all = all.lock().unwrap_or_else(PoisonError::into_inner);
            all.take_in(tally);
            if all.checks() >= until.checks || begun.elapsed() >= until.time {
                done.store(true, Ordering::Relaxed);
            }
        }
    };
    thread::scope(|scope| {
        for _ in 0..threads.max(1) {
            scope.spawn(work);
        }
    });
    let mut all = all.into_inner().unwrap_or_else(PoisonError::into_inner);
    all.time = begun.elapsed();
    all
}

/// The number of concurrent trials; by default the number of processors.
pub fn threads(wanted: Option<usize>) -> usize {
    let processors = || thread::available_parallelism().ok().map(usize::from);
    wanted.or_else(processors).unwrap_or(1)
}

fn once(trial: &impl Trial, seed: u64) -> Tally {
    let mut tally = Tally::default();
    if let Err(error) = trial.run(seed, &mut tally) {
        tally.fail(format!("{error:#}"));
    }
    let again = format!(
        "torture {} --seed {seed} --count 1{}",
        trial.name(),
        trial.flags()
    );
    for failure in &mut tally.failures {
        *failure = format!("{failure}\n    again: {again}");
    }
    tally
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_samples() {
        let mut tally = Tally::default();
        assert_eq!(tally.percentile("a", 50), None);
        for millis in (1..=200).rev() {
            tally.measure("a", Duration::from_millis(millis));
        }
        for (of_hundred, millis) in [(0, 1), (50, 100), (99, 198), (100, 200)] {
            let time = tally.percentile("a", of_hundred);
            assert_eq!(time, Some(Duration::from_millis(millis)), "{of_hundred}");
        }
    }
}
