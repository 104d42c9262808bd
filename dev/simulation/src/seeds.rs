//! The seeds of `seeds.txt`.

use clap::ValueEnum as _;

use crate::Scenario;

/// The seeds that have found something, which run first: a scenario and a seed on each line, with `#` before what it was.
pub fn regressions() -> impl Iterator<Item = (Scenario, u64)> {
    let lines = include_str!("../seeds.txt").lines();
    lines.filter_map(|line| {
        let (scenario, seed) = line.split('#').next()?.trim().split_once(' ')?;
        let scenario = Scenario::from_str(scenario, false).ok()?;
        Some((scenario, seed.trim().parse().ok()?))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_line_is_read() {
        let lines = include_str!("../seeds.txt").lines();
        let seeds = lines.filter(|line| !line.starts_with('#')).count();
        assert_eq!(regressions().count(), seeds);
    }
}
