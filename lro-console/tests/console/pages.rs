//! The contents of the pages.

use http::StatusCode;
use lro_core::store::{Command, OperationStore as _};
use proptest::prelude::*;
use proptest::test_runner::TestRunner;

use crate::fixture::{Fixture, Page, get, post};

fn contains(page: &Page, texts: &[&str]) {
    for text in texts {
        assert!(page.text.contains(text), "{text}\n{}", page.text);
    }
}

#[tokio::test]
async fn the_list_shows_every_state() {
    let fixture = Fixture::new();
    let names = fixture.every_state().await;
    let page = get(&fixture.console(), "/").await;
    assert_eq!(page.status, StatusCode::OK);
    contains(
        &page,
        &[
            "SUCCEEDED",
            "FAILED",
            "CANCELLED",
            "CANCELLING",
            "RUNNING",
            "PENDING",
            "62 %, 5 of 8 tables",
            "NOT_FOUND: there is no table",
            "waits 9.0s",
            "starts in 90 min",
            "2m14s",
            "Exporter/Export",
            "alice",
            "<th class=\"took\" scope=\"col\">",
        ],
    );
    for name in &names {
        assert!(page.text.contains(&format!("data-name=\"{name}\"")));
    }
    let failed = get(&fixture.console(), "/?state=failed").await;
    assert_eq!(failed.text.matches("<tr data-name").count(), 1);
    let both = get(
        &fixture.console(),
        "/any/prefix/?state=running&filter=labels.team+%3D+data",
    )
    .await;
    assert_eq!(both.text.matches("<tr data-name").count(), 2);
}

#[tokio::test]
async fn pages_follow_each_other() {
    let fixture = Fixture::new();
    for _ in 0..5 {
        fixture.pending().await;
    }
    let console = fixture.console();
    let (mut path, mut seen) = ("/?rows=2".to_owned(), 0);
    for _ in 0..3 {
        let page = get(&console, &path).await;
        seen += page.text.matches("<tr data-name").count();
        let next = page.text.split("rel=\"next\"").next().unwrap();
        let link = next
            .rsplit("href=\"")
            .next()
            .unwrap()
            .split('"')
            .next()
            .unwrap();
        path = link.replace("&amp;", "&").replacen("./", "/", 1);
    }
    assert_eq!(seen, 5);
}

#[tokio::test]
async fn a_wrong_filter_has_a_caret() {
    let fixture = Fixture::new();
    fixture.pending().await;
    for path in [
        "/?filter=done+%3D+maybe",
        "/?filter=done+%3D+maybe&state=failed",
    ] {
        let page = get(&fixture.console(), path).await;
        assert_eq!(page.status, StatusCode::BAD_REQUEST);
        contains(
            &page,
            &[
                "This filter is not valid.",
                "done = maybe\n       ^",
                "value=\"done = maybe\"",
            ],
        );
    }
}

#[tokio::test]
async fn empty_lists_say_what_to_do() {
    let fixture = Fixture::new();
    contains(
        &get(&fixture.console(), "/").await,
        &["No operations yet", "lro start METHOD"],
    );
    fixture.pending().await;
    let page = get(
        &fixture.console(),
        "/?state=failed&filter=labels.team+%3D+x",
    )
    .await;
    contains(
        &page,
        &["No operation matches", "Clear the filter", "Any state"],
    );
}

#[tokio::test]
async fn an_operation_is_explained() {
    let fixture = Fixture::new();
    let names = fixture.every_state().await;
    let console = fixture.console();
    let done = get(&console, &format!("/operation?name={}", names[0])).await;
    contains(
        &done,
        &[
            "9007199254740993",
            "exporter.v1.ExportResponse",
            "tables_exported",
            "ran",
            "4bf92f3577b34da6a3ce929d0e0e4736",
            "users",
            "It has ended.",
            "lro describe operations/",
        ],
    );
    let failed = get(&console, &format!("/operation?name={}", names[1])).await;
    contains(
        &failed,
        &[
            "NOT_FOUND",
            "did you mean `orders`?",
            "field_violations",
            "tables[1]",
        ],
    );
    let running = get(&console, &format!("/operation?name={}", names[4])).await;
    contains(
        &running,
        &[
            "62 %, 5 of 8 tables",
            "00000000-0000-0000-0000-000000000007",
            "running 62 %",
        ],
    );
    let json = get(&console, &format!("/operation.json?name={}", names[0])).await;
    let json: serde_json::Value = serde_json::from_str(&json.text).unwrap();
    assert_eq!(json["response"]["rows"], "9007199254740993");
}

#[tokio::test]
async fn errors_are_pages() {
    let console = Fixture::new().console();
    for (path, status, text) in [
        (
            "/operation?name=operations/no",
            StatusCode::NOT_FOUND,
            "Not found",
        ),
        (
            "/operation?name=no",
            StatusCode::BAD_REQUEST,
            "Not a valid request",
        ),
        ("/?parent=%2F", StatusCode::BAD_REQUEST, "parent"),
        ("/?page=forged", StatusCode::BAD_REQUEST, "page_token"),
        ("/nothing", StatusCode::NOT_FOUND, "No such page"),
        ("/act", StatusCode::METHOD_NOT_ALLOWED, "other methods"),
    ] {
        let page = get(&console, path).await;
        assert_eq!(page.status, status, "{path}");
        contains(&page, &[text]);
    }
    let page = get(&console, "/settings").await;
    contains(&page, &["Time zone", "<kbd>j, k</kbd>"]);
}

