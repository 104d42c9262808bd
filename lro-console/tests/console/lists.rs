//! Chips with numbers, completion, actions on all that match, and files.

use http::StatusCode;
use lro_core::Clock as _;
use lro_core::store::OperationStore as _;

use crate::fixture::{Fixture, Page, get, post};

fn contains(page: &Page, texts: &[&str]) {
    for text in texts {
        assert!(page.text.contains(text), "{text}\n{}", page.text);
    }
}

#[tokio::test]
async fn chips_have_the_numbers_of_their_states() {
    let fixture = Fixture::new();
    fixture.every_state().await;
    let console = fixture.console();
    let page = get(&console, "/?filter=labels.team+%3D+data").await;
    contains(
        &page,
        &[
            "data-count=\"\">7</span>",
            "data-count=\"pending\">2</span>",
            "data-count=\"running\">2</span>",
            "data-count=\"failed\">1</span>",
        ],
    );
    let none = get(&console, "/counts?filter=labels.team+%3D+x").await;
    let none: serde_json::Value = serde_json::from_str(&none.text).unwrap();
    assert_eq!(none["counts"]["failed"], "0");
    // A wrong filter has no numbers, and its page says what is wrong with it.
    let wrong = get(&console, "/?filter=x+%3D+1").await;
    assert!(!wrong.text.contains("data-count"));
    let wrong = get(&console, "/counts?filter=x+%3D+1").await;
    assert_eq!(wrong.status, StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn completion_knows_fields_labels_and_payloads() {
    let fixture = Fixture::new();
    fixture.every_state().await;
    let fields = get(&fixture.console(), "/fields").await;
    let fields: serde_json::Value = serde_json::from_str(&fields.text).unwrap();
    assert_eq!(fields["labels.team"], serde_json::json!(["\"data\""]));
    assert_eq!(
        fields["method"],
        serde_json::json!(["\"/exporter.v1.Exporter/Export\""])
    );
    assert!(
        fields["state"]
            .as_array()
            .unwrap()
            .contains(&"FAILED".into())
    );
    for name in ["metadata.tables_done", "response.rows", "create_time"] {
        assert_eq!(fields[name], serde_json::json!([]), "{name}");
    }
}

/// console:4
#[tokio::test]
async fn all_that_match_are_those_that_were_there_when_the_page_was_written() {
    let fixture = Fixture::new();
    let mut names = Vec::new();
    for _ in 0..5 {
        names.push(fixture.pending().await);
    }
    let other = fixture.running(1, 2).await;
    let console = fixture.console();
    let page = get(&console, "/?state=pending&rows=2").await;
    contains(
        &page,
        &[
            "All that match, on this page and the next ones:",
            "Cancel all…",
        ],
    );
    let at = page
        .text
        .split("name=\"matching\" value=\"")
        .nth(1)
        .unwrap();
    let at = at.split('"').next().unwrap().to_owned();
    // It matches, and came later.
    fixture.clock.advance(std::time::Duration::from_secs(1));
    let late = fixture.pending().await;
    let form = [
        ("action", "delete"),
        ("matching", &*at),
        ("state", "pending"),
    ];
    let asked = post(&console, "/confirm", &form).await;
    contains(&asked, &["Delete 5 operations?", "Type <b>5</b>"]);
    for name in &names {
        assert!(asked.text.contains(name.as_str()));
    }
    assert!(!asked.text.contains(late.as_str()) && !asked.text.contains(other.as_str()));
    // The form names those that the question has shown.
    let chosen = asked.text.split("name=\"operation\" value=\"").skip(1);
    let chosen: Vec<&str> = chosen.map(|it| it.split('"').next().unwrap()).collect();
    let mut act = vec![("action", "delete")];
    act.extend(chosen.iter().map(|it| ("operation", *it)));
    let refused = post(&console, "/act", &[&act[..], &[("count", "4")]].concat()).await;
    assert_eq!(refused.status, StatusCode::BAD_REQUEST);
    let done = post(&console, "/act", &[&act[..], &[("count", "5")]].concat()).await;
    contains(&done, &["Deleted 5 of 5 operations"]);
    assert!(fixture.store.get(&late).await.unwrap().is_some());

    for (matching, status) in [
        ("yesterday", StatusCode::BAD_REQUEST),
        (&*at, StatusCode::OK),
    ] {
        let form = [
            ("action", "cancel"),
            ("matching", matching),
            ("state", "failed"),
        ];
        let asked = post(&console, "/confirm", &form).await;
        assert_eq!(asked.status, status);
    }
}

#[tokio::test]
async fn one_action_takes_a_thousand_at_most_and_says_so() {
    let fixture = Fixture::new();
    for _ in 0..1_003 {
        fixture.pending().await;
    }
    let now = jiff::Timestamp::from_microsecond(fixture.clock.now().as_micros()).unwrap();
    let now = now.to_string();
    let form = [("action", "cancel"), ("matching", &*now)];
    let asked = post(&fixture.console(), "/confirm", &form).await;
    contains(
        &asked,
        &[
            "Cancel 1,000 operations?",
            "More operations match than one action takes",
        ],
    );
    assert_eq!(asked.text.matches("name=\"operation\"").count(), 1_000);
}

/// Of 20 operations, the sentence about what becomes of them is there once for each outcome.
#[tokio::test]
async fn a_question_says_each_thing_once() {
    let fixture = Fixture::new();
    let mut form = vec![("action".to_owned(), "delete".to_owned())];
    for number in 0..20 {
        let name = fixture.running(1, 8).await;
        if number < 5 {
            fixture.finish(&name, Fixture::response()).await;
        }
        let record = fixture.store.inner.get(&name).await.unwrap().unwrap();
        form.push(("operation".to_owned(), format!("{} {name}", record.uid)));
    }
    let mut form: Vec<_> = form
        .iter()
        .map(|(name, value)| (&**name, &**value))
        .collect();
    let asked = post(&fixture.console(), "/confirm", &form).await;
    let texts = [
        "<b>5 operations</b>: removed, with the result",
        "<b>15 operations</b>: hidden at once, but not stopped",
    ];
    contains(&asked, &texts);
    for text in texts {
        assert_eq!(asked.text.matches(text).count(), 1);
    }
    form[0].1 = "cancel";
    let asked = post(&fixture.console(), "/confirm", &form).await;
    contains(
        &asked,
        &["Left alone", "<b>5 operations</b>: It has ended."],
    );
}

#[tokio::test]
async fn a_form_leads_back_to_the_list_it_came_from() {
    let fixture = Fixture::new();
    let names = [fixture.pending().await, fixture.pending().await];
    let console = fixture.console();
    let list = get(
        &console,
        "/?filter=labels.team+%3D+data&state=pending&rows=200",
    )
    .await;
    let remembered = "<input type=\"hidden\" name=\"filter\" value=\"labels.team = data\">";
    contains(&list, &[remembered]);
    let mut form = vec![("action", "delete"), ("count", "2"), ("list", "yes")];
    form.extend([
        ("filter", "labels.team = data"),
        ("state", "pending"),
        ("rows", "200"),
    ]);
    let mut values = Vec::new();
    for name in &names {
        let record = fixture.store.inner.get(name).await.unwrap().unwrap();
        values.push(format!("{} {name}", record.uid));
    }
    let back = "./?filter=labels.team%20%3D%20data&amp;state=pending&amp;rows=200";
    form.extend(values.iter().map(|value| ("operation", &**value)));
    let asked = post(&console, "/confirm", &form).await;
    contains(&asked, &[back, remembered]);
    let done = post(&console, "/act", &form).await;
    contains(&done, &["Deleted 2 of 2 operations", back]);
    // One operation alone has no page of its own to say what came of it.
    let only = fixture.pending().await;
    let record = fixture.store.inner.get(&only).await.unwrap().unwrap();
    let value = format!("{} {only}", record.uid);
    let form = [
        ("action", "delete"),
        ("list", "yes"),
        ("state", "pending"),
        ("operation", &*value),
    ];
    let done = post(&console, "/act", &form).await;
    assert_eq!(done.location(), "./?did=delete&state=pending");
    let list = get(&console, "/?did=delete&state=pending").await;
    contains(&list, &["The operation was deleted."]);
}

#[tokio::test]
async fn a_short_page_says_why_it_ends() {
    let fixture = Fixture::new();
    for number in 0..2_100 {
        let mut new = fixture.new_operation();
        if number == 1_000 {
            new.labels.insert("team".into(), "rare".into());
        }
        fixture.start(new).await;
    }
    let console = fixture.console();
    let page = get(&console, "/?filter=labels.team+%3D+rare").await;
    contains(&page, &["This page is short", "Next page"]);
    let page = get(&console, "/?filter=labels.team+%3D+data").await;
    assert!(!page.text.contains("This page is short"));
}

#[tokio::test]
async fn lists_are_files() {
    let fixture = Fixture::new();
    let names = fixture.every_state().await;
    for _ in 0..450 {
        fixture.pending().await;
    }
    let console = fixture.console().read_only(true);
    let csv = get(&console, "/export?format=csv").await;
    assert_eq!(csv.status, StatusCode::OK);
    assert_eq!(csv.text.lines().count(), 458);
    assert!(csv.text.starts_with("name,state,method,principal,"));
    let failed = csv.text.lines().find(|line| line.contains(",FAILED,"));
    let failed = failed.unwrap();
    assert!(failed.starts_with(names[1].as_str()) && failed.contains("NOT_FOUND"));
    let disposition = csv.headers["content-disposition"].to_str().unwrap();
    assert_eq!(disposition, "attachment; filename=\"operations.csv\"");

    let ndjson = get(&console, "/export?format=ndjson&state=succeeded").await;
    let lines: Vec<serde_json::Value> = ndjson
        .text
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(lines.len(), 1);
    assert_eq!(
        lines[0]["operation"]["response"]["rows"],
        "9007199254740993"
    );
    assert_eq!(lines[0]["labels"]["team"], "data");
    for path in ["/export?format=xls", "/export?format=csv&filter=x+%3D+1"] {
        assert_eq!(get(&console, path).await.status, StatusCode::BAD_REQUEST);
    }
}
