//! The page tokens of ListOperations.

use base64::prelude::{BASE64_URL_SAFE_NO_PAD, Engine as _};
use lro_core::PageCursor;
use sha2::{Digest as _, Sha256};

const VERSION: u8 = 1;
const CURSOR: std::ops::Range<usize> = 1..1 + PageCursor::LEN;
const LEN: usize = CURSOR.end + 8;

/// A token that goes on behind the cursor, in the list that `query` stands for only.
///
/// Holds no server state, so that it is good after a restart and on every replica.
pub(crate) fn encode(cursor: PageCursor, query: &[&str]) -> String {
    let mut token = [0; LEN];
    token[0] = VERSION;
    token[CURSOR].copy_from_slice(&cursor.to_bytes());
    let digest = digest(&token[..CURSOR.end], query);
    token[CURSOR.end..].copy_from_slice(&digest);
    BASE64_URL_SAFE_NO_PAD.encode(token)
}

/// The cursor of a token; `None` when it is garbled, or of another list.
pub(crate) fn decode(token: &str, query: &[&str]) -> Option<PageCursor> {
    let token: [u8; LEN] = BASE64_URL_SAFE_NO_PAD.decode(token).ok()?.try_into().ok()?;
    let cursor = token[CURSOR].try_into().ok()?;
    let genuine = token[0] == VERSION && token[CURSOR.end..] == digest(&token[..CURSOR.end], query);
    genuine.then(|| PageCursor::from_bytes(cursor))
}

fn digest(head: &[u8], query: &[&str]) -> [u8; 8] {
    let mut hash = Sha256::new().chain_update(head);
    for part in query {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part);
    }
    let hash = hash.finalize();
    let mut digest = [0; 8];
    digest.copy_from_slice(&hash[..8]);
    digest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spec_095_096_a_token_is_bound_to_its_list_and_cannot_be_garbled() {
        let cursor = PageCursor::from_bytes([7; PageCursor::LEN]);
        let query = ["projects/p", ""];
        let token = encode(cursor, &query);
        assert!(
            token
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b"-_".contains(&b))
        );
        assert_eq!(decode(&token, &query), Some(cursor));
        assert_eq!(decode(&token, &["projects/p", "done = true"]), None);
        assert_eq!(decode(&token, &["projects/", "p"]), None);
        for at in 0..token.len() {
            let mut garbled = token.clone();
            let other = if token[at..].starts_with('A') {
                "B"
            } else {
                "A"
            };
            garbled.replace_range(at..=at, other);
            assert_eq!(decode(&garbled, &query), None, "{at}");
            assert_eq!(decode(&token[..at], &query), None, "{at}");
        }
    }
}
