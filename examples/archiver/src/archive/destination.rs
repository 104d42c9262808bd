use std::path::{Path, PathBuf};

use super::Error;

const SUFFIX: &str = ".tar.zst";
const PARTIAL_SUFFIX: &str = ".tar.zst.partial";

/// The longest file name that every usual file system takes.
const FILE_NAME_BYTES_MAX: usize = 255;

/// Where an archive goes: a directory, and a name in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Destination {
    directory: PathBuf,
    name: String,
}

impl Destination {
    /// The archive `<directory>/<name>.tar.zst`.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidName`] unless the name is a plain file name: not empty, no `/`, no control
    /// characters, no leading dot, and short enough.
    pub fn new(directory: impl Into<PathBuf>, name: impl Into<String>) -> Result<Self, Error> {
        let (directory, name) = (directory.into(), name.into());
        let reason = if name.is_empty() {
            Some("it is empty")
        } else if name.starts_with('.') {
            Some("it starts with a dot")
        } else if name.contains('/') || name.contains(char::is_control) {
            Some("it is not a plain file name")
        } else if name.len() + PARTIAL_SUFFIX.len() > FILE_NAME_BYTES_MAX {
            Some("it is too long")
        } else {
            None
        };
        match reason {
            Some(reason) => Err(Error::InvalidName { name, reason }),
            None => Ok(Self { directory, name }),
        }
    }

    /// The directory.
    #[must_use]
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// The name, without directory and suffix.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The complete archive.
    #[must_use]
    pub fn archive_path(&self) -> PathBuf {
        self.directory.join(format!("{}{SUFFIX}", self.name))
    }

    /// The archive while it is packed.
    #[must_use]
    pub fn partial_path(&self) -> PathBuf {
        self.directory
            .join(format!("{}{PARTIAL_SUFFIX}", self.name))
    }

    /// Refuses a destination inside `source`: it would pack itself, and differ on every run.
    /// [`pack`](super::pack()) asks this too.
    ///
    /// # Errors
    ///
    /// [`Error::DestinationInsideSource`], or [`Error::Io`] if one of the two does not exist.
    pub fn ensure_outside(&self, source: &Path) -> Result<(), Error> {
        let directory = self.directory.canonicalize();
        let directory = directory.map_err(Error::io(&self.directory))?;
        let root = source.canonicalize().map_err(Error::io(source))?;
        if directory.starts_with(&root) {
            return Err(Error::DestinationInsideSource {
                path: self.directory.clone(),
                root: source.to_path_buf(),
            });
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names() {
        let good = Destination::new("/archives", "a b.c").unwrap();
        assert_eq!(good.archive_path(), Path::new("/archives/a b.c.tar.zst"));
        assert_eq!(
            good.partial_path(),
            Path::new("/archives/a b.c.tar.zst.partial")
        );
        let longest = "x".repeat(255 - PARTIAL_SUFFIX.len());
        assert!(Destination::new("/", longest.clone()).is_ok());
        for bad in [
            "",
            ".",
            "..",
            ".a",
            "a/b",
            "/a",
            "a\0",
            "a\n",
            &(longest + "x"),
        ] {
            let error = Destination::new("/", bad).unwrap_err();
            assert!(matches!(error, Error::InvalidName { .. }), "{bad:?}");
        }
    }
}
