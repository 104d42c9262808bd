// Properties of every JSON Web Token; shared with the fuzz target.

use std::sync::{Arc, LazyLock};

use base64::prelude::{BASE64_URL_SAFE_NO_PAD, Engine as _};
use lro_core::store::MemoryStore;
use lro_core::{Clock, Timestamp};
use lro_server::Operations;
use lro_server::access::Principal;
use lro_server::access::jwt::jsonwebtoken::crypto::aws_lc::DEFAULT_PROVIDER;
use lro_server::access::jwt::jsonwebtoken::{Algorithm, DecodingKey, EncodingKey};
use lro_server::access::jwt::{JwtAuthorizer, JwtKeys};
use tokio::runtime::{Builder, Runtime};
use tonic::metadata::MetadataValue;
use tonic::{Code, Request, Status};
use tonic_types::StatusExt as _;

const SECRET: &[u8] = b"an hmac key of thirty-two bytes!";
const HEADER: &str = r#"{"alg":"HS256"}"#;
const GOOD: &str = r#"{"iss":"https://issuer.example","aud":"exporter","exp":2000,"sub":"ada"}"#;

/// 1000 seconds after the epoch, for ever.
#[derive(Debug)]
struct Still;

impl Clock for Still {
    fn now(&self) -> Timestamp {
        Timestamp::from_micros(1_000_000_000)
    }
}

struct Fixture {
    runtime: Runtime,
    operations: Operations,
}

static FIXTURE: LazyLock<Fixture> = LazyLock::new(|| {
    let runtime = Builder::new_current_thread().build();
    let keys = JwtKeys::new().key(Algorithm::HS256, DecodingKey::from_secret(SECRET));
    let authorizer = JwtAuthorizer::builder("https://issuer.example", "exporter", keys)
        .algorithms([Algorithm::HS256])
        .parent("users/{sub}")
        .permissions_claim("permissions")
        .clock(Arc::new(Still));
    let authorizer = authorizer.build().expect("these are good settings");
    let operations = Operations::builder(MemoryStore::new()).authorizer(authorizer);
    Fixture {
        runtime: runtime.expect("there is a runtime"),
        operations: operations.build(),
    }
});

static GENUINE: LazyLock<String> = LazyLock::new(|| signed(HEADER, GOOD));

/// Calls with the text as the header; as the claims of a genuine token; and with its first line as
/// the header of one and the rest as the claims.
///
/// # Panics
///
/// If an unsigned token is accepted, or the rejection of a token is not UNAUTHENTICATED.
pub(crate) fn ask(text: &str) {
    assert!(call(text).is_none(), "unsigned: {text:?}");
    assert!(call(&format!("Bearer {text}")).is_none());
    assert_eq!(call(&GENUINE).as_deref(), Some("ada"));
    let lines = text.split_once('\n').unwrap_or((HEADER, text));
    for (header, claims) in [(HEADER, text), lines, (lines.0, GOOD)] {
        if let Some(name) = call(&signed(header, claims)) {
            assert!(!name.is_empty(), "{header} {claims}");
        }
    }
    // Nor is a genuine token good with another signature.
    let (message, signature) = GENUINE.rsplit_once('.').expect("it has a signature");
    let caller = call(&format!("{message}.{text}"));
    assert!(
        caller.is_none() || text == signature,
        "signed with {text:?}"
    );
}

/// The principal that this header authenticates, if any.
fn call(header: &str) -> Option<String> {
    let mut request = Request::new(());
    let value = MetadataValue::try_from(header).ok()?;
    request.metadata_mut().insert("authorization", value);
    let Fixture {
        runtime,
        operations,
    } = &*FIXTURE;
    let principal: Result<Principal, Status> = runtime.block_on(operations.principal(&request));
    match principal {
        Ok(principal) => Some(principal.name().to_owned()),
        Err(status) => {
            assert_eq!(status.code(), Code::Unauthenticated, "{status}");
            let info = status.get_details_error_info().expect("it says why");
            assert!(!info.metadata["cause"].is_empty());
            None
        }
    }
}

fn signed(header: &str, claims: &str) -> String {
    let encode = |text: &str| BASE64_URL_SAFE_NO_PAD.encode(text);
    let message = format!("{}.{}", encode(header), encode(claims));
    let key = EncodingKey::from_secret(SECRET);
    let signer = (DEFAULT_PROVIDER.signer_factory)(&Algorithm::HS256, &key);
    let signature = signer
        .expect("it is such a key")
        .try_sign(message.as_bytes());
    let signature = BASE64_URL_SAFE_NO_PAD.encode(signature.expect("it signs"));
    format!("Bearer {message}.{signature}")
}
