//! The page tokens of ListOperations.

use std::fmt;
use std::time::Duration;

use base64::prelude::{BASE64_URL_SAFE_NO_PAD, Engine as _};
use chacha20poly1305::aead::{Aead as _, KeyInit as _, Payload};
use chacha20poly1305::{Key, XChaCha20Poly1305, XNonce};
use lro_core::store::{OperationStore, PageCursor, StoreError};
use lro_core::{Reason, Timestamp};
use sha2::{Digest as _, Sha256};
use tokio::sync::OnceCell;
use tonic::Status;
use uuid::Uuid;

/// The keys that page tokens are encrypted with.
///
/// A token contains the position where its list continues and its time of creation, encrypted and
/// authenticated (XChaCha20-Poly1305). It is valid only for the parent, the filter, the services and the
/// principal of its list, and grants no permission: each page is authorized anew.
///
/// All replicas need the same keys. To change them, first let all replicas accept the new key, then
/// encrypt with it, and remove the old one after
/// [`Limits::max_page_token_age`](crate::Limits::max_page_token_age).
///
/// ```
/// use lro_core::store::MemoryStore;
/// use lro_server::{Operations, PageTokenKeys};
/// # let (current, former) = ([1; 32], [2; 32]);
///
/// let keys = PageTokenKeys::new(current).accept(former);
/// let operations = Operations::builder(MemoryStore::new()).page_token_keys(keys).build();
/// ```
///
/// # The default
///
/// A server without keys of its own uses the [key of its
/// store](lro_core::store::OperationStore::page_token_key): random, created once, and kept with the
/// operations. Tokens stay valid after a restart and on every replica that shares the store; every
/// other server rejects them. Use keys of your own for replicas with different stores, or to change
/// keys on a schedule.
#[derive(Clone)]
#[must_use]
pub struct PageTokenKeys {
    current: Sealer,
    /// Keys whose tokens are also good.
    accepted: Vec<Sealer>,
}

#[derive(Clone)]
struct Sealer {
    id: [u8; 4],
    cipher: XChaCha20Poly1305,
}

impl PageTokenKeys {
    /// New tokens are encrypted with this key, from a good source of randomness.
    pub fn new(key: [u8; 32]) -> Self {
        Self {
            current: Sealer::new(key),
            accepted: Vec::new(),
        }
    }

    /// Also accepts tokens of this key.
    pub fn accept(mut self, key: [u8; 32]) -> Self {
        self.accepted.push(Sealer::new(key));
        self
    }
}

/// Shows how many there are.
impl fmt::Debug for PageTokenKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PageTokenKeys({})", 1 + self.accepted.len())
    }
}

impl Sealer {
    fn new(key: [u8; 32]) -> Self {
        let id = Sha256::new().chain_update(b"key id").chain_update(key);
        let id: [u8; 32] = id.finalize().into();
        Self {
            id: std::array::from_fn(|at| id[at]),
            cipher: XChaCha20Poly1305::new(&Key::from(key)),
        }
    }
}

// A token: version, key id, nonce; then, encrypted: cursor, time of issue; then the tag.
const VERSION: u8 = 2;
const NONCE: usize = 1 + 4;
const SEALED: usize = NONCE + 24;
const PLAIN_LEN: usize = PageCursor::LEN + 8;
const LEN: usize = SEALED + PLAIN_LEN + 16;

/// The page tokens of one server: with its own keys, or with that of its store.
#[derive(Debug)]
pub(crate) struct PageTokens {
    keys: OnceCell<PageTokenKeys>,
    age_max: Duration,
}

impl PageTokens {
    pub(crate) fn new(keys: Option<PageTokenKeys>, age_max: Duration) -> Self {
        Self {
            keys: OnceCell::new_with(keys),
            age_max,
        }
    }

    /// Encrypts and decrypts; asks the store for its key the first time, unless there are other keys.
    pub(crate) async fn sealer(
        &self,
        store: &dyn OperationStore,
    ) -> Result<PageTokenSealer<'_>, StoreError> {
        let of_store = async { store.page_token_key().await.map(PageTokenKeys::new) };
        Ok(PageTokenSealer {
            keys: self.keys.get_or_try_init(|| of_store).await?,
            age_max: self.age_max,
        })
    }
}

/// Makes tokens and reads them.
#[derive(Clone, Copy, Debug)]
pub(crate) struct PageTokenSealer<'k> {
    keys: &'k PageTokenKeys,
    age_max: Duration,
}

