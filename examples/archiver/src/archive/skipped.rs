use std::fmt;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

/// How many skipped entries are listed; all are counted.
pub const SKIPPED_MAX: usize = 100;

/// An entry of the source that is not in the archive.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Skipped {
    /// The path relative to the source, as bytes: it need not be UTF-8. For a directory that
    /// could not be listed, the directory, which itself is in the archive.
    pub path: Vec<u8>,
    /// Why.
    pub reason: String,
}

impl fmt::Display for Skipped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = String::from_utf8_lossy(&self.path);
        write!(f, "{path}: {}", self.reason)
    }
}

/// A bounded list of skipped entries with the full count.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct SkippedList {
    count: u64,
    first: Vec<Skipped>,
}

impl SkippedList {
    /// A list as stored; a longer one is cut.
    pub(super) fn from_parts(count: u64, first: &[Skipped]) -> Self {
        let first = &first[..first.len().min(SKIPPED_MAX)];
        Self {
            count: count.max(first.len() as u64),
            first: first.to_vec(),
        }
    }

    pub(super) fn push(&mut self, path: &Path, reason: &dyn fmt::Display) {
        self.count = self.count.saturating_add(1);
        if self.first.len() < SKIPPED_MAX {
            self.first.push(Skipped {
                path: path.as_os_str().as_bytes().to_vec(),
                reason: reason.to_string(),
            });
        }
    }

    pub(super) fn count(&self) -> u64 {
        self.count
    }

    pub(super) fn first(&self) -> &[Skipped] {
        &self.first
    }

    /// This list followed by another.
    pub(super) fn followed_by(&self, other: &SkippedList) -> SkippedList {
        let all = self.first.iter().chain(&other.first);
        SkippedList {
            count: self.count.saturating_add(other.count),
            first: all.take(SKIPPED_MAX).cloned().collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_is_bounded_and_the_count_is_not() {
        let mut list = SkippedList::default();
        for i in 0..250 {
            list.push(Path::new(&i.to_string()), &"lost");
        }
        assert_eq!((list.count(), list.first().len()), (250, SKIPPED_MAX));
        let both = list.followed_by(&list);
        assert_eq!((both.count(), both.first().len()), (500, SKIPPED_MAX));
        assert_eq!(both.first()[99].to_string(), "99: lost");

        let long = vec![Skipped::default(); 300];
        let stored = SkippedList::from_parts(0, &long);
        assert_eq!((stored.count(), stored.first().len()), (100, SKIPPED_MAX));
    }
}
