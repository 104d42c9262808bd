//! The lines on stdout.

use std::io::{self, Write as _};

use indicatif::HumanBytes;

use super::Failure;
use crate::pb::{Archive, VerifyArchiveResponse};

/// Prints one line, or several. A reader that has disconnected is a failure, not a panic.
pub(super) fn print(text: &str) -> Result<(), Failure> {
    let mut stdout = io::stdout().lock();
    writeln!(stdout, "{text}")?;
    stdout.flush()?;
    Ok(())
}

/// An archive in full.
pub(super) fn archive(archive: &Archive) -> String {
    let mut text = format!(
        "name:    {}\n\
         sha256:  {}\n\
         files:   {} ({} directories, {} symlinks)\n\
         bytes:   {} packed into {}\n\
         path:    {}",
        archive.name,
        archive.sha256,
        archive.file_count,
        archive.directory_count,
        archive.symlink_count,
        archive.source_size_bytes,
        archive.size_bytes,
        archive.path,
    );
    if archive.skipped_count > 0 {
        text.push_str(&format!("\nskipped: {}", archive.skipped_count));
        for failure in &archive.partial_failures {
            text.push_str("\n  ");
            text.push_str(&failure.message.escape_debug().to_string());
        }
    }
    text
}

/// An archive in a list.
pub(super) fn archive_line(archive: &Archive) -> String {
    let size = HumanBytes(u64::try_from(archive.size_bytes).unwrap_or(0));
    let (name, files) = (&archive.name, archive.file_count);
    format!("{name}  {files} files  {size}")
}

/// A sound archive.
pub(super) fn verified(response: &VerifyArchiveResponse) -> String {
    format!(
        "{} is sound\nsha256:  {}\nfiles:   {} ({} directories, {} symlinks)\nbytes:   {}",
        response.archive,
        response.sha256,
        response.file_count,
        response.directory_count,
        response.symlink_count,
        response.size_bytes,
    )
}

#[cfg(test)]
mod tests {
    use lro_core::pb::rpc::Status;

    use super::*;

    #[test]
    fn skipped_files_are_reported() {
        let text = archive(&Archive {
            name: "archives/a".to_owned(),
            skipped_count: 2,
            partial_failures: vec![Status {
                message: "x\ny: lost".to_owned(),
                ..Status::default()
            }],
            ..Archive::default()
        });
        assert!(text.starts_with("name:    archives/a\n"), "{text}");
        assert!(text.ends_with("\nskipped: 2\n  x\\ny: lost"), "{text}");
    }
}
