//! The writes that have made recorded rows.

use std::time::Duration;

use lro_core::Timestamp;
use lro_core::store::{StepKey, StepWrite};

use super::Entry;

/// A row as a store has kept it.
pub(super) struct Row {
    /// Its last state.
    pub(super) write: StepWrite,
    pub(super) begin: Timestamp,
    pub(super) end: Option<Timestamp>,
    /// Whether a caller gave its outcome.
    pub(super) is_given: bool,
}

/// Writes that make these rows, in their order, and the same times. Until `now`, which is no earlier than any time of
/// the rows.
///
/// A row has its place by its first write, so a row that ended after the first write of a later one was written twice.
///
/// # Errors
///
/// The key of a row whose times do not fit its place.
pub(super) fn writes(rows: Vec<Row>, now: Timestamp) -> Result<Vec<Entry>, StepKey> {
    let mut entries = Vec::with_capacity(rows.len());
    let mut latest = now;
    for row in rows.into_iter().rev() {
        // As late as the rows behind it permit.
        let first = row.end.map_or(latest, |end| end.min(latest));
        if row.begin > first {
            return Err(row.write.key);
        }
        latest = first;
        let begun_ago = Duration::from_micros(micros_between(row.begin, first));
        let mut begun = StepWrite {
            begun_ago,
            ..row.write
        };
        let end = row.end.unwrap_or(first);
        let asked_before = row.is_given && row.begin < end;
        if begun.outcome.is_some() && (end > first || asked_before) {
            let ended = begun.clone();
            (begun.outcome, begun.begun_ago) = (None, begun_ago);
            entries.push(Entry {
                at: end,
                write: ended,
                is_from_outside: row.is_given,
            });
        }
        entries.push(Entry {
            at: first,
            is_from_outside: row.is_given && begun.outcome.is_some(),
            write: begun,
        });
    }
    entries.reverse();
    // Stable, so that rows are written first in their order.
    entries.sort_by_key(|entry| entry.at);
    Ok(entries)
}

fn micros_between(from: Timestamp, to: Timestamp) -> u64 {
    u64::try_from(to.as_micros().saturating_sub(from.as_micros())).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use lro_core::store::{StepKind, StepOutcome};

    use super::*;

    fn row(key: &str, begin: i64, end: Option<i64>) -> Row {
        let mut write = StepWrite::begun(key.parse().unwrap(), StepKind::Step);
        write.outcome = end.map(|_| StepOutcome::Abandoned);
        Row {
            write,
            begin: Timestamp::from_micros(begin),
            end: end.map(Timestamp::from_micros),
            is_given: false,
        }
    }

    fn told(rows: Vec<Row>) -> Vec<(String, i64, u128, bool)> {
        let entries = writes(rows, Timestamp::from_micros(100)).unwrap();
        let told = entries.into_iter().map(|it| {
            let StepWrite {
                key,
                begun_ago,
                outcome,
                ..
            } = it.write;
            let ended = outcome.is_some();
            (
                key.to_string(),
                it.at.as_micros(),
                begun_ago.as_micros(),
                ended,
            )
        });
        told.collect()
    }

    #[test]
    fn a_row_that_ends_after_later_ones_began_is_written_twice() {
        let rows = vec![
            row("wait", 10, Some(60)),
            row("left", 20, Some(30)),
            row("right", 20, Some(40)),
            row("open", 50, None),
        ];
        let key = |key: &str| key.to_owned();
        assert_eq!(
            told(rows),
            [
                (key("wait"), 30, 20, false),
                (key("left"), 30, 10, true),
                (key("right"), 40, 20, true),
                (key("wait"), 60, 20, true),
                (key("open"), 100, 50, false),
            ]
        );
    }

    #[test]
    fn a_promise_was_asked_for_before_it_was_given_or_not() {
        let given = |begin| {
            let mut row = row("approved", begin, Some(60));
            row.is_given = true;
            let entries = writes(vec![row], Timestamp::from_micros(100)).unwrap();
            let told = entries
                .iter()
                .map(|it| (it.at.as_micros(), it.is_from_outside));
            told.collect::<Vec<_>>()
        };
        assert_eq!(given(10), [(60, false), (60, true)]);
        assert_eq!(given(60), [(60, true)]);
    }

    #[test]
    fn times_that_do_not_fit_the_order_are_refused() {
        let rows = vec![row("late", 50, Some(60)), row("early", 10, Some(20))];
        let refused = writes(rows, Timestamp::from_micros(100)).unwrap_err();
        assert_eq!(refused.as_str(), "late");
    }
}
