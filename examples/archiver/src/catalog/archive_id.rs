use std::fmt;
use std::path::Path;

use uuid::Uuid;

const COLLECTION: &str = "archives/";
const LEN_MAX: usize = 63;

/// The last segment of an archive's name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct ArchiveId(String);

impl ArchiveId {
    /// The mistake in every other text.
    pub(crate) const RULE: &'static str =
        "1 to 63 of a-z, 0-9 and `-`, with a letter or digit at both ends";

    /// A text that follows the [rule](Self::RULE).
    pub(crate) fn new(id: &str) -> Option<Self> {
        let is_end = |byte: Option<&u8>| byte.is_some_and(|it| *it != b'-');
        let bytes = id.as_bytes();
        let valid = bytes.len() <= LEN_MAX
            && bytes.iter().all(|it| is_plain(*it) || *it == b'-')
            && is_end(bytes.first())
            && is_end(bytes.last());
        valid.then(|| Self(id.to_owned()))
    }

    /// From `archives/{archive}`.
    pub(crate) fn from_name(name: &str) -> Option<Self> {
        Self::new(name.strip_prefix(COLLECTION)?)
    }

    /// From the last part of a path and something random.
    pub(crate) fn generate(source: &Path, random: Uuid) -> Self {
        let random = random.simple().to_string();
        let (_, suffix) = random.split_at(random.len() - 8);
        let source = source.file_name().unwrap_or_default().to_string_lossy();
        let mut id = String::new();
        for byte in source.to_ascii_lowercase().bytes() {
            if is_plain(byte) {
                id.push(char::from(byte));
            } else if !id.is_empty() && !id.ends_with('-') {
                id.push('-');
            }
        }
        id.truncate(LEN_MAX - suffix.len() - 1);
        let id = id.trim_end_matches('-');
        let id = if id.is_empty() { "archive" } else { id };
        Self(format!("{id}-{suffix}"))
    }

    /// As text.
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }

    /// The resource name.
    pub(crate) fn name(&self) -> String {
        format!("{COLLECTION}{self}")
    }
}

impl fmt::Display for ArchiveId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

fn is_plain(byte: u8) -> bool {
    byte.is_ascii_lowercase() || byte.is_ascii_digit()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids() {
        let longest = "x".repeat(63);
        for good in ["a", "0", "a-b", "2024-01", &longest] {
            let name = ArchiveId::new(good).unwrap().name();
            assert_eq!(ArchiveId::from_name(&name).unwrap().as_str(), good);
        }
        let too_long = "x".repeat(64);
        for bad in ["", "-", "-a", "a-", "A", "a.b", "a/b", "..", "ü", &too_long] {
            assert_eq!(ArchiveId::new(bad), None, "{bad}");
        }
        assert_eq!(ArchiveId::from_name("a"), None);
    }

    #[test]
    fn generated_ids_are_valid_and_tell_of_the_source() {
        let random = Uuid::from_u128(0x1234_5678);
        for (source, id) in [
            ("/srv/ada/My Photos (2024)", "my-photos-2024-12345678"),
            ("/", "archive-12345678"),
            ("/ü", "archive-12345678"),
        ] {
            let generated = ArchiveId::generate(Path::new(source), random);
            assert_eq!(generated.as_str(), id);
        }
        let long = ArchiveId::generate(Path::new(&"n".repeat(300)), random);
        assert_eq!(ArchiveId::new(long.as_str()), Some(long));
    }
}
