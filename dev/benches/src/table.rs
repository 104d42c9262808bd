//! Tables in Markdown.

use std::time::Duration;

/// Prints a table with a heading.
pub(crate) fn print(title: &str, head: &[&str], rows: &[Vec<String>]) {
    println!("\n## {title}\n");
    println!("| {} |", head.join(" | "));
    println!("|{}", " --- |".repeat(head.len()));
    for row in rows {
        println!("| {} |", row.join(" | "));
    }
}

/// Events per second.
pub(crate) fn rate(count: usize, took: Duration) -> f64 {
    count as f64 / took.as_secs_f64()
}

/// A rate, without decimals.
pub(crate) fn per_second(rate: f64) -> String {
    format!("{rate:.0}/s")
}

/// One in terms of another.
pub(crate) fn ratio(value: f64, reference: f64) -> String {
    format!("{:.2}", value / reference)
}

/// The median and the 99th percentile, in milliseconds.
pub(crate) fn percentiles(mut samples: Vec<Duration>) -> String {
    samples.sort_unstable();
    let at = |percent: usize| samples[(samples.len() - 1) * percent / 100].as_secs_f64() * 1e3;
    format!("{:.2} / {:.2} ms", at(50), at(99))
}
