use std::sync::{Arc, Mutex};

use base64::prelude::{BASE64_URL_SAFE_NO_PAD, Engine as _};
use lro_server::access::jwt::jsonwebtoken::Algorithm;

use super::{OTHER, SECRET, bearer, builder, claims, good, list_of, now, service, token};

#[tokio::test]
async fn tokens_and_keys_are_never_shown() {
    /// Collects what is logged.
    #[derive(Clone, Default)]
    struct Log(Arc<Mutex<Vec<u8>>>);
    impl std::io::Write for Log {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().extend(bytes);
            Ok(bytes.len())
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
    let log = Log::default();
    let writer = log.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing_subscriber::filter::LevelFilter::TRACE)
        .with_writer(move || writer.clone())
        .finish();
    let _guard = tracing::subscriber::set_default(subscriber);

    let authorizer = builder()
        .grant(["exporter.operations.list"])
        .build()
        .unwrap();
    let mut shown = format!("{authorizer:?} {:#?}", builder());
    let service = service(authorizer);
    let planted = r#","secret":"planted""#;
    let good = good(planted);
    let forged = token(
        r#"{"alg":"HS256"}"#,
        &claims(planted),
        Algorithm::HS256,
        OTHER,
    );
    let expired = claims(planted).replace(&(now() + 600).to_string(), "1");
    let expired = token(r#"{"alg":"HS256"}"#, &expired, Algorithm::HS256, SECRET);
    for token in [&good, &forged, &expired, &format!("{good}.x")] {
        for name in ["users/ada", "users/bob", "!!"] {
            if let Err(error) = list_of(&service, &[&bearer(token)], name).await {
                shown += &format!("{error:?} {error}");
                shown += &String::from_utf8_lossy(error.details());
            }
        }
    }
    tracing::info!("the log is being kept");
    shown += &String::from_utf8_lossy(&log.0.lock().unwrap());
    assert!(shown.contains("the log is being kept"));
    assert!(
        shown.contains("permission `exporter.operations.list` denied"),
        "{shown}"
    );
    for secret in [&good, &forged, &expired] {
        for part in secret.split('.') {
            let leaked = shown.contains(part) && part.len() > 20;
            // The header is the same for everybody, and no secret, but is not shown either.
            assert!(!leaked, "{part} in {shown}");
        }
    }
    for secret in [
        "planted",
        "an hmac key",
        &BASE64_URL_SAFE_NO_PAD.encode(SECRET),
    ] {
        assert!(!shown.contains(secret), "{secret}");
    }
    assert!(!shown.contains(&format!("{:?}", &SECRET[..4]).replace(['[', ']'], "")));
}
