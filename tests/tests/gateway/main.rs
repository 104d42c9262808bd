//! HTTP/JSON: the table of cases, over real sockets.
#![allow(clippy::unwrap_used, reason = "helpers of tests are tests too")]

mod backend;
mod cases;
mod expectations;
mod format;
mod protos;
mod served;
mod server;
mod wire;

/// The cases are samples of these rules.
///
/// gateway:1 gateway:4 gateway:5 gateway:6 gateway:7 gateway:8 gateway:9 gateway:10
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