impl PageTokenSealer<'_> {
    /// A token that continues behind the cursor, in the list that `query` stands for only.
    ///
    /// Holds no server state, so that it is good after a restart and on every replica.
    pub(crate) fn seal(&self, cursor: PageCursor, query: &[&str], now: Timestamp) -> String {
        let mut nonce = [0; SEALED - NONCE];
        nonce[..16].copy_from_slice(Uuid::new_v4().as_bytes());
        nonce[16..].copy_from_slice(&Uuid::new_v4().as_bytes()[8..]);
        let key = &self.keys.current;
        let mut token = Vec::with_capacity(LEN);
        token.push(VERSION);
        token.extend(key.id);
        token.extend(nonce);
        let mut plain = [0; PLAIN_LEN];
        plain[..PageCursor::LEN].copy_from_slice(&cursor.to_bytes());
        plain[PageCursor::LEN..].copy_from_slice(&now.as_micros().to_be_bytes());
        let bound = bound(&token[..NONCE], query);
        let payload = Payload {
            msg: &plain,
            aad: &bound,
        };
        let sealed = key.cipher.encrypt(&XNonce::from(nonce), payload);
        // Fails for messages of many gigabytes only.
        token.extend(sealed.unwrap_or_default());
        BASE64_URL_SAFE_NO_PAD.encode(token)
    }

    /// The cursor of a token.
    ///
    /// # Errors
    ///
    /// INVALID_ARGUMENT when it is garbled, of another list or another key, or too old.
    pub(crate) fn open(
        &self,
        token: &str,
        query: &[&str],
        now: Timestamp,
    ) -> Result<PageCursor, Status> {
        let (cursor, issued) = self.read(token, query).ok_or_else(|| {
            let message = "is not a token of this list; ask for its first page again";
            Reason::InvalidField.field_status("page_token", message)
        })?;
        if now.since(issued) > self.age_max {
            let message = "is too old; ask for the first page again";
            return Err(Reason::InvalidField.field_status("page_token", message));
        }
        Ok(cursor)
    }

    fn read(&self, token: &str, query: &[&str]) -> Option<(PageCursor, Timestamp)> {
        // Whatever is longer is none, and not worth the decoding.
        if token.len() > LEN.div_ceil(3) * 4 {
            return None;
        }
        let token: [u8; LEN] = BASE64_URL_SAFE_NO_PAD.decode(token).ok()?.try_into().ok()?;
        if token[0] != VERSION {
            return None;
        }
        let mut keys = [&self.keys.current].into_iter().chain(&self.keys.accepted);
        let key = keys.find(|key| key.id == token[1..NONCE])?;
        let bound = bound(&token[..NONCE], query);
        let payload = Payload {
            msg: &token[SEALED..],
            aad: &bound,
        };
        let nonce = XNonce::try_from(&token[NONCE..SEALED]).ok()?;
        let plain = key.cipher.decrypt(&nonce, payload).ok()?;
        let (cursor, issued) = plain.split_at_checked(PageCursor::LEN)?;
        let issued = i64::from_be_bytes(issued.try_into().ok()?);
        let cursor = PageCursor::from_bytes(cursor.try_into().ok()?);
        Some((cursor, Timestamp::from_micros(issued)))
    }
}

/// The digest that a token is bound to.
fn bound(head: &[u8], query: &[&str]) -> [u8; 32] {
    let mut hash = Sha256::new().chain_update(head);
    for part in query {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part);
    }
    hash.finalize().into()
}

#[cfg(test)]
mod tests {
    use std::sync::LazyLock;

    use proptest::prelude::*;

    use super::*;

    const DAY: Duration = Duration::from_secs(24 * 60 * 60);
    const NOW: Timestamp = Timestamp::from_micros(1_000_000);

