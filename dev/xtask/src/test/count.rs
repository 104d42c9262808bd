//! How many passed and failed, read from what the test runners print.

use std::fmt;
use std::ops::Add;

/// Tests, and steps without tests, which count as one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Count {
    pub(crate) passed: u64,
    pub(crate) failed: u64,
}

impl Count {
    /// A step that passed.
    pub(crate) const ONE: Self = Self {
        passed: 1,
        failed: 0,
    };

    /// Adds what a closing line of `cargo test` or nextest says; other lines say nothing.
    pub(crate) fn add_line(&mut self, line: &str) {
        let Some(parts) = closing_parts(line) else {
            return;
        };
        for part in parts.split([',', ';']) {
            let mut words = part.split_whitespace();
            let number = words.next().and_then(|word| word.parse().ok());
            let (Some(number), Some(word)) = (number, words.next()) else {
                continue;
            };
            match word {
                "passed" => {
                    *self = *self
                        + Self {
                            passed: number,
                            failed: 0,
                        }
                }
                // nextest has several words for it.
                "failed" | "timed" | "exec" => {
                    *self = *self
                        + Self {
                            passed: 0,
                            failed: number,
                        }
                }
                _ => {}
            }
        }
    }
}

/// `1 passed; 0 failed; ..` of `test result: ok. 1 passed; 0 failed; ..`, and of nextest's summary.
fn closing_parts(line: &str) -> Option<&str> {
    if let Some(result) = line.strip_prefix("test result: ") {
        return result.split_once(". ").map(|(_, parts)| parts);
    }
    let summary = line.trim_start().strip_prefix("Summary [")?;
    summary.split_once(" run: ").map(|(_, parts)| parts)
}

impl Add for Count {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self {
            passed: self.passed + other.passed,
            failed: self.failed + other.failed,
        }
    }
}

impl fmt::Display for Count {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} passed, {} failed", self.passed, self.failed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn closing_lines_are_counted_and_nothing_else() {
        let check = |line: &str, passed, failed| {
            let mut count = Count::default();
            count.add_line(line);
            assert_eq!(count, Count { passed, failed }, "{line}");
        };
        check(
            "test result: ok. 12 passed; 0 failed; 0 ignored; 0 measured; 3 filtered out; finished in 0.02s",
            12,
            0,
        );
        check(
            "test result: FAILED. 1 passed; 2 failed; 0 ignored; 0 measured; 0 filtered out",
            1,
            2,
        );
        check(
            "     Summary [   4.210s] 9 tests run: 9 passed (1 slow), 0 skipped",
            9,
            0,
        );
        check(
            "     Summary [   0.004s] 1 test run: 1 passed, 0 skipped",
            1,
            0,
        );
        check(
            "     Summary [   4.210s] 4/9 tests run: 1 passed, 2 failed, 1 timed out, 0 skipped",
            1,
            3,
        );
        check(
            "     Summary [   4.210s] 2 tests run: 1 passed, 1 exec failed, 0 skipped",
            1,
            1,
        );
        check("test a_test_that_says_12_passed ... ok", 0, 0);
        check("running 12 tests", 0, 0);
    }
}