#[tokio::test]
async fn operations_are_cancelled_and_deleted() {
    let fixture = Fixture::new();
    let names = fixture.every_state().await;
    let console = fixture.console();
    let record = fixture.store.get(&names[4]).await.unwrap().unwrap();
    let chosen = format!("{} {}", record.uid, record.name);
    let asked = [("action", "cancel"), ("operation", &*chosen)];
    let page = post(&console, "/confirm", &asked).await;
    contains(&page, &["Cancel 1 operation?", "asked to stop"]);
    let acted = post(&console, "/act", &asked).await;
    assert_eq!(acted.status, StatusCode::SEE_OTHER);
    assert!(
        acted
            .location()
            .starts_with("./operation?did=cancel&name=operations/")
    );
    let record = fixture.store.get(&names[4]).await.unwrap().unwrap();
    assert!(record.cancel_time.is_some());

    // Of several, the number is typed. Those that took over a name are left alone.
    let other = format!("{} {}", uuid::Uuid::nil().simple(), names[0]);
    let asked = [
        ("action", "delete"),
        ("operation", &*chosen),
        ("operation", &*other),
    ];
    let page = post(&console, "/confirm", &asked).await;
    contains(
        &page,
        &["Delete 1 operation?", "another operation has this name now"],
    );
    let refused = post(&console, "/act", &asked).await;
    assert_eq!(refused.status, StatusCode::BAD_REQUEST);
    assert!(fixture.store.get(&names[4]).await.unwrap().is_some());
    let counted = [&asked[..], &[("count", "2")]].concat();
    let report = post(&console, "/act", &counted).await;
    contains(&report, &["Deleted 1 of 2 operations", "Refused: 1"]);
    assert!(fixture.store.get(&names[4]).await.unwrap().is_none());
    assert!(fixture.store.get(&names[0]).await.unwrap().is_some());
    contains(
        &post(&console, "/act", &[("action", "delete")]).await,
        &["choose at least one"],
    );
}

/// The texts that a page has besides its markup would be markup if they were not escaped.
pub(crate) const MARKUP: &str = "<img src=x onerror=\"window.pwned=1\">";

/// console:5
#[tokio::test]
async fn hostile_texts_stay_texts() {
    let fixture = Fixture::new();
    let mut new = fixture.new_operation();
    new.labels.insert(MARKUP.into(), format!("'\"{MARKUP}"));
    new.origin.principal = MARKUP.into();
    new.origin.trace_parent = format!("00-{MARKUP}-1-1");
    new.exclusive_key = Some(MARKUP.into());
    new.method = format!("/{MARKUP}/{MARKUP}");
    new.request = prost_types::Any {
        type_url: MARKUP.into(),
        value: MARKUP.into(),
    };
    let name = fixture.start(new).await;
    fixture.update(&name, Command::cancel()).await;
    let console = fixture.console();
    for path in [
        "/".to_owned(),
        format!("/operation?name={name}"),
        "/?filter=%3Cimg+src%3Dx%3E%22%27&parent=%3Cimg+src%3Dx%3E".to_owned(),
        "/operation?name=%3Cimg+src%3Dx%3E".to_owned(),
        "/%3Cimg%20src=x%3E".to_owned(),
    ] {
        let page = get(&console, &path).await;
        assert!(!page.text.contains("<img"), "{path}: {}", page.text);
    }
}

/// Whatever bytes a payload has and whatever type it names, the page has no markup but its own.
#[test]
fn random_payloads_add_no_markup() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    let runtime = runtime.unwrap();
    let fixture = Fixture::new();
    let console = fixture.console();
    let type_url = prop_oneof![
        Just("type.googleapis.com/exporter.v1.ExportRequest".to_owned()),
        Just("type.googleapis.com/google.protobuf.Any".to_owned()),
        Just("type.googleapis.com/google.protobuf.Struct".to_owned()),
        Just("type.googleapis.com/google.rpc.BadRequest".to_owned()),
        "[<>\"'&/a-z\u{2028}]{0,20}",
    ];
    // A first field of these bytes, which are often not UTF-8.
    let field = "[<>\"'&i\u{2028}\u{202e}]{1,40}".prop_map(|text| {
        let mut bytes = vec![10, text.len() as u8];
        bytes.extend(text.as_bytes());
        bytes
    });
    let value = prop_oneof![proptest::collection::vec(any::<u8>(), 0..64), field];
    let label = "[<>\"'&a-z\u{202e}\u{0}]{0,30}";
    let mut runner = TestRunner::new(ProptestConfig::with_cases(256));
    let ran = runner.run(&(type_url, value, label), |(type_url, value, label)| {
        let mut new = fixture.new_operation();
        let any = prost_types::Any { type_url, value };
        new.request = any.clone();
        new.metadata = Some(any);
        new.labels.insert("label".into(), label);
        let page = runtime.block_on(async {
            let name = fixture.start(new).await;
            get(&console, &format!("/operation?name={name}")).await
        });
        prop_assert_eq!(page.status, StatusCode::OK);
        for tag in page.text.split('<').skip(1) {
            let tag = tag.trim_start_matches('/');
            let end = tag.find(|char: char| !char.is_ascii_alphanumeric());
            let name = &tag[..end.unwrap_or(tag.len())];
            prop_assert!(TAGS.contains(&name), "<{}", tag);
        }
        Ok(())
    });
    ran.unwrap();
}

/// The elements that the page of an operation has.
const TAGS: &[&str] = &[
    "", "DOCTYPE", "html", "head", "meta", "title", "link", "script", "body", "a", "header",
    "span", "nav", "p", "main", "article", "div", "h1", "h2", "form", "input", "button", "section",
    "progress", "svg", "rect", "ol", "li", "ul", "dl", "dt", "dd", "details", "summary", "code",
    "time", "b", "pre", "label",
];
