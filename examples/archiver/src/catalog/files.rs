//! Durable changes of a directory.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::Path;

use crate::archive::Error;

/// Writes `bytes` to `new`, then makes it `path` in one step.
pub(super) fn replace(new: &Path, path: &Path, bytes: &[u8]) -> Result<(), Error> {
    let written = File::create(new).and_then(|mut file| {
        file.write_all(bytes)?;
        file.sync_all()
    });
    written.map_err(failed(new))?;
    fs::rename(new, path).map_err(failed(path))?;
    match path.parent() {
        Some(directory) => sync_directory(directory),
        None => Ok(()),
    }
}

/// Removes a file, and says whether there was one.
pub(super) fn remove(path: &Path) -> Result<bool, Error> {
    match fs::remove_file(path) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(failed(path)(error)),
    }
}

/// Makes the names in a directory durable.
pub(super) fn sync_directory(directory: &Path) -> Result<(), Error> {
    let synced = File::open(directory).and_then(|it| it.sync_all());
    synced.map_err(failed(directory))
}

/// The names in a directory, as far as they are text.
pub(super) fn names(directory: &Path) -> Result<Vec<String>, Error> {
    let mut names = Vec::new();
    for entry in fs::read_dir(directory).map_err(failed(directory))? {
        let name = entry.map_err(failed(directory))?.file_name();
        names.extend(name.into_string());
    }
    Ok(names)
}

fn failed(path: &Path) -> impl FnOnce(io::Error) -> Error {
    move |cause| Error::Io {
        path: path.to_path_buf(),
        cause,
    }
}
