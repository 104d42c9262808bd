//! The google protos that come with the crate.

use protox::Error;
use protox::file::{File, FileResolver};

macro_rules! google_protos {
    ($($name:literal),+ $(,)?) => {
        /// Import path and text of every proto that needs no file of the user's.
        pub(crate) const GOOGLE_PROTOS: &[(&str, &str)] =
            &[$(($name, include_str!(concat!("../proto/", $name)))),+];
    };
}

google_protos![
    "google/api/annotations.proto",
    "google/api/client.proto",
    "google/api/field_behavior.proto",
    "google/api/field_info.proto",
    "google/api/http.proto",
    "google/api/launch_stage.proto",
    "google/api/resource.proto",
    "google/api/routing.proto",
    "google/longrunning/operations.proto",
    "google/rpc/code.proto",
    "google/rpc/error_details.proto",
    "google/rpc/status.proto",
];

/// Finds [`GOOGLE_PROTOS`]; it stands behind the include paths, so a copy of the user's wins.
#[derive(Debug)]
pub(crate) struct GoogleProtos;

impl FileResolver for GoogleProtos {
    fn open_file(&self, name: &str) -> Result<File, Error> {
        match GOOGLE_PROTOS.iter().find(|(known, _)| *known == name) {
            Some((name, text)) => File::from_source(name, text),
            None => Err(Error::file_not_found(name)),
        }
    }
}
