//! Why the archiver refuses a call or ends an operation: codes, and the `ErrorInfo` (AIP-193).

use std::collections::HashMap;
use std::io;

use lro_core::pb::rpc;
use prost::Message as _;
use tonic::{Code, Status};
use tonic_types::{ErrorDetails, StatusExt as _};

use crate::archive::{Error, Skipped};
use crate::catalog::ArchiveId;

/// The `domain` of the archiver's `ErrorInfo`s.
const DOMAIN: &str = "archiver.example.com";

/// The `reason` of an `ErrorInfo`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reason {
    InvalidField,
    SourceNotFound,
    SourceUnusable,
    SourceChanged,
    SourceTooLarge,
    EntrySkipped,
    ArchiveNotFound,
    ArchiveAlreadyExists,
    ArchiveBusy,
    ArchiveDamaged,
    StorageFull,
    StorageFailed,
    Stopped,
}

impl Reason {
    fn as_str(self) -> &'static str {
        match self {
            Self::InvalidField => "INVALID_FIELD",
            Self::SourceNotFound => "SOURCE_NOT_FOUND",
            Self::SourceUnusable => "SOURCE_UNUSABLE",
            Self::SourceChanged => "SOURCE_CHANGED",
            Self::SourceTooLarge => "SOURCE_TOO_LARGE",
            Self::EntrySkipped => "ENTRY_SKIPPED",
            Self::ArchiveNotFound => "ARCHIVE_NOT_FOUND",
            Self::ArchiveAlreadyExists => "ARCHIVE_ALREADY_EXISTS",
            Self::ArchiveBusy => "ARCHIVE_BUSY",
            Self::ArchiveDamaged => "ARCHIVE_DAMAGED",
            Self::StorageFull => "STORAGE_FULL",
            Self::StorageFailed => "STORAGE_FAILED",
            Self::Stopped => "STOPPED",
        }
    }

    fn code(self) -> Code {
        match self {
            Self::InvalidField => Code::InvalidArgument,
            Self::SourceNotFound | Self::ArchiveNotFound => Code::NotFound,
            Self::SourceUnusable | Self::EntrySkipped => Code::FailedPrecondition,
            Self::SourceChanged | Self::Stopped => Code::Aborted,
            Self::SourceTooLarge | Self::StorageFull => Code::ResourceExhausted,
            Self::ArchiveAlreadyExists => Code::AlreadyExists,
            Self::ArchiveBusy => Code::Unavailable,
            Self::ArchiveDamaged => Code::DataLoss,
            Self::StorageFailed => Code::Internal,
        }
    }

    /// The dynamic parts of the message stand in `metadata`.
    pub(crate) fn status(self, message: impl Into<String>, metadata: &[(&str, &str)]) -> Status {
        Status::with_error_details(self.code(), message, self.details(metadata))
    }

    fn details(self, metadata: &[(&str, &str)]) -> ErrorDetails {
        let own = |(key, value): &(&str, &str)| ((*key).to_owned(), (*value).to_owned());
        let metadata = metadata.iter().map(own);
        ErrorDetails::with_error_info(self.as_str(), DOMAIN, metadata.collect::<HashMap<_, _>>())
    }
}

/// A field of the request is wrong.
pub(crate) fn invalid_field(field: &str, description: impl Into<String>) -> Status {
    let description = description.into();
    let message = format!("{field}: {description}");
    let mut details = Reason::InvalidField.details(&[("field", field)]);
    details.add_bad_request_violation(field, description);
    Status::with_error_details(Reason::InvalidField.code(), message, details)
}

/// There is no such archive.
pub(crate) fn not_found(id: &ArchiveId) -> Status {
    let name = id.name();
    let message = format!("there is no archive `{name}`");
    Reason::ArchiveNotFound.status(message, &[("archive", &name)])
}

/// There is such an archive already.
pub(crate) fn already_exists(id: &ArchiveId) -> Status {
    let name = id.name();
    let message = format!("archive `{name}` exists already");
    Reason::ArchiveAlreadyExists.status(message, &[("archive", &name)])
}

/// The engine's error, for callers.
pub(crate) fn engine_failed(error: &Error) -> Status {
    let (reason, path) = match error {
        Error::SourceNotFound { path } => (Reason::SourceNotFound, path),
        Error::SourceNotDirectory { path } | Error::SourceUnreadable { path, .. } => {
            (Reason::SourceUnusable, path)
        }
        Error::DestinationInsideSource { root, .. } => (Reason::SourceUnusable, root),
        Error::SourceChanged { path } => (Reason::SourceChanged, path),
        Error::SourceTooLarge { path, .. } => (Reason::SourceTooLarge, path),
        Error::Busy { path } | Error::PartialLost { path } => (Reason::ArchiveBusy, path),
        Error::Corrupt { path, .. } => (Reason::ArchiveDamaged, path),
        Error::Io { path, cause } => match cause.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
                (Reason::StorageFull, path)
            }
            _ => (Reason::StorageFailed, path),
        },
        Error::InvalidName { name, reason } => {
            return invalid_field(
                "archive_id",
                format!("`{name}` is no archive's id: {reason}"),
            );
        }
        Error::Stopped => return Reason::Stopped.status("told to stop", &[]),
    };
    reason.status(error.to_string(), &[("path", &path.to_string_lossy())])
}

/// An entry that is not in the archive, as a partial failure.
pub(crate) fn entry_skipped(skipped: &Skipped) -> rpc::Status {
    let path = String::from_utf8_lossy(&skipped.path);
    let status = Reason::EntrySkipped.status(skipped.to_string(), &[("path", &path)]);
    match rpc::Status::decode(status.details()) {
        Ok(status) => status,
        // The bytes were made a moment ago.
        Err(_) => unreachable!("a status that does not decode"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_partial_failure_names_the_path() {
        let skipped = Skipped {
            path: b"a/b".to_vec(),
            reason: "lost".to_owned(),
        };
        let failure = entry_skipped(&skipped);
        assert_eq!(failure.code, Code::FailedPrecondition as i32);
        assert_eq!(failure.message, "a/b: lost");
        assert_eq!(failure.details.len(), 1);
    }

    #[test]
    fn a_bad_field_is_named_twice() {
        let status = invalid_field("archive_id", "is odd");
        let details = status.get_error_details();
        assert_eq!(
            details.error_info().unwrap().metadata["field"],
            "archive_id"
        );
        let violations = &details.bad_request().unwrap().field_violations;
        assert_eq!(violations[0].description, "is odd");
    }
}
