use std::fmt;

use base64::prelude::{BASE64_URL_SAFE_NO_PAD, Engine as _};
use jsonwebtoken::jwk::{JwkSet, PublicKeyUse};
use jsonwebtoken::{Algorithm, DecodingKey};

/// The keys of valid tokens: single keys, or a JWK set.
///
/// ```
/// use lro_server::access::jwt::JwtKeys;
/// use lro_server::access::jwt::jsonwebtoken::{Algorithm, DecodingKey};
///
/// # let secret = b"0123456789abcdef0123456789abcdef";
/// let keys = JwtKeys::new().key(Algorithm::HS256, DecodingKey::from_secret(secret));
/// ```
#[derive(Clone, Default)]
#[must_use]
pub struct JwtKeys {
    keys: Vec<KnownKey>,
}

#[derive(Clone)]
struct KnownKey {
    id: Option<String>,
    algorithms: Vec<Algorithm>,
    key: DecodingKey,
}

impl JwtKeys {
    /// No keys: all tokens are refused.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a key for tokens of this algorithm, whatever key id (`kid`) they name.
    pub fn key(mut self, algorithm: Algorithm, key: DecodingKey) -> Self {
        self.keys.push(KnownKey {
            id: None,
            algorithms: vec![algorithm],
            key,
        });
        self
    }

    /// Adds the signature keys of a set, except those of unknown kinds. A key with a `kid` applies
    /// to tokens that name it; a key without `alg` applies to every algorithm of its kind.
    pub fn jwk_set(mut self, set: &JwkSet) -> Self {
        for jwk in &set.keys {
            let common = &jwk.common;
            let signs = matches!(&common.public_key_use, None | Some(PublicKeyUse::Signature));
            let Some(key) = DecodingKey::from_jwk(jwk).ok().filter(|_| signs) else {
                tracing::debug!(kid = common.key_id, "skipping a key of the JWK set");
                continue;
            };
            let algorithms = match common.key_algorithm {
                Some(algorithm) => Algorithm::try_from(algorithm).into_iter().collect(),
                None => key.family().algorithms().to_vec(),
            };
            self.keys.push(KnownKey {
                id: common.key_id.clone(),
                algorithms,
                key,
            });
        }
        self
    }

    /// Those that a token may be signed with.
    pub(super) fn of<'a>(
        &'a self,
        algorithm: Algorithm,
        id: Option<&'a str>,
    ) -> impl Iterator<Item = &'a DecodingKey> {
        let fits = move |known: &&KnownKey| {
            let named = match (&known.id, id) {
                (Some(known), Some(id)) => known == id,
                _ => true,
            };
            named
                && known.algorithms.contains(&algorithm)
                && known.key.family() == algorithm.family()
        };
        self.keys.iter().filter(fits).map(|known| &known.key)
    }
}

/// Shows the keys' ids.
impl fmt::Debug for JwtKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ids = self.keys.iter().map(|key| &key.id);
        f.debug_list().entries(ids).finish()
    }
}

pub(super) fn decode(text: &str) -> Option<Vec<u8>> {
    BASE64_URL_SAFE_NO_PAD.decode(text).ok()
}
