//! Numbers for each top-level folder that may only fall.

use std::collections::BTreeMap;
use std::fs;

use anyhow::{Context, Result};

use super::Findings;
use super::repo::Repo;

/// A table of such numbers, in a file of its own.
#[derive(Debug)]
pub(super) struct Ratchet {
    /// The file, from the root.
    pub(super) path: &'static str,
    /// The counted things, in the plural.
    pub(super) noun: &'static str,
    /// How a reader finds them.
    pub(super) advice: &'static str,
}

impl Ratchet {
    /// A folder that has more than its number is a finding. Fewer are not, so that changes of
    /// several folders do not all touch the table.
    pub(super) fn check<'a>(
        &self,
        repo: &Repo,
        folders: impl Iterator<Item = &'a str>,
    ) -> Findings {
        let path = self.path;
        let Some(Ok(table)) = repo.text(path).map(parse) else {
            return vec![format!("{path} cannot be read")];
        };
        let counts = count(folders);
        let more = counts.iter().filter_map(|(folder, count)| {
            let max = table.get(*folder).copied().unwrap_or_default();
            (*count > max).then(|| {
                let Self { noun, advice, .. } = self;
                format!("{folder} has {count} {noun}, more than {max}; {advice}")
            })
        });
        more.collect()
    }

    /// Lowers the numbers of the table to the present ones; never raises one.
    ///
    /// # Errors
    ///
    /// When the table cannot be read or written.
    pub(super) fn lower<'a>(
        &self,
        repo: &Repo,
        folders: impl Iterator<Item = &'a str>,
    ) -> Result<()> {
        let text = repo.text(self.path).context(self.path)?;
        let counts = count(folders);
        let comments = text.lines().take_while(|line| line.starts_with('#'));
        let mut lowered: String = comments.flat_map(|line| [line, "\n"]).collect();
        for (folder, max) in parse(text)? {
            let now = counts.get(&*folder).copied().unwrap_or_default().min(max);
            if now > 0 {
                lowered += &format!("\"{folder}\" = {now}\n");
            }
        }
        if lowered != text {
            fs::write(crate::root().join(self.path), lowered).context(self.path)?;
            println!("{}", self.path);
        }
        Ok(())
    }
}

fn parse(text: &str) -> Result<BTreeMap<String, usize>> {
    Ok(toml::from_str(text)?)
}

fn count<'a>(folders: impl Iterator<Item = &'a str>) -> BTreeMap<&'a str, usize> {
    let mut counts = BTreeMap::new();
    for folder in folders {
        *counts.entry(folder).or_default() += 1;
    }
    counts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_more_than_the_number_is_a_finding() {
        let ratchet = Ratchet {
            path: "table.toml",
            noun: "apples",
            advice: "eat them",
        };
        let repo = Repo::of_files(&[("table.toml", "# Apples.\na = 2\n")]);
        let check = |folders: &[&'static str]| ratchet.check(&repo, folders.iter().copied());
        assert_eq!(check(&["a"]), [""; 0]);
        assert_eq!(check(&["a", "a"]), [""; 0]);
        assert_eq!(
            check(&["a", "a", "a", "b"]),
            [
                "a has 3 apples, more than 2; eat them",
                "b has 1 apples, more than 0; eat them"
            ]
        );
        let missing = ratchet.check(&Repo::default(), ["a"].into_iter());
        assert_eq!(missing, ["table.toml cannot be read"]);
    }
}
