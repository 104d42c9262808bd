//! Permissions, and requests that are not answered at all.

use http::header::{HOST, ORIGIN};
use http::{Request, StatusCode};
use http_body_util::Full;
use lro_console::Console;
use lro_core::store::OperationStore as _;
use lro_server::access::{Access, Authorizer, Call, Caller, Principal};
use tokio::net::TcpListener;
use tonic::Status;

use crate::fixture::{Fixture, Page, body_of, get, post, send};

/// Callers named in a header: `admin` may do anything, `reader` only read.
#[derive(Debug)]
struct ByHeader;

#[tonic::async_trait]
impl Authorizer for ByHeader {
    async fn authenticate(&self, caller: &Caller<'_>) -> Result<Principal, Status> {
        let user = caller.header("user");
        user.map(Principal::new)
            .ok_or_else(|| Status::unauthenticated("no user"))
    }

    async fn authorize(&self, call: &Call<'_>) -> Result<Access, Status> {
        Ok(match call.principal().name() {
            "admin" => Access::Allowed,
            "reader" => Access::allowed_if(call.method().is_read_only()),
            _ => Access::Denied,
        })
    }
}

async fn get_as(console: &Console, user: &str, path: &str) -> Page {
    let request = Request::get(path)
        .header("user", user)
        .header(HOST, "ops.example");
    send(console, request.body(Full::default()).unwrap()).await
}

#[tokio::test]
async fn visitors_have_the_permissions_of_callers() {
    let fixture = Fixture::guarded(ByHeader);
    let name = fixture.running(1, 2).await;
    let console = fixture.console();
    let path = format!("/operation?name={name}");
    let anonymous = get(&console, "/").await;
    assert_eq!(anonymous.status, StatusCode::UNAUTHORIZED);
    assert!(anonymous.text.contains("Not signed in"));
    let outsider = get_as(&console, "mallory", &path).await;
    assert_eq!(outsider.status, StatusCode::FORBIDDEN);
    assert!(!outsider.text.contains("tables_done"));
    let reader = get_as(&console, "reader", &path).await;
    assert_eq!(reader.status, StatusCode::OK);
    assert_eq!(
        reader
            .text
            .matches("disabled aria-describedby=\"why-")
            .count(),
        3
    );
    assert!(
        reader.text.contains("operations.cancel` denied"),
        "{}",
        reader.text
    );
    // GetOperation does not return requests, so the console shows none either.
    assert!(!reader.text.contains("orders"));
    let told = get_as(&console.clone().show_requests(true), "reader", &path).await;
    assert!(told.text.contains("orders"));
    let admin = get_as(&console, "admin", &path).await;
    assert!(!admin.text.contains("why-cancel"));

    let record = fixture.store.get(&name).await.unwrap().unwrap();
    let chosen = format!("{} {name}", record.uid);
    let form = [("action", "delete"), ("operation", &*chosen)];
    let request = |user: &str| {
        let request = Request::post("/act")
            .header("user", user)
            .header(HOST, "ops.example")
            .header("sec-fetch-site", "same-origin");
        request.body(body_of(&form)).unwrap()
    };
    let refused = send(&console, request("reader")).await;
    assert_eq!(refused.status, StatusCode::FORBIDDEN);
    assert!(fixture.store.get(&name).await.unwrap().is_some());
    let done = send(&console, request("admin")).await;
    assert_eq!(done.status, StatusCode::SEE_OTHER);
    assert!(fixture.store.get(&name).await.unwrap().is_none());
}

/// console:6
#[tokio::test]
async fn only_pages_of_the_console_change_anything() {
    let fixture = Fixture::new();
    let name = fixture.pending().await;
    let console = fixture.console();
    let record = fixture.store.get(&name).await.unwrap().unwrap();
    let chosen = format!("{} {name}", record.uid);
    let form = [("action", "cancel"), ("operation", &*chosen)];
    for headers in [
        &[][..],
        &[
            ("sec-fetch-site", "cross-site"),
            ("origin", "http://localhost"),
        ],
        &[("sec-fetch-site", "none")],
        &[("origin", "https://evil.example")],
        &[("origin", "null")],
    ] {
        let mut request = Request::post("/act").header(HOST, "localhost");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let answer = send(&console, request.body(body_of(&form)).unwrap()).await;
        assert_eq!(answer.status, StatusCode::FORBIDDEN, "{headers:?}");
    }
    assert!(
        fixture
            .store
            .get(&name)
            .await
            .unwrap()
            .unwrap()
            .cancel_time
            .is_none()
    );
    let own = Request::post("/act")
        .header(HOST, "localhost:8080")
        .header(ORIGIN, "http://localhost:8080");
    let answer = send(&console, own.body(body_of(&form)).unwrap()).await;
    assert_eq!(answer.status, StatusCode::SEE_OTHER);
}

