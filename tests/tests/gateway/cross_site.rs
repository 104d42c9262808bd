//! Requests that pages of other sites make through a visitor's browser, on a served gateway.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use lro_server::access::{Access, Authorizer, Call, Caller, Principal};
use tonic::Status;

use crate::served::{Served, gateway};

/// Allows everything, and counts its questions.
#[derive(Clone, Debug, Default)]
struct Counting(Arc<AtomicUsize>);

#[tonic::async_trait]
impl Authorizer for Counting {
    async fn authenticate(&self, _: &Caller<'_>) -> Result<Principal, Status> {
        self.0.fetch_add(1, Ordering::SeqCst);
        Ok(Principal::default())
    }

    async fn authorize(&self, _: &Call<'_>) -> Result<Access, Status> {
        self.0.fetch_add(1, Ordering::SeqCst);
        Ok(Access::Allowed)
    }
}

const UI: &str = "https://ui.example";
const EVIL: &str = "https://evil.example";

/// gateway:46 report:W1
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pages_of_other_sites_change_nothing_and_reach_no_authorizer() {
    let authorizer = Counting::default();
    let asked = authorizer.0.clone();
    let allowing = |services: &_| gateway(services).allow_origin(UI);
    let served = Served::start(|builder| builder.authorizer(authorizer), allowing).await;
    let name = served.export("endless").await;
    let path = format!("/v1/{name}");
    let own = format!("http://{}", served.address);
    let before = asked.load(Ordering::SeqCst);
    for headers in [
        &[("sec-fetch-site", "cross-site")][..],
        &[("sec-fetch-site", "same-site")],
        &[("origin", EVIL)],
        &[("origin", "null")],
        &[("origin", &*own), ("sec-fetch-site", "cross-site")],
        &[("origin", EVIL), ("sec-fetch-site", "same-origin")],
    ] {
        for (method, path, body) in [
            ("POST", format!("{path}:cancel"), ""),
            ("POST", format!("{path}:cancel"), "{}"),
            ("POST", "/v1/exports".to_owned(), r#"{"tables":["a"]}"#),
            ("DELETE", path.clone(), ""),
        ] {
            let refused = served.send_with(method, &path, body, headers).await;
            assert_eq!(refused.status, 403, "{method} {path} {headers:?}");
            assert!(!refused.headers.contains_key("access-control-allow-origin"));
        }
    }
    assert_eq!(asked.load(Ordering::SeqCst), before);
    assert!(
        !served
            .operations
            .get(&name.parse().unwrap())
            .await
            .unwrap()
            .done
    );

    // Reading is what the same-origin policy of browsers guards, and it needs consent.
    let read = served
        .send_with("GET", &path, "", &[("origin", EVIL)])
        .await;
    assert_eq!(read.status, 200);
    assert!(!read.headers.contains_key("access-control-allow-origin"));
    for headers in [
        &[][..],
        &[("origin", &*own), ("sec-fetch-site", "same-origin")],
        &[("sec-fetch-site", "none")],
        &[("origin", UI), ("sec-fetch-site", "cross-site")],
    ] {
        let cancelled = served
            .send_with("POST", &format!("{path}:cancel"), "", headers)
            .await;
        assert_eq!(cancelled.status, 200, "{headers:?}");
    }
    served.stop().await;
}

/// gateway:143
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_preflight_reaches_no_authorizer_and_cors_is_off_by_default() {
    let preflight = [("origin", UI), ("access-control-request-method", "POST")];
    let authorizer = Counting::default();
    let asked = authorizer.0.clone();
    let allowing = |services: &_| gateway(services).allow_origin(UI);
    let served = Served::start(|builder| builder.authorizer(authorizer), allowing).await;
    let answer = served
        .send_with("OPTIONS", "/v1/exports", "", &preflight)
        .await;
    assert_eq!(answer.headers["access-control-allow-origin"], UI);
    assert_eq!(asked.load(Ordering::SeqCst), 0);
    served.stop().await;

    let served = Served::start(|builder| builder, gateway).await;
    for (method, path) in [("OPTIONS", "/v1/exports"), ("GET", "/v1/operations")] {
        let answer = served.send_with(method, path, "", &preflight).await;
        for (name, _) in &answer.headers {
            assert!(!name.as_str().starts_with("access-control-"), "{name}");
        }
    }
    served.stop().await;
}
