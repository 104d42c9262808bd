//! HTTP/JSON: the table of cases, over real sockets.
#![allow(clippy::unwrap_used, reason = "helpers of tests are tests too")]

mod access;
mod backend;
mod cases;
mod cross_site;
mod expectations;
mod format;
mod operators;
mod protos;
mod sent_trailers;
mod served;
mod server;
mod slow_bodies;
#[allow(dead_code, reason = "the tests of lro-server use all of it")]
#[path = "../../../lro-server/tests/it/support.rs"]
mod support;
mod trailers;
mod unknown_types;
mod watch;
mod wire;

/// The cases are samples of these rules.
///
/// spec:141 spec:143 gateway:1 gateway:4 gateway:5 gateway:6 gateway:7 gateway:8 gateway:9 gateway:10
/// gateway:11 gateway:13 gateway:14 gateway:15 gateway:16 gateway:17 gateway:18 gateway:19
/// gateway:20 gateway:21 gateway:23 gateway:24 gateway:25 gateway:26 gateway:27 gateway:28
/// gateway:29 gateway:31 gateway:33 gateway:34 gateway:35 gateway:36 gateway:37 gateway:38
/// gateway:39 gateway:41 gateway:42 gateway:43 gateway:44 gateway:45 gateway:46 gateway:47
/// gateway:48 gateway:49 gateway:50 gateway:51 gateway:52 gateway:53 gateway:54 gateway:55
/// gateway:57 gateway:58 gateway:59 gateway:60 gateway:61 gateway:62 gateway:64 gateway:65
/// gateway:66 gateway:67 gateway:68 gateway:69 gateway:70 gateway:71 gateway:73 gateway:74
/// gateway:75 gateway:76 gateway:77 gateway:78 gateway:79 gateway:80 gateway:81 gateway:83
/// gateway:84 gateway:85 gateway:86 gateway:87 gateway:88 gateway:90 gateway:91 gateway:92
/// gateway:93 gateway:94 gateway:95 gateway:96 gateway:98 gateway:99 gateway:100 gateway:101
/// gateway:102 gateway:104 gateway:109 gateway:110 gateway:116 gateway:117 gateway:118
/// gateway:119 gateway:121 gateway:123 gateway:126 gateway:127 gateway:128 gateway:129
/// gateway:130 gateway:134 gateway:135 gateway:137 gateway:138 gateway:139 gateway:142
/// gateway:143 gateway:144 gateway:145
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_case_of_the_table_is_answered_as_it_says() {
    let table = include_str!("cases.json");
    let report = cases::run(table).await.unwrap();
    assert!(
        report.failures.is_empty(),
        "{} passed\n{}",
        report.passed,
        report.failures.join("\n")
    );
    assert!(report.passed > 0);
}

/// More cases of the same kinds, for the same services.
///
/// gateway:1 gateway:4 gateway:5 gateway:6 gateway:7 gateway:8 gateway:9 gateway:10 gateway:12
/// gateway:13 gateway:14 gateway:16 gateway:17 gateway:18 gateway:20 gateway:21 gateway:22
/// gateway:23 gateway:24 gateway:25 gateway:26 gateway:27 gateway:29 gateway:30 gateway:31
/// gateway:33 gateway:34 gateway:35 gateway:36 gateway:37 gateway:38 gateway:39 gateway:40
/// gateway:41 gateway:42 gateway:43 gateway:44 gateway:45 gateway:46 gateway:47 gateway:48
/// gateway:49 gateway:50 gateway:54 gateway:57 gateway:62 gateway:63 gateway:64 gateway:66 gateway:67
/// gateway:69 gateway:71 gateway:72 gateway:74 gateway:76 gateway:83 gateway:91 gateway:93
/// gateway:94 gateway:95 gateway:96 gateway:97 gateway:98 gateway:99 gateway:100 gateway:101
/// gateway:102 gateway:103 gateway:104 gateway:106 gateway:107 gateway:108 gateway:109
/// gateway:110 gateway:111 gateway:112 gateway:115 gateway:117 gateway:119 gateway:120
/// gateway:123 gateway:127 gateway:128 gateway:130 gateway:131 gateway:132 gateway:136
/// gateway:142
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn variants_of_the_cases_are_answered_as_they_say() {
    let mut table: serde_json::Value = serde_json::from_str(include_str!("cases.json")).unwrap();
    table["cases"] = serde_json::from_str(include_str!("variants.json")).unwrap();
    let count = table["cases"].as_array().unwrap().len();
    let report = cases::run(&table.to_string()).await.unwrap();
    assert_eq!(report.failures, Vec::<String>::new());
    assert_eq!(report.passed, count);
}

