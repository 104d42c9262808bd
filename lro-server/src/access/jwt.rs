//! Authentication and authorization by JSON Web Tokens in the header `authorization: Bearer ..`.
//!
//! ```
//! use lro_core::store::MemoryStore;
//! use lro_server::access::jwt::jsonwebtoken::{Algorithm, DecodingKey};
//! use lro_server::access::jwt::{JwtAuthorizer, JwtKeys};
//! use lro_server::{Operations, ServiceSettings};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let secret = b"0123456789abcdef0123456789abcdef";
//! let keys = JwtKeys::new().key(Algorithm::HS256, DecodingKey::from_secret(secret));
//! let authorizer = JwtAuthorizer::builder("https://issuer.example", "exporter.example", keys)
//!     .algorithms([Algorithm::HS256])
//!     .parent("users/{sub}")
//!     .grant(["exporter.operations.*"])
//!     .build()?;
//! let exporter = ServiceSettings::new("google.example.v1.Exporter")
//!     .permission_prefix("exporter")
//!     .parent("users/*".parse()?);
//! let operations = Operations::builder(MemoryStore::new())
//!     .bind(exporter)
//!     .authorizer(authorizer.clone())
//!     .build();
//! // Later, when the issuer has other keys:
//! authorizer.replace_keys(JwtKeys::new());
//! # Ok(()) }
//! ```
//!
//! # Requirements on tokens
//!
//! A token must be signed by one of the keys, with an allowed algorithm of that key; have the right
//! issuer (`iss`) and audience (`aud`); and be neither expired (`exp`, which is required) nor used too
//! early (`nbf`), by the server's clock within the leeway. All other tokens are UNAUTHENTICATED. The
//! error names the failed requirement, and never contains a part of the token.
//!
//! # Permissions
//!
//! A token permits nothing by default. It needs both a permission, by
//! [`grant`](JwtAuthorizerBuilder::grant), [`grant_scope`](JwtAuthorizerBuilder::grant_scope) or a
//! [claim](JwtAuthorizerBuilder::permissions_claim), and a parent, which a
//! [template](JwtAuthorizerBuilder::parent) derives from its claims.
//!
//! The authorizer receives keys as values. The program fetches key sets from the issuer, and passes
//! new ones to [`JwtAuthorizer::replace_keys`].

mod builder;
mod claims;
mod error;
mod keys;

use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};

pub use jsonwebtoken;
use jsonwebtoken::crypto::aws_lc::DEFAULT_PROVIDER;
use jsonwebtoken::dangerous::insecure_decode_claims;
use lro_core::Reason;
use tonic::Status;

use super::{Access, Authorizer, Call, Caller, Principal, StartCall};
pub use builder::JwtAuthorizerBuilder;
use builder::Settings;
use claims::Claims;
pub use error::BuildError;
pub use keys::JwtKeys;

/// The longest token that is looked at, in bytes.
const TOKEN_LEN_MAX: usize = 8 * 1024;

/// An authorizer that verifies JSON Web Tokens. It is cheap to clone, and all clones share their
/// keys.
///
/// ```
/// use lro_server::access::jwt::jsonwebtoken::{Algorithm, DecodingKey};
/// use lro_server::access::jwt::{JwtAuthorizer, JwtKeys};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let secret = b"0123456789abcdef0123456789abcdef";
/// let keys = JwtKeys::new().key(Algorithm::HS256, DecodingKey::from_secret(secret));
/// let authorizer = JwtAuthorizer::builder("https://issuer.example", "exporter.example", keys)
///     .algorithms([Algorithm::HS256])
///     .any_parent()
///     .grant(["exporter.operations.*"])
///     .build()?;
/// # drop(authorizer);
/// # Ok(()) }
/// ```
///
/// The [module](self) has an example.
#[derive(Clone)]
pub struct JwtAuthorizer {
    settings: Arc<Settings>,
    keys: Arc<RwLock<Arc<JwtKeys>>>,
}

impl JwtAuthorizer {
    /// A builder for tokens of this issuer with this audience.
    pub fn builder(
        issuer: impl Into<String>,
        audience: impl Into<String>,
        keys: JwtKeys,
    ) -> JwtAuthorizerBuilder {
        JwtAuthorizerBuilder::new(issuer.into(), audience.into(), keys)
    }

    fn new(settings: Settings, keys: JwtKeys) -> Self {
        Self {
            settings: Arc::new(settings),
            keys: Arc::new(RwLock::new(Arc::new(keys))),
        }
    }

    /// Replaces all keys.
    pub fn replace_keys(&self, keys: JwtKeys) {
        *self.keys.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(keys);
    }