/// console:6
#[tokio::test]
async fn without_an_authorizer_only_loopback_hosts_are_answered() {
    let fixture = Fixture::new();
    let of_host = async |console: &Console, host: &str| {
        let request = Request::get("/").header(HOST, host);
        send(console, request.body(Full::default()).unwrap())
            .await
            .status
    };
    let console = fixture.console();
    assert_eq!(of_host(&console, "127.0.0.1:80").await, StatusCode::OK);
    assert_eq!(
        of_host(&console, "rebound.example").await,
        StatusCode::FORBIDDEN
    );
    let allowing = fixture.console().allow_host("ops.example");
    assert_eq!(of_host(&allowing, "ops.example").await, StatusCode::OK);
    let open = fixture.console().allow_anonymous();
    assert_eq!(of_host(&open, "ops.example").await, StatusCode::OK);

    let listener = TcpListener::bind("0.0.0.0:0").await.unwrap();
    let refused = fixture
        .console()
        .serve(listener, async {})
        .await
        .unwrap_err();
    assert!(refused.to_string().contains("allow_anonymous"), "{refused}");
    let listener = TcpListener::bind("0.0.0.0:0").await.unwrap();
    open.serve(listener, async {}).await.unwrap();
}

#[tokio::test]
async fn a_read_only_console_has_no_routes_that_change_anything() {
    let fixture = Fixture::new();
    let name = fixture.running(1, 2).await;
    let console = fixture.console().read_only(true);
    let of_operation = format!("/operation?name={name}");
    for path in ["/", &*of_operation] {
        let page = get(&console, path).await;
        assert!(page.text.contains("Read only"));
        assert!(
            !page.text.contains("Cancel…") && !page.text.contains("checkbox"),
            "{path}"
        );
    }
    for path in ["/confirm", "/act"] {
        let form = [("action", "cancel"), ("operation", name.as_str())];
        let answer = post(&console, path, &form).await;
        assert_eq!(answer.status, StatusCode::NOT_FOUND);
    }
}

#[tokio::test]
async fn every_answer_has_the_headers() {
    let fixture = Fixture::new();
    fixture.pending().await;
    let console = fixture.console();
    let list = get(&console, "/").await;
    let style = list.text.split("href=\"./console.").nth(1).unwrap();
    let style = format!("/console.{}", style.split('"').next().unwrap());
    for path in [
        "/",
        "/nothing",
        "/settings",
        &style,
        "/operation.json?name=operations/no",
    ] {
        let page = get(&console, path).await;
        let header = |name: &str| page.headers[name].to_str().unwrap();
        let policy = header("content-security-policy");
        assert!(
            policy.starts_with("default-src 'none'") && policy.ends_with("trusted-types 'none'")
        );
        assert!(!policy.contains("unsafe") && !policy.contains('*'));
        assert_eq!(header("x-content-type-options"), "nosniff");
        assert_eq!(header("referrer-policy"), "same-origin");
        assert_eq!(header("cross-origin-opener-policy"), "same-origin");
        let cache = if path == style {
            "immutable"
        } else {
            "no-store"
        };
        assert!(header("cache-control").contains(cache), "{path}");
        // Nothing inline, nothing from elsewhere, nothing that depends on where it is mounted.
        assert!(!page.text.contains("style=\"") && !page.text.contains(" onclick"));
        assert!(!page.text.contains("href=\"/") && !page.text.contains("src=\"/"));
    }
    let packed = Request::get("/")
        .header(HOST, "localhost")
        .header("accept-encoding", "gzip");
    let packed = send(&console, packed.body(Full::default()).unwrap()).await;
    assert_eq!(packed.headers["content-encoding"], "gzip");
}
