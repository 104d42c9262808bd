/// The seeds that have found something, which run first: one a line, with `#` before what it was.
pub fn regressions() -> impl Iterator<Item = u64> {
    let lines = include_str!("../seeds.txt").lines();
    lines.filter_map(|line| line.split('#').next()?.trim().parse().ok())
}
