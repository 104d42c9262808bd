//! Tables: aligned columns, cut to the width of a terminal and never off it.

use std::collections::HashMap;

use unicode_width::UnicodeWidthStr as _;

use crate::terminal::{Paint, Terminal};

/// The shortest suffix that stands for a name, in characters.
const SHORTEST: usize = 4;
/// Between two columns.
const GAP: usize = 2;

/// A column of a table.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Column {
    pub(crate) title: &'static str,
}

/// A row, with what it means for its look.
#[derive(Clone, Debug)]
pub(crate) struct Row {
    pub(crate) cells: Vec<String>,
    pub(crate) failed: bool,
    pub(crate) paint: Option<Paint>,
}

/// A table whose cells are neutralised when it is drawn.
#[derive(Clone, Debug, Default)]
pub(crate) struct Table {
    pub(crate) columns: Vec<Column>,
    pub(crate) rows: Vec<Row>,
}

impl Table {
    /// The lines of the table. On a terminal columns are dropped from the right until it fits.
    pub(crate) fn draw(&self, terminal: &Terminal) -> String {
        let cells: Vec<Vec<String>> = self
            .rows
            .iter()
            .map(|row| row.cells.iter().map(|it| one_line(terminal, it)).collect())
            .collect();
        let widths: Vec<usize> = (0..self.columns.len())
            .map(|index| {
                let all = cells.iter().filter_map(|row| row.get(index));
                let widest = all.map(|it| it.width()).max().unwrap_or_default();
                widest.max(self.columns[index].title.width())
            })
            .collect();
        let mark = 2;
        let mut shown = self.columns.len();
        if let Some(limit) = terminal.width() {
            let needed = |shown: usize| {
                mark + widths[..shown].iter().sum::<usize>() + GAP * shown.saturating_sub(1)
            };
            while shown > 1 && needed(shown) > limit {
                shown -= 1;
            }
        }
        let line = |cells: &[&str], paint: Option<Paint>| {
            let mut line = String::new();
            for (index, cell) in cells.iter().take(shown).enumerate() {
                if index > 0 {
                    line.push_str(&" ".repeat(GAP));
                }
                let pad = widths[index].saturating_sub(cell.width());
                match paint {
                    Some(paint) if index == 0 => line.push_str(&paint.on(cell)),
                    _ => line.push_str(cell),
                }
                line.push_str(&" ".repeat(pad));
            }
            line.trim_end().to_owned()
        };
        let titles: Vec<&str> = self.columns.iter().map(|it| it.title).collect();
        let mut out = format!("  {}\n", line(&titles, None));
        for (row, cells) in self.rows.iter().zip(&cells) {
            let mark = if row.failed { terminal.cross() } else { " " };
            let cells: Vec<&str> = cells.iter().map(String::as_str).collect();
            let paint = row.paint.filter(|_| terminal.colour.stdout);
            let line = format!("{mark} {}", line(&cells, paint));
            out.push_str(line.trim_end());
            out.push('\n');
        }
        out
    }
}

/// A cell has no line feeds, wherever it is written: the table would not be one.
fn one_line(terminal: &Terminal, text: &str) -> String {
    let text = terminal.cell(text);
    if text.contains(['\n', '\r', '\t']) {
        return crate::neutral::line(&text).into_owned();
    }
    text.into_owned()
}

/// The shortest suffix of each name's id that is unique among them, of at least [`SHORTEST`]
/// characters. A name whose id is not longer than twice that has none.
pub(crate) fn suffixes<'a>(names: &[&'a str]) -> HashMap<&'a str, String> {
    let id = |name: &'a str| name.rsplit('/').next().unwrap_or(name);
    let suffix = |name: &str, len: usize| -> String {
        let count = name.chars().count();
        name.chars().skip(count.saturating_sub(len)).collect()
    };
    let mut found = HashMap::new();
    let mut left: Vec<&str> = names.to_vec();
    left.sort_unstable();
    left.dedup();
    left.retain(|name| id(name).chars().count() > SHORTEST * 2);
    let mut len = SHORTEST;
    while !left.is_empty() && len <= 64 {
        let mut seen: HashMap<String, usize> = HashMap::new();
        for name in names.iter().collect::<std::collections::HashSet<_>>() {
            *seen.entry(suffix(name, len)).or_default() += 1;
        }
        left.retain(|name| {
            let short = suffix(name, len);
            let unique = seen.get(&short) == Some(&1) && id(name).ends_with(&short);
            if unique {
                found.insert(*name, short);
            }
            !unique
        });
        len += 1;
    }
    found
}

/// A name with its beginning and its suffix: `operations/…e41d`.
pub(crate) fn shorten(name: &str, suffix: &str, ellipsis: &str) -> String {
    let folder = name
        .rsplit_once('/')
        .map_or(String::new(), |(folder, _)| format!("{folder}/"));
    format!("{folder}{ellipsis}{suffix}")
}

/// A long id without its middle: `operations/0197c2…e41d`.
pub(crate) fn middle(name: &str, ellipsis: &str) -> String {
    let (folder, id) = match name.rsplit_once('/') {
        Some((folder, id)) => (format!("{folder}/"), id),
        None => (String::new(), name),
    };
    let chars: Vec<char> = id.chars().collect();
    if chars.len() <= 16 {
        return name.to_owned();
    }
    let head: String = chars[..6].iter().collect();
    let tail: String = chars[chars.len() - 4..].iter().collect();
    format!("{folder}{head}{ellipsis}{tail}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn suffixes_are_as_short_as_can_be_and_no_shorter() {
        let names = [
            "operations/aaaaaaaa-e41d",
            "operations/bbbbbbbb-e41d",
            "operations/cccccccc-77aa",
            "operations/42",
        ];
        let found = suffixes(&names);
        assert_eq!(found["operations/cccccccc-77aa"], "77aa");
        assert_eq!(found["operations/aaaaaaaa-e41d"], "a-e41d");
        assert_eq!(found.get("operations/42"), None);
        assert_eq!(
            shorten("operations/cccccccc-77aa", "77aa", "…"),
            "operations/…77aa"
        );
        assert!(suffixes(&[]).is_empty());
    }

    #[test]
    fn a_long_id_loses_its_middle() {
        assert_eq!(
            middle("operations/0197c2aa-bbbb-7ccc-8ddd-eeeeeeeee41d", "…"),
            "operations/0197c2…e41d"
        );
        assert_eq!(middle("operations/42", "…"), "operations/42");
    }
}
