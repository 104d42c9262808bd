//! A server whose texts are made for the terminal of its caller.

use lro_cli::neutral::is_unsafe;

use crate::support::Lro;
use crate::support::fake::{Fake, Script};
use crate::support::types::{failed, running};

const CLIPBOARD: &str = "\u{1b}]52;c;cm0gLXJmIC8=\u{7}";
const FORGED: &str = "fine\r\u{9b}2J\u{202e}x\nFAILED";

fn script() -> Script {
    let metadata = serde_json::json!({ "current": format!("{CLIPBOARD}{FORGED}") }).to_string();
    let mut odd = running("operations/1", &metadata);
    odd.name = format!("operations/{CLIPBOARD}{FORGED}");
    let text = format!("{CLIPBOARD}{FORGED}");
    Script::new()
        .operation(odd)
        .operation(failed("operations/2", &metadata, 5, &text, Vec::new()))
}

#[tokio::test]
async fn nothing_of_it_reaches_a_terminal() {
    let server = Fake::start(script()).await;
    let lro = Lro::to(&server.url).terminal(200).variable("NO_COLOR", "1");
    for words in [
        "list",
        "list -o wide",
        "list -o json",
        "list -o ndjson",
        "list -o name",
        "list -o token",
        "list -o 'value(name,metadata.current,error.message)'",
        "get operations/2",
        "describe operations/2",
        "wait operations/2",
        "watch operations/2 -o ndjson",
        "cancel operations/2",
        "cancel --filter 'done = false' --dry-run",
        "count",
    ] {
        let ran = lro.run(words).await;
        for (stream, text) in [("stdout", &ran.stdout), ("stderr", &ran.stderr)] {
            let bad: Vec<char> = text
                .chars()
                .filter(|it| !matches!(it, '\n' | '\t') && is_unsafe(*it))
                .collect();
            assert!(bad.is_empty(), "{words}: {stream} has {bad:?}\n{text:?}");
        }
    }
    // A row stays a row.
    let ran = lro.run("list -o name").await;
    assert_eq!(ran.stdout.lines().count(), 2, "{ran:?}");
    // Neutralised JSON is the same JSON.
    let ran = lro.run("list -o json").await;
    let document: serde_json::Value = serde_json::from_str(&ran.stdout).unwrap();
    let current = document["operations"][0]["metadata"]["current"]
        .as_str()
        .unwrap();
    assert_eq!(current, format!("{CLIPBOARD}{FORGED}"));
}

#[tokio::test]
async fn off_a_terminal_it_is_exact() {
    let server = Fake::start(script()).await;
    let lro = Lro::to(&server.url);
    let ran = lro.run("list -o name").await;
    assert!(
        ran.stdout
            .starts_with(&format!("operations/{CLIPBOARD}{FORGED}\n")),
        "{ran:?}"
    );
    let ran = lro.run("get operations/2 -o 'value(error.message)'").await;
    assert_eq!(ran.stdout, format!("{CLIPBOARD}{FORGED}\n"));
    // Talk is for people, also in a file.
    let ran = lro.run("wait operations/2").await;
    assert!(!ran.stderr.contains('\u{1b}'), "{ran:?}");
}
