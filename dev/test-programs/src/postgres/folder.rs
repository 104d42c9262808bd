//! Folders that belong to the user that runs the server.

use std::fs::{DirBuilder, File, Permissions};
use std::io::Read as _;
use std::os::unix::fs::{DirBuilderExt as _, PermissionsExt as _, chown};
use std::path::Path;

use super::Error;
use super::programs::User;

/// Makes a folder that only its user may enter, unless it is there already.
pub(crate) fn make(path: &Path, user: Option<User>) -> Result<(), Error> {
    match DirBuilder::new().mode(0o700).create(path) {
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => return Ok(()),
        made => made.map_err(Error::of(path.display()))?,
    }
    give(path, user)
}

/// Writes a file that only its user may read.
pub(crate) fn write(path: &Path, text: &str, user: Option<User>) -> Result<(), Error> {
    std::fs::write(path, text).map_err(Error::of(path.display()))?;
    let private = Permissions::from_mode(0o600);
    std::fs::set_permissions(path, private).map_err(Error::of(path.display()))?;
    give(path, user)
}

pub(crate) fn give(path: &Path, user: Option<User>) -> Result<(), Error> {
    match user {
        Some(user) => {
            chown(path, Some(user.uid), Some(user.gid)).map_err(Error::of(path.display()))
        }
        None => Ok(()),
    }
}

/// A password that cannot be guessed.
pub(crate) fn password() -> Result<String, Error> {
    let mut bytes = [0; 16];
    File::open("/dev/urandom")
        .and_then(|mut file| file.read_exact(&mut bytes))
        .map_err(Error::of("/dev/urandom"))?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}
