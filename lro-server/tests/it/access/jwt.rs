//! Bearer tokens that are JWTs.

// The tests of `lro-tests` take this module, too.
#[path = "jwt/grants.rs"]
mod grants;
#[path = "jwt/secrets.rs"]
mod secrets;

use std::sync::Arc;
use std::time::Duration;

use base64::prelude::{BASE64_URL_SAFE_NO_PAD, Engine as _};
use lro_core::pb::operations_server::Operations as _;
use lro_core::store::MemoryStore;
use lro_core::{Clock, pb};
use lro_server::access::jwt::jsonwebtoken::crypto::aws_lc::DEFAULT_PROVIDER;
use lro_server::access::jwt::jsonwebtoken::jwk::{
    AlgorithmParameters, CommonParameters, Jwk, JwkSet, KeyAlgorithm, OctetKeyParameters,
    OctetKeyType,
};
use lro_server::access::jwt::jsonwebtoken::{Algorithm, DecodingKey, EncodingKey};
use lro_server::access::jwt::{JwtAuthorizer, JwtAuthorizerBuilder, JwtKeys};
use lro_server::{Operations, ServiceSettings};
use lro_testing::ManualClock;
use tonic::{Code, Request, Status};
use tonic_types::StatusExt as _;

use crate::access::fixture::{SERVICE, Server};
use crate::access::transport::OperationsOver;

const SECRET: &[u8] = b"an hmac key of thirty-two bytes!";
const OTHER: &[u8] = b"another key, of thirty-two bytes";
const ISSUER: &str = "https://issuer.example";

fn clock() -> Arc<ManualClock> {
    Arc::new(ManualClock::new())
}

/// Seconds since the epoch by the clock that the tests begin with.
fn now() -> i64 {
    clock().now().as_micros() / 1_000_000
}

fn token(header: &str, claims: &str, algorithm: Algorithm, secret: &[u8]) -> String {
    let encode = |text: &str| BASE64_URL_SAFE_NO_PAD.encode(text);
    let message = format!("{}.{}", encode(header), encode(claims));
    let key = EncodingKey::from_secret(secret);
    let signer = (DEFAULT_PROVIDER.signer_factory)(&algorithm, &key).unwrap();
    let signature = signer.try_sign(message.as_bytes()).unwrap();
    format!("{message}.{}", BASE64_URL_SAFE_NO_PAD.encode(signature))
}

