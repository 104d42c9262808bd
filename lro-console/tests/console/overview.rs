//! The overview, and what it tells whom.

use std::time::Duration;

use http::header::HOST;
use http::{Request, StatusCode};
use http_body_util::Full;
use lro_server::access::{
    Access, Authorizer, Call, Caller, InspectionCall, InspectionPermission, Principal,
};
use tonic::Status;

use crate::fixture::{Fixture, get, send};

#[tokio::test]
async fn each_figure_says_what_it_is_of() {
    let fixture = Fixture::new();
    fixture.every_state().await;
    let page = get(&fixture.console(), "/overview").await;
    assert_eq!(page.status, StatusCode::OK);
    for text in [
        "All processes, now",
        "This process, last hour",
        "Exporter/Export",
        // Two wait, and two run.
        "state=pending\">2</a>",
        "state=running\">2</a>",
        "2 ended, 1 of them failed; at most 1 in a minute",
        "50.0 %",
        "Queued and running: all processes",
        "Rates and times: this process only",
        "No other process uses the store.",
        "None: operations that start now wait for one.",
    ] {
        assert!(page.text.contains(text), "{text}\n{}", page.text);
    }
}

#[tokio::test]
async fn an_operation_that_takes_longer_than_others_is_slow() {
    let fixture = Fixture::new();
    for _ in 0..20 {
        let name = fixture.running(1, 0).await;
        fixture.clock.advance(Duration::from_secs(60));
        fixture.finish(&name, Fixture::response()).await;
    }
    let name = fixture.running(0, 0).await;
    let console = fixture.console();
    let path = format!("/operation?name={name}");
    fixture.clock.advance(Duration::from_secs(20));
    fixture.progress(&name, 0, 0).await;
    let page = get(&console, &path).await;
    assert!(page.text.contains("about 40 s left"), "{}", page.text);
    assert!(!page.text.contains("badge slow"));
    fixture.clock.advance(Duration::from_secs(80));
    fixture.progress(&name, 1, 2).await;
    let page = get(&console, &path).await;
    let slow = "usual is 1m00s, and 95 of 100 took at most 1m00s; of the last 20 of its method";
    assert!(page.text.contains(slow), "{}", page.text);
    assert!(page.text.contains("about 2 min left"), "{}", page.text);
    // Without its worker it makes no progress, and nothing tells how long it will take.
    fixture.clock.advance(Duration::from_secs(21));
    let page = get(&console, &path).await;
    assert!(page.text.contains("<b>Worker lost</b> (its lease expired "));
    assert!(!page.text.contains(" left<"), "{}", page.text);
    assert!(!page.text.contains("badge slow"), "{}", page.text);
}

/// Knows its callers, none of whom is an operator.
#[derive(Debug)]
struct NoOperators;

#[tonic::async_trait]
impl Authorizer for NoOperators {
    async fn authenticate(&self, _caller: &Caller<'_>) -> Result<Principal, Status> {
        Ok(Principal::new("ada"))
    }

    async fn authorize(&self, _call: &Call<'_>) -> Result<Access, Status> {
        Ok(Access::Allowed)
    }

    async fn authorize_inspection(&self, call: &InspectionCall<'_>) -> Result<Access, Status> {
        let permission = call.permission();
        Ok(Access::allowed_if(
            permission == InspectionPermission::Inspect,
        ))
    }
}

#[tokio::test]
async fn rates_and_workers_are_for_operators() {
    let fixture = Fixture::guarded(NoOperators);
    fixture.every_state().await;
    let get = async |path: &str| {
        let request = Request::get(path).header(HOST, "ops.example");
        send(&fixture.console(), request.body(Full::default()).unwrap()).await
    };
    let page = get("/overview").await;
    assert_eq!(page.status, StatusCode::OK);
    for text in ["state=pending\">2</a>", "The workers are missing: "] {
        assert!(page.text.contains(text), "{text}\n{}", page.text);
    }
    assert!(!page.text.contains("sparkline") && !page.text.contains("This process, last hour"));
    let running = fixture.running(1, 2).await;
    for _ in 0..9 {
        let name = fixture.running(1, 0).await;
        fixture.finish(&name, Fixture::response()).await;
    }
    fixture.clock.advance(Duration::from_secs(600));
    fixture.progress(&running, 1, 2).await;
    let page = get(&format!("/operation?name={running}")).await;
    // Its own progress tells what is left; what others took is for operators.
    assert!(page.text.contains("about 10 min left"), "{}", page.text);
    assert!(!page.text.contains("badge slow"));
    // Neither is the worker named.
    assert!(!page.text.contains("00000000-0000-0000-0000-000000000007"));
}
