//! The headers of Google's clients, which routers and log readers know.

use tonic::metadata::{Ascii, MetadataValue};

/// The header that routers in front of a server read.
pub(super) const REQUEST_PARAMS: &str = "x-goog-request-params";
/// The header that names the calling library.
pub(super) const API_CLIENT: &str = "x-goog-api-client";

/// The name of this crate in the header.
const NAME: &str = "lro";
/// The version of tonic in the header: a crate cannot query it.
const TONIC: &str = "0.14";

/// `gl-rust/1.95.0 lro/0.1.0 grpc/0.14`.
pub(super) fn api_client() -> MetadataValue<Ascii> {
    api_client_of(NAME, env!("CARGO_PKG_VERSION"))
}

/// The same with another library in the middle. `-` replaces characters that a token of the header
/// cannot hold.
pub(super) fn api_client_of(name: &str, version: &str) -> MetadataValue<Ascii> {
    let rust = env!("LRO_CLIENT_RUSTC");
    let (name, version) = (token(name), token(version));
    let library = match (&*name, &*version) {
        ("", _) => String::new(),
        (name, "") => format!("{name} "),
        (name, version) => format!("{name}/{version} "),
    };
    let text = format!("gl-rust/{} {library}grpc/{TONIC}", token(rust));
    // Made of tokens, it is always ASCII.
    MetadataValue::try_from(text).unwrap_or_else(|_| MetadataValue::from_static("gl-rust"))
}

/// The longest name and the longest version, in bytes.
pub(super) const TOKEN_MAX_LEN: usize = 128;

fn token(text: &str) -> String {
    let allowed = |char: char| char.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~@".contains(char);
    let shown = |char| if allowed(char) { char } else { '-' };
    text.chars().take(TOKEN_MAX_LEN).map(shown).collect()
}

/// `name=operations%2F42`.
pub(super) fn request_params(name: &str) -> Option<MetadataValue<Ascii>> {
    // Percent-encoded, it is always ASCII.
    MetadataValue::try_from(format!("name={}", percent_encoded(name))).ok()
}

/// Encodes everything except the unreserved characters of RFC 3986 as `%XX`.
fn percent_encoded(text: &str) -> String {
    const HEX: &[u8; 16] = b"0123456789ABCDEF";
    let mut encoded = String::with_capacity(text.len() + 8);
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            encoded.push('%');
            encoded.push(char::from(HEX[usize::from(byte >> 4)]));
            encoded.push(char::from(HEX[usize::from(byte & 15)]));
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_encoded_for_the_header() {
        for (name, encoded) in [
            ("operations/1", "operations%2F1"),
            ("a-b_c.d~E9", "a-b_c.d~E9"),
            ("operations/ü &\n", "operations%2F%C3%BC%20%26%0A"),
            ("", ""),
        ] {
            assert_eq!(percent_encoded(name), encoded);
        }
    }

    #[test]
    fn the_library_can_be_another_and_strange() {
        let rust = env!("LRO_CLIENT_RUSTC");
        let own = env!("CARGO_PKG_VERSION");
        assert!(rust.starts_with("1."), "{rust}");
        assert_eq!(
            api_client().to_str().unwrap(),
            format!("gl-rust/{rust} lro/{own} grpc/{TONIC}")
        );
        for (name, version, library) in [
            ("archiver", "2.0.1-rc.1", "archiver/2.0.1-rc.1 "),
            ("archiver", "", "archiver "),
            ("", "1", ""),
            ("a b/c\n", "ü", "a-b-c-/- "),
            (&*"x".repeat(1000), "", &format!("{} ", "x".repeat(128))),
        ] {
            assert_eq!(
                api_client_of(name, version).to_str().unwrap(),
                format!("gl-rust/{rust} {library}grpc/{TONIC}")
            );
        }
    }

    #[test]
    fn the_version_of_tonic_is_the_one_in_use() {
        let Ok(lock) = std::fs::read_to_string("../Cargo.lock") else {
            return; // Built outside of its workspace.
        };
        let package = format!("name = \"tonic\"\nversion = \"{TONIC}.");
        assert!(lock.contains(&package), "TONIC is not what Cargo.lock says");
    }
}
