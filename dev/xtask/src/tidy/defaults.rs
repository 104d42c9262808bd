//! The defaults in docs/reference/defaults.md are those of the sources.
//!
//! A row of a table that begins with the path of a constant, or of a field of a `Default`, says in
//! its second column what it is: ``| `WorkerBuilder::LEASE_DURATION` | 30 s | .. |``.

use super::Findings;
use super::code::{code, is_test_path};
use super::repo::Repo;
use crate::markdown::rows;

const DEFAULTS: &str = "docs/reference/defaults.md";

pub(super) fn check(repo: &Repo) -> Findings {
    let table = repo.text(DEFAULTS).unwrap_or_default();
    let mut findings = Vec::new();
    for (line, cells) in rows(table) {
        let path = cells
            .first()
            .and_then(|cell| cell.strip_prefix('`')?.strip_suffix('`'));
        let Some((of, name)) = path.and_then(|path| path.split_once("::")) else {
            continue;
        };
        let said = cells.get(1).copied().unwrap_or_default();
        match value_of(repo, of, name) {
            Some(value) if value == said => {}
            Some(value) => findings.push(format!(
                "{DEFAULTS}:{line}: {of}::{name} is {value}, not {said}"
            )),
            None => findings.push(format!(
                "{DEFAULTS}:{line}: there is no default {of}::{name}"
            )),
        }
    }
    findings
}

/// The value of a constant or of a default field, for people.
fn value_of(repo: &Repo, of: &str, name: &str) -> Option<String> {
    let sources = repo
        .files_with(".rs")
        .filter(|file| !is_test_path(&file.path));
    let mut values = sources.filter_map(|file| {
        let code = code(&file.text);
        let constant = impl_of(&code, &format!("impl {of} {{"))
            .and_then(|body| between(body, &format!(" const {name}: "), "=", ";"));
        let field = impl_of(&code, &format!("impl Default for {of} {{"))
            .and_then(|body| between(body, &format!(" {name}: "), "", ",\n"));
        shown(constant.or(field)?)
    });
    values.next()
}

/// The text behind the head of an impl; it may extend behind the impl's end.
fn impl_of<'a>(code: &'a str, head: &str) -> Option<&'a str> {
    let start = code.find(head)? + head.len();
    let end = code[start..].find("\n}\n").unwrap_or(code.len() - start);
    Some(&code[start..start + end])
}

/// The text behind `start`, anything, and `middle`, up to `end`.
fn between<'a>(text: &'a str, start: &str, middle: &str, end: &str) -> Option<&'a str> {
    let text = &text[text.find(start)? + start.len()..];
    let text = &text[text.find(middle)? + middle.len()..];
    Some(text[..text.find(end)?].trim())
}

/// `Duration::from_secs(30)` is `30 s`; `1024 * 1024` is `1 MiB`; a number is itself.
fn shown(expression: &str) -> Option<String> {
    let (function, argument) = match expression.strip_suffix(')') {
        Some(call) => call.split_once('(')?,
        None => ("", expression),
    };
    let number = product(argument)?;
    let millis = match function {
        "" => return Some(plain(number)),
        "Duration::from_millis" => number,
        "Duration::from_secs" => number * 1_000,
        _ => return None,
    };
    let units = [
        (86_400_000, "days"),
        (3_600_000, "h"),
        (60_000, "min"),
        (1_000, "s"),
    ];
    // One minute is said as 60 s: whole units from two on.
    let unit = units
        .into_iter()
        .find(|(unit, _)| millis % unit == 0 && millis / unit > 1);
    let (unit, name) = unit.unwrap_or((1, "ms"));
    Some(format!("{} {name}", millis / unit))
}

fn plain(number: u64) -> String {
    match number {
        1_048_576.. if number.is_multiple_of(1_048_576) => format!("{} MiB", number / 1_048_576),
        1_000.. => format!("{},{:03}", number / 1_000, number % 1_000),
        _ => number.to_string(),
    }
}

fn product(text: &str) -> Option<u64> {
    let factors = text.split('*');
    factors
        .map(|factor| factor.trim().replace('_', "").parse::<u64>().ok())
        .try_fold(1, |product: u64, factor| product.checked_mul(factor?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn untrue_defaults_are_found() {
        let source = "
impl Worker {
    /// 12.
    pub const LEASE: Duration = Duration::from_secs(30);
    pub const SLOTS: usize = 100;
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            len_max: 1024 * 1024,
            max_wait: Duration::from_secs(60),
        }
    }
}
";
        let check = |row: &str, found: Option<&str>| {
            let findings = check(&Repo::of_files(&[
                (DEFAULTS, row),
                ("lro-server/src/worker.rs", source),
            ]));
            assert_eq!(
                findings.len(),
                usize::from(found.is_some()),
                "{row}: {findings:?}"
            );
            assert!(
                findings
                    .iter()
                    .all(|it| it.contains(found.unwrap_or_default())),
                "{findings:?}"
            );
        };
        check("| `Worker::LEASE` | 30 s | how long |", None);
        check(
            "| `Worker::LEASE` | 20 s | how long |",
            Some("is 30 s, not 20 s"),
        );
        check("| `Worker::SLOTS` | 100 |", None);
        check("| `Limits::len_max` | 1 MiB |", None);
        check("| `Limits::max_wait` | 60 s |", None);
        check("| `Limits::max_wait` | 1 min |", Some("is 60 s"));
        check("| `Worker::LOST` | 100 |", Some("no default Worker::LOST"));
        check(
            "| `Limits::LEASE` | 30 s |",
            Some("no default Limits::LEASE"),
        );
        check("| `Worker::LEASE` |", Some("is 30 s, not "));
    }

    #[test]
    fn values_for_people() {
        for (expression, value) in [
            ("10", "10"),
            ("1_000", "1,000"),
            ("Duration::from_millis(200)", "200 ms"),
            ("Duration::from_millis(1_500)", "1500 ms"),
            ("Duration::from_secs(30 * 24 * 60 * 60)", "30 days"),
            ("Duration::from_secs(600)", "10 min"),
        ] {
            assert_eq!(shown(expression).as_deref(), Some(value), "{expression}");
        }
        assert_eq!(shown("unheard_of(1)"), None);
    }
}