    fn tokens(keys: &PageTokenKeys) -> PageTokenSealer<'_> {
        let age_max = 3 * DAY;
        PageTokenSealer { keys, age_max }
    }

    fn own() -> PageTokenSealer<'static> {
        static KEYS: LazyLock<PageTokenKeys> = LazyLock::new(|| PageTokenKeys::new([7; 32]));
        tokens(&KEYS)
    }

    fn cursor() -> PageCursor {
        PageCursor::from_bytes([9; PageCursor::LEN])
    }

    /// spec:95
    #[test]
    fn a_token_is_bound_to_its_list() {
        let query = ["projects/p", "", "a.A\nada"];
        let token = own().seal(cursor(), &query, NOW);
        assert_eq!(own().open(&token, &query, NOW).unwrap(), cursor());
        for other in [
            &["projects/q", "", "a.A\nada"] as &[&str],
            &["projects/p", "done = true", "a.A\nada"],
            &["projects/p", "", "a.A\nbob"],
            &["projects/", "p", "a.A\nada"],
            &["projects/p", ""],
        ] {
            let error = own().open(&token, other, NOW).unwrap_err();
            assert_eq!(error.code(), tonic::Code::InvalidArgument, "{other:?}");
        }
    }

    /// spec:96
    #[test]
    fn a_token_is_url_safe_unreadable_and_cannot_be_garbled() {
        let token = own().seal(cursor(), &["p"], NOW);
        let plain = |b: u8| b.is_ascii_alphanumeric() || b"-_".contains(&b);
        assert!(token.bytes().all(plain), "{token}");
        let bytes = BASE64_URL_SAFE_NO_PAD.decode(&token).unwrap();
        assert!(!bytes.windows(4).any(|four| four == [9; 4]), "{bytes:?}");
        for at in 0..token.len() {
            let mut garbled = token.clone();
            let other = if token[at..].starts_with('A') {
                "B"
            } else {
                "A"
            };
            garbled.replace_range(at..=at, other);
            assert!(own().open(&garbled, &["p"], NOW).is_err(), "{at}");
            assert!(own().open(&token[..at], &["p"], NOW).is_err(), "{at}");
        }
        assert!(own().open(&format!("{token}A"), &["p"], NOW).is_err());
        assert!(own().open(&format!("{token}="), &["p"], NOW).is_err());
    }

    /// spec:98
    #[test]
    fn tokens_are_good_on_every_replica_and_again() {
        let token = own().seal(cursor(), &["p"], NOW);
        let replica = own();
        for _ in 0..2 {
            assert_eq!(replica.open(&token, &["p"], NOW).unwrap(), cursor());
        }
    }

    #[test]
    fn keys_are_changed_without_losing_tokens() {
        let (old, new) = ([1; 32], [2; 32]);
        let stages = [
            PageTokenKeys::new(old),
            PageTokenKeys::new(old).accept(new),
            PageTokenKeys::new(new).accept(old),
            PageTokenKeys::new(new),
        ];
        let stages = stages.each_ref().map(tokens);
        for (at, maker) in stages.iter().enumerate() {
            let token = maker.seal(cursor(), &["p"], NOW);
            for (other, reader) in stages.iter().enumerate() {
                let near = at.abs_diff(other) <= 1;
                let open = reader.open(&token, &["p"], NOW).is_ok();
                assert!(open || !near, "{at} {other}");
            }
        }
        let token = stages[0].seal(cursor(), &["p"], NOW);
        assert!(stages[3].open(&token, &["p"], NOW).is_err());
        let shown = format!("{:?}", stages[1]);
        assert!(shown.contains("PageTokenKeys(2)"), "{shown}");
        assert!(!shown.contains("1, 1"), "{shown}");
    }

    /// spec:100
    #[test]
    fn a_token_grows_old() {
        let token = own().seal(cursor(), &["p"], NOW);
        let later = NOW.saturating_add(3 * DAY);
        assert!(own().open(&token, &["p"], later).is_ok());
        let later = later.saturating_add(Duration::from_micros(1));
        let error = own().open(&token, &["p"], later).unwrap_err();
        assert_eq!(error.code(), tonic::Code::InvalidArgument);
        assert!(error.message().contains("too old"), "{error}");
        // The clock of another replica may be behind.
        let earlier = Timestamp::from_micros(0);
        assert!(own().open(&token, &["p"], earlier).is_ok());
    }

    proptest! {
        /// spec:96
        #[test]
        fn arbitrary_tokens_are_rejected(token in "\\PC{0,200}|[A-Za-z0-9_-]{100,110}") {
            let error = own().open(&token, &["p"], NOW).unwrap_err();
            prop_assert_eq!(error.code(), tonic::Code::InvalidArgument);
        }

        /// spec:96
        #[test]
        fn bytes_behind_a_genuine_head_are_refused(tail in prop::collection::vec(any::<u8>(), LEN - NONCE)) {
            let token = own().seal(cursor(), &["p"], NOW);
            let mut bytes = BASE64_URL_SAFE_NO_PAD.decode(token).unwrap();
            bytes.splice(NONCE.., tail);
            let token = BASE64_URL_SAFE_NO_PAD.encode(bytes);
            prop_assert!(own().open(&token, &["p"], NOW).is_err());
        }
    }
}
