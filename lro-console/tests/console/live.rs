//! Streams of changes.

use std::time::Duration;

use http::header::HOST;
use http::{Request, Response, StatusCode};
use http_body_util::BodyExt as _;
use lro_console::Console;
use lro_core::OperationName;
use lro_core::store::Command;
use tonic::body::Body;
use tower::ServiceExt as _;

use crate::fixture::{Fixture, body_of, post};

/// A stream, and what of it was not used yet.
pub(crate) struct Stream {
    body: Body,
    text: String,
}

impl Stream {
    pub(crate) async fn open(console: &Console, form: &[(&str, &str)]) -> Self {
        let mut stream = Self::begin(console, form).await;
        assert_eq!(stream.event().await.0, "open");
        stream
    }

    pub(crate) async fn begin(console: &Console, form: &[(&str, &str)]) -> Self {
        let response = open(console, form).await;
        assert_eq!(response.status(), StatusCode::OK);
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        assert_eq!(response.headers()["x-accel-buffering"], "no");
        Self {
            body: response.into_body(),
            text: String::new(),
        }
    }

    /// The next event and its data.
    pub(crate) async fn event(&mut self) -> (String, serde_json::Value) {
        loop {
            if let Some((event, rest)) = self.text.split_once("\n\n") {
                let field = |name: &str| {
                    let line = event.lines().find_map(|line| line.strip_prefix(name));
                    line.map(ToOwned::to_owned)
                };
                let found = field("event: ").zip(field("data: "));
                self.text = rest.to_owned();
                if let Some((kind, data)) = found {
                    return (kind, serde_json::from_str(&data).unwrap());
                }
                continue;
            }
            let frame = tokio::time::timeout(Duration::from_secs(60), self.body.frame());
            let frame = frame.await.unwrap().expect("the stream continues").unwrap();
            let data = frame.into_data().unwrap();
            self.text.push_str(std::str::from_utf8(&data).unwrap());
        }
    }

    pub(crate) async fn rows(&mut self) -> serde_json::Value {
        loop {
            let (kind, data) = self.event().await;
            if kind == "rows" && data != serde_json::json!([]) {
                return data;
            }
        }
    }
}

async fn open(console: &Console, form: &[(&str, &str)]) -> Response<Body> {
    let request = Request::post("/events")
        .header(HOST, "localhost")
        .header("sec-fetch-site", "same-origin");
    let request = request.body(body_of(form)).unwrap();
    console.clone().oneshot(request).await.unwrap()
}

fn choose(name: &OperationName) -> String {
    format!(" {name}")
}

#[tokio::test]
async fn rows_change_when_their_operations_do() {
    let fixture = Fixture::new();
    let name = fixture.running(5, 8).await;
    let other = fixture.running(1, 8).await;
    let console = fixture.console();
    let mut stream = Stream::open(&console, &[("operation", &choose(&name))]).await;
    let first = stream.rows().await;
    assert_eq!(first[0]["percent"], 62);
    fixture.progress(&other, 2, 8).await;
    fixture.progress(&name, 6, 8).await;
    let update = stream.rows().await;
    assert_eq!(update[0]["note"], "75 %, 6 of 8 tables");
    assert_eq!(
        update.as_array().unwrap().len(),
        1,
        "only what the tab shows"
    );
    fixture.finish(&name, Fixture::response()).await;
    assert_eq!(stream.rows().await[0]["state"], "SUCCEEDED");
    fixture.update(&name, Command::delete()).await;
    assert_eq!(stream.rows().await[0]["removed"], true);
    fixture.operations.close();
    let (kind, why) = stream.event().await;
    assert_eq!((&*kind, why), ("bye", serde_json::json!("closing")));
    assert!(stream.body.frame().await.is_none());
}

#[tokio::test]
async fn new_operations_are_counted_and_not_sent() {
    let fixture = Fixture::new();
    let name = fixture.pending().await;
    let record = lro_core::store::OperationStore::get(&fixture.store, &name);
    let newest = record.await.unwrap().unwrap().uid.to_string();
    let console = fixture.console();
    fixture.pending().await;
    let chosen = choose(&name);
    let form = [
        ("operation", &*chosen),
        ("newest", &*newest),
        ("state", "pending"),
    ];
    let mut stream = Stream::open(&console, &form).await;
    loop {
        let (kind, data) = stream.event().await;
        if kind == "new" {
            assert_eq!(data, serde_json::json!({"count": 1, "more": false}));
            break;
        }
    }
}

#[tokio::test]
async fn tabs_without_a_stream_ask_for_rows() {
    let fixture = Fixture::new();
    let name = fixture.running(5, 8).await;
    let console = fixture.console();
    let page = post(&console, "/rows", &[("operation", &choose(&name))]).await;
    let rows: serde_json::Value = serde_json::from_str(&page.text).unwrap();
    assert_eq!(rows[0]["name"], name.as_str());
    assert_eq!(rows[0]["state"], "RUNNING");
    let none = post(&console, "/rows", &[]).await;
    assert_eq!(none.status, StatusCode::BAD_REQUEST);
    assert_eq!(open(&console, &[]).await.status(), StatusCode::BAD_REQUEST);
}