    fn verify(&self, token: &str) -> Result<Claims, Fault> {
        if token.len() > TOKEN_LEN_MAX {
            return Err(Fault::Malformed);
        }
        let header = jsonwebtoken::decode_header(token).map_err(|_| Fault::Malformed)?;
        // Extensions that have to be understood are not (RFC 7515, 4.1.11); nor is encryption.
        if header.crit.is_some() || header.enc.is_some() || header.zip.is_some() {
            return Err(Fault::Malformed);
        }
        if !self.settings.algorithms.contains(&header.alg) {
            return Err(Fault::Algorithm);
        }
        let (message, signature) = token.rsplit_once('.').ok_or(Fault::Malformed)?;
        let signature = keys::decode(signature).ok_or(Fault::Malformed)?;
        let keys = self.keys.read().unwrap_or_else(PoisonError::into_inner);
        let keys = keys.clone();
        let genuine = keys.of(header.alg, header.kid.as_deref()).any(|key| {
            // This backend by name: which one a program installs for itself is its own business.
            let verifier = (DEFAULT_PROVIDER.verifier_factory)(&header.alg, key);
            verifier.is_ok_and(|it| it.verify(message.as_bytes(), &signature).is_ok())
        });
        if !genuine {
            return Err(Fault::Signature);
        }
        // The signature is good, so the claims may be read; they are checked here, by our clock.
        let claims: Claims = insecure_decode_claims(token).map_err(|_| Fault::Malformed)?;
        self.settings.check(&claims)?;
        Ok(claims)
    }
}

#[tonic::async_trait]
impl Authorizer for JwtAuthorizer {
    async fn authenticate(&self, caller: &Caller<'_>) -> Result<Principal, Status> {
        let token = bearer(caller).map_err(Fault::status)?;
        let claims = self.verify(token).map_err(Fault::status)?;
        let name = claims.text(&self.settings.principal_claim);
        let name = name.ok_or_else(|| Fault::Principal.status())?;
        let scopes = claims.scopes();
        let grants = self.settings.grants(&claims, &scopes);
        Ok(Principal::new(name)
            .with_scopes(scopes)
            .with(Arc::new(grants)))
    }

    async fn authorize(&self, call: &Call<'_>) -> Result<Access, Status> {
        let grants = call.principal().get::<Arc<Grants>>();
        Ok(Access::allowed_if(grants.is_some_and(|grants| {
            grants.permit(call.permission()) && grants.reach(|parent| call.is_within(parent))
        })))
    }

    async fn authorize_start(&self, start: &StartCall<'_>) -> Result<Access, Status> {
        let grants = start.principal().get::<Arc<Grants>>();
        let reach = grants.is_some_and(|it| it.reach(|parent| start.is_within(parent)));
        Ok(Access::allowed_if(reach))
    }
}

/// Shows the issuer, the audience, and how many keys there are.
impl fmt::Debug for JwtAuthorizer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let keys = self.keys.read().unwrap_or_else(PoisonError::into_inner);
        f.debug_struct("JwtAuthorizer")
            .field("issuer", &self.settings.issuer)
            .field("audience", &self.settings.audience)
            .field("keys", &*keys)
            .finish_non_exhaustive()
    }
}

/// The rights that a token grants.
struct Grants {
    permissions: Vec<String>,
    parents: Vec<String>,
    any_parent: bool,
}

impl Grants {
    fn permit(&self, permission: &str) -> bool {
        self.permissions.iter().any(|granted| {
            granted == permission
                || granted
                    .strip_suffix('*')
                    .is_some_and(|stem| stem.ends_with('.') && permission.starts_with(stem))
        })
    }

    fn reach(&self, within: impl Fn(&str) -> bool) -> bool {
        self.any_parent || self.parents.iter().any(|parent| within(parent))
    }
}

/// The fault of a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fault {
    Missing,
    Malformed,
    Algorithm,
    Signature,
    Issuer,
    Audience,
    Expired,
    Early,
    Principal,
}

impl Fault {
    fn status(self) -> Status {
        let (cause, message) = match self {
            Self::Missing => ("missing", "one header `authorization: Bearer ..` is needed"),
            Self::Malformed => ("malformed", "the bearer token is malformed"),
            Self::Algorithm => ("algorithm", "the bearer token's algorithm is not allowed"),
            Self::Signature => ("signature", "the bearer token is not signed by a known key"),
            Self::Issuer => ("issuer", "the bearer token is of another issuer"),
            Self::Audience => ("audience", "the bearer token is for another audience"),
            Self::Expired => ("expired", "the bearer token has expired, or never does"),
            Self::Early => ("early", "the bearer token is not valid yet"),
            Self::Principal => ("principal", "the bearer token names no principal"),
        };
        Reason::Unauthenticated.status(message, [("cause", cause)])
    }
}

fn bearer<'a>(caller: &Caller<'a>) -> Result<&'a str, Fault> {
    let header = caller.header("authorization").ok_or(Fault::Missing)?;
    let (scheme, token) = header.split_once(' ').ok_or(Fault::Missing)?;
    // HTTP/1.1 drops the blanks at the end of a header.
    let token = token.trim_matches(' ');
    match scheme.eq_ignore_ascii_case("bearer") && !token.is_empty() {
        true => Ok(token),
        false => Err(Fault::Missing),
    }
}