fn claims(more: &str) -> String {
    let exp = now() + 600;
    format!(r#"{{"iss":"{ISSUER}","aud":"exporter","exp":{exp},"sub":"ada"{more}}}"#)
}

fn good(more: &str) -> String {
    token(
        r#"{"alg":"HS256"}"#,
        &claims(more),
        Algorithm::HS256,
        SECRET,
    )
}

fn builder() -> JwtAuthorizerBuilder {
    let keys = JwtKeys::new().key(Algorithm::HS256, DecodingKey::from_secret(SECRET));
    JwtAuthorizer::builder(ISSUER, "exporter", keys)
        .algorithms([Algorithm::HS256])
        .parent("users/{sub}")
        .clock(clock())
}

fn service(authorizer: JwtAuthorizer) -> OperationsOver {
    let users = ServiceSettings::new(SERVICE)
        .permission_prefix("exporter")
        .parent("users/*".parse().unwrap());
    let builder = Operations::builder(MemoryStore::new()).bind(users);
    Server::new(builder.authorizer(authorizer).build()).service
}

async fn list(service: &OperationsOver, headers: &[&str]) -> Result<(), Status> {
    list_of(service, headers, "users/ada").await
}

async fn list_of(service: &OperationsOver, headers: &[&str], name: &str) -> Result<(), Status> {
    let mut request = Request::new(pb::ListOperationsRequest {
        name: name.to_owned(),
        ..Default::default()
    });
    for header in headers {
        let header = header.parse().unwrap();
        request.metadata_mut().append("authorization", header);
    }
    service.list_operations(request).await.map(|_| ())
}

fn bearer(token: &str) -> String {
    format!("Bearer {token}")
}

async fn refused(service: &OperationsOver, token: &str, cause: &str) {
    let error = list(service, &[&bearer(token)]).await.unwrap_err();
    assert_eq!(error.code(), Code::Unauthenticated, "{cause}: {error}");
    let info = error.get_details_error_info().unwrap();
    assert_eq!(info.reason, "UNAUTHENTICATED");
    assert_eq!(info.metadata["cause"], cause, "{error}");
}

#[tokio::test]
async fn a_good_token_is_good_and_one_header_carries_it() {
    let service = service(builder().grant(["exporter.operations.*"]).build().unwrap());
    let token = good("");
    list(&service, &[&bearer(&token)]).await.unwrap();
    list(&service, &[&format!("bEARER {token}")]).await.unwrap();
    for headers in [
        &[] as &[&str],
        &["Bearer"],
        &[&token],
        &[&format!("Basic {token}")],
        &[&bearer(&token), &bearer(&token)],
    ] {
        let error = list(&service, headers).await.unwrap_err();
        assert_eq!(error.code(), Code::Unauthenticated, "{headers:?}");
        assert_eq!(
            error.get_details_error_info().unwrap().metadata["cause"],
            "missing"
        );
    }
}

#[tokio::test]
async fn every_fault_of_a_token_has_its_own_error() {
    let service = service(builder().grant(["exporter.operations.*"]).build().unwrap());
    let hs256 = r#"{"alg":"HS256"}"#;
    let sign = |header: &str, claims: &str| token(header, claims, Algorithm::HS256, SECRET);
    let with = |from: &str, to: &str| sign(hs256, &claims("").replace(from, to));
    let exp = format!(r#""exp":{}"#, now() + 600);
    let until = |seconds: i64| with(&exp, &format!(r#""exp":{}"#, now() + seconds));
    let from = |seconds: i64| sign(hs256, &claims(&format!(r#","nbf":{}"#, now() + seconds)));
    for (token, cause) in [
        (String::new(), "missing"),
        ("a.b".to_owned(), "malformed"),
        ("a.b.c".to_owned(), "malformed"),
        ("x".repeat(9_000), "malformed"),
        (sign(hs256, "[]"), "malformed"),
        (
            sign(r#"{"alg":"HS256","crit":["b64"]}"#, &claims("")),
            "malformed",
        ),
        (sign(r#"{"alg":"none"}"#, &claims("")), "malformed"),
        (
            token(r#"{"alg":"HS512"}"#, &claims(""), Algorithm::HS512, SECRET),
            "algorithm",
        ),
        (sign(r#"{"alg":"RS256"}"#, &claims("")), "algorithm"),
        (
            token(hs256, &claims(""), Algorithm::HS256, OTHER),
            "signature",
        ),
        (format!("{}A", good("")), "signature"),
        (
            good("").rsplit_once('.').unwrap().0.to_owned() + ".",
            "signature",
        ),
        (with(ISSUER, "https://other.example"), "issuer"),
        (
            with(&format!("\"{ISSUER}\""), &format!("[\"{ISSUER}\"]")),
            "issuer",
        ),
        (with("\"exporter\"", "\"importer\""), "audience"),
        (with("\"exporter\"", "[]"), "audience"),
        (with(&exp, r#""x":1"#), "expired"),
        (with(&exp, r#""exp":"tomorrow""#), "expired"),
        (with(&exp, r#""exp":-1"#), "expired"),
        (until(-30), "expired"),
        (from(31), "early"),
        (sign(hs256, &claims(r#","nbf":"never""#)), "early"),
        (with("\"ada\"", "7"), "principal"),
        (with("\"ada\"", "\"\""), "principal"),
    ] {
        refused(&service, &token, cause).await;
    }
    for token in [
        until(-29),
        from(30),
        with("\"exporter\"", "[\"other\",\"exporter\"]"),
        sign(r#"{"alg":"HS256","kid":"any","typ":"JWT"}"#, &claims("")),
    ] {
        list(&service, &[&bearer(&token)]).await.unwrap();
    }
}

#[tokio::test]
async fn the_leeway_has_an_end() {
    let clock = clock();
    let authorizer = builder()
        .clock(clock.clone())
        .leeway(Duration::from_secs(3_600))
        .grant(["exporter.operations.*"]);
    let service = service(authorizer.build().unwrap());
    let token = good("");
    clock.advance(Duration::from_secs(600 + 58));
    list(&service, &[&bearer(&token)]).await.unwrap();
    clock.advance(Duration::from_secs(2));
    refused(&service, &token, "expired").await;
}

#[tokio::test]
async fn keys_are_chosen_by_id_and_algorithm_and_can_be_replaced() {
    let jwk = |id: &str, secret: &[u8], algorithm| Jwk {
        common: CommonParameters {
            key_id: Some(id.to_owned()),
            key_algorithm: Some(algorithm),
            ..Default::default()
        },
        algorithm: AlgorithmParameters::OctetKey(OctetKeyParameters {
            key_type: OctetKeyType::Octet,
            value: BASE64_URL_SAFE_NO_PAD.encode(secret),
        }),
    };
    let set = |keys| JwtKeys::new().jwk_set(&JwkSet { keys });
    let keys = set(vec![
        jwk("one", SECRET, KeyAlgorithm::HS256),
        jwk("two", OTHER, KeyAlgorithm::HS256),
        jwk("long", SECRET, KeyAlgorithm::HS512),
    ]);
    let authorizer = JwtAuthorizer::builder(ISSUER, "exporter", keys)
        .algorithms([Algorithm::HS256, Algorithm::HS512])
        .parent("users/{sub}")
        .grant(["exporter.operations.*"])
        .clock(clock());
    let authorizer = authorizer.build().unwrap();
    let service = service(authorizer.clone());
    let sign = |id: &str, secret: &[u8]| {
        let header = format!(r#"{{"alg":"HS256","kid":"{id}"}}"#);
        token(&header, &claims(""), Algorithm::HS256, secret)
    };
    list(&service, &[&bearer(&sign("one", SECRET))])
        .await
        .unwrap();
    list(&service, &[&bearer(&sign("two", OTHER))])
        .await
        .unwrap();
    list(&service, &[&bearer(&good(""))]).await.unwrap();
    for (id, secret) in [("one", OTHER), ("long", SECRET), ("three", SECRET)] {
        refused(&service, &sign(id, secret), "signature").await;
    }
    authorizer.replace_keys(set(vec![jwk("two", OTHER, KeyAlgorithm::HS256)]));
    refused(&service, &sign("one", SECRET), "signature").await;
    list(&service, &[&bearer(&sign("two", OTHER))])
        .await
        .unwrap();
}
