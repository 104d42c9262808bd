//! Files that arguments name.

use std::path::Path;

use super::Failure;

pub(super) fn read(path: &Path) -> Result<Vec<u8>, Failure> {
    let what = || format!("cannot read {}", path.display());
    std::fs::read(path).map_err(|error| Failure::new(&what(), &error))
}