/// A case with a field that the runner does not know could pass because of it.
#[tokio::test]
async fn an_unknown_field_of_a_table_is_an_error() {
    let table: serde_json::Value = serde_json::from_str(include_str!("cases.json")).unwrap();
    let request = table["cases"]
        .as_array()
        .unwrap()
        .iter()
        .position(|case| case.get("request").is_some())
        .unwrap();
    for place in ["", "/cases/0", "/cases/0/expect"] {
        let mut changed = table.clone();
        changed.pointer_mut(place).unwrap()["surprise"] = 1.into();
        let error = cases::run(&changed.to_string()).await.unwrap_err();
        assert!(error.contains("surprise"), "{place}: {error}");
    }
    let mut changed = table;
    changed["cases"] = serde_json::json!([changed["cases"][request]]);
    changed["cases"][0]["request"]["surprise"] = 1.into();
    let error = cases::run(&changed.to_string()).await.unwrap_err();
    assert!(error.contains("surprise"), "{error}");
}

/// gateway:12 gateway:133
#[test]
fn a_stream_of_requests_cannot_be_bound_and_needs_no_binding() {
    let builder = || {
        lro_gateway::Gateway::builder(tonic::service::Routes::default())
            .file_descriptor_set(lro_tests::library::FILE_DESCRIPTOR_SET)
    };
    assert!(builder().build().is_ok());
    for rpc in ["AddShelves", "Chat"] {
        let rule = lro_gateway::HttpRule::new("POST", "/v1/shelves").body("*");
        let bound = builder().rule(&format!("library.v1.Library/{rpc}"), rule);
        let error = bound.build().unwrap_err().to_string();
        assert!(
            error.contains(&format!("library.v1.Library.{rpc}")),
            "{error}"
        );
        assert!(error.contains("stream of requests"), "{error}");
    }
}

/// Messages quote a part of what the client sent, with control characters escaped, and nothing of the
/// decoder.
///
/// gateway:115
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn messages_quote_a_bounded_part_of_a_request() {
    let server = served::Served::start(|builder| builder, served::gateway).await;
    let long = "x".repeat(7_000);
    let requests = [
        (
            "GET",
            format!("/v1/operations?pageSize={long}"),
            String::new(),
        ),
        ("GET", format!("/v1/operations?{long}=1"), String::new()),
        ("GET", format!("/v1/operations/{long}"), String::new()),
        (
            "GET",
            "/v1/operations?pageSize=%00%0a%1b%7f".to_owned(),
            String::new(),
        ),
        (
            "POST",
            "/v1/exports".to_owned(),
            format!("{{\"{long}\": 1}}"),
        ),
        (
            "POST",
            "/v1/exports".to_owned(),
            format!("{{\"tables\": \"{long}\"}}"),
        ),
        (
            "POST",
            "/v1/exports".to_owned(),
            "{\"tables\": [1}".to_owned(),
        ),
    ];
    for (method, path, body) in requests {
        let received = server.send(method, &path, &body).await;
        assert_eq!(received.status, 400, "{method} {path}");
        let body = String::from_utf8(received.body).unwrap();
        assert!(body.len() < 8 * 1_024, "{} bytes: {body}", body.len());
        let body: serde_json::Value = serde_json::from_str(&body).unwrap();
        let message = body["error"]["message"].as_str().unwrap();
        assert!(message.len() <= 1_024 + 300, "{message}");
        assert!(!message.chars().any(char::is_control), "{message:?}");
        for inside in ["prost", "serde", "::", ".rs"] {
            assert!(!message.contains(inside), "{message}");
        }
    }
    server.stop().await;
}
