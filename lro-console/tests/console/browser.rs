//! Chromium looks at the console: what a script clicks, and what the store does meanwhile.

use std::path::Path;
use std::process::Stdio;

use test_programs::Environment;
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::process::{Child, Command};

use crate::fixture::Fixture;
use crate::process::Process;
use crate::sites::{Site, Sites};

/// Where `cargo xtask console-shots` wants its pictures.
const SHOTS: &str = "LRO_CONSOLE_SHOTS";

/// console:1 console:5 console:8
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pages_suit_everyone() {
    check("looks", 5).await;
}

/// console:11
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_state_is_told_in_words() {
    let Some(chromium) = Chromium::there().await else {
        return;
    };
    let sites = Sites::open().await;
    let answer = async |words: &[&str]| sites.answer(words).await;
    let output = chromium.run(sites.main(), &["check", "states"], answer);
    count(&output.await, 1);
}

/// console:2 console:7
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pages_change_without_a_reload() {
    check("live", 6).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pages_survive_the_server_and_their_tab() {
    check("breaks", 2).await;
}

/// console:3 console:4 console:9
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn operations_are_changed_by_mouse_and_keys() {
    check("acts", 9).await;
}

/// console:6
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pages_of_others_change_nothing() {
    check("foreign", 1).await;
}

/// The server is a process that is killed with SIGKILL, and started again on the same file and the
/// same address. console:2
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pages_are_live_again_after_sigkill() {
    let Some(chromium) = Chromium::there().await else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let mut server = Process::start(folder.path(), None).await;
    let address = server.address;
    let answer = async |words: &[&str]| {
        Some(match words {
            ["names"] => r#"{"main":[]}"#.to_owned(),
            ["kill"] => {
                server.kill().await;
                String::new()
            }
            ["revive"] => {
                server = Process::start(folder.path(), Some(address)).await;
                String::new()
            }
            words => server.ask(words).await?,
        })
    };
    let url = format!("http://{address}/");
    let output = chromium.run(&url, &["check", "killed"], answer).await;
    count(&output, 1);
}

/// Over TLS, on the port of gRPC: the cookie is one that browsers send over TLS only.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn visitors_sign_in_over_tls() {
    let Some(chromium) = Chromium::there().await else {
        return;
    };
    let sites = crate::sites::secure().await;
    let answer = async |words: &[&str]| sites.answer(words).await;
    let output = chromium.run(&sites.url, &["check", "signs"], answer).await;
    count(&output, 3);
    sites.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pictures_are_taken_where_they_are_wanted() {
    let Some(folder) = std::env::var_os(SHOTS) else {
        return;
    };
    std::fs::create_dir_all(&folder).unwrap();
    let folder = folder.to_str().expect("a folder with a name in UTF-8");
    let chromium = Chromium::there().await.expect("Chromium and Node");
    let sites = Sites::open().await;
    let answer = async |words: &[&str]| sites.answer(words).await;
    chromium.run(sites.main(), &["shots", folder], answer).await;
}

/// Runs a group of checks, of this number, over a console with an operation in each state.
async fn check(group: &str, checks: usize) {
    let Some(chromium) = Chromium::there().await else {
        return;
    };
    let fixture = Fixture::new();
    let mut names = fixture.every_state().await;
    names.push(fixture.tried_again().await);
    let suspended = fixture.running(2, 8).await;
    fixture.suspend(&suspended).await;
    names.push(suspended);
    let names: Vec<&str> = names.iter().map(lro_core::OperationName::as_str).collect();
    let names = serde_json::json!({ "main": names }).to_string();
    let mut site = Site::open(fixture.console().title("exporter-test")).await;
    let url = site.url.clone();
    let answer = async |words: &[&str]| {
        Some(match words {
            ["names"] => names.clone(),
            ["kill"] => {
                site.kill().await;
                String::new()
            }
            ["revive"] => {
                site.revive(fixture.console()).await;
                String::new()
            }
            words => fixture.answer(words).await?,
        })
    };
    let output = chromium.run(&url, &["check", group], answer).await;
    count(&output, checks);
}

fn count(output: &[String], checks: usize) {
    let passed = output.iter().filter(|line| line.starts_with("ok ")).count();
    assert_eq!(passed, checks, "{output:?}");
}

/// Chromium, driven by Node.
struct Chromium {
    node: std::path::PathBuf,
}

impl Chromium {
    /// `None`, which is said, where a program is missing.
    async fn there() -> Option<Self> {
        let chromium = std::process::Command::new("chromium")
            .arg("--version")
            .output();
        test_programs::there_or_skip(
            chromium.map_err(|error| format!("there is no chromium: {error}")),
        )?;
        let made = || Environment::CONSOLE.make_or_skip(env!("CARGO_TARGET_TMPDIR").as_ref());
        let node = tokio::task::spawn_blocking(made).await.unwrap()?;
        Some(Self { node })
    }

    /// Runs the script, and answers what it asks for. Its output.
    async fn run(
        &self,
        url: &str,
        arguments: &[&str],
        answer: impl AsyncFnMut(&[&str]) -> Option<String>,
    ) -> Vec<String> {
        let script = concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/tests/console/scripts/browser.mjs"
        );
        let mut script = Command::new("node")
            .arg(Path::new(script))
            .arg(self.node.join("node_modules"))
            .arg(url)
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let output = converse(&mut script, answer).await;
        let status = script.wait().await.unwrap();
        assert!(status.success(), "{output:?}");
        output
    }
}

/// Does what the script asks for, until it ends. Its output.
async fn converse(
    script: &mut Child,
    mut answer: impl AsyncFnMut(&[&str]) -> Option<String>,
) -> Vec<String> {
    let mut answers = script.stdin.take().unwrap();
    let mut lines = BufReader::new(script.stdout.take().unwrap()).lines();
    let mut output = Vec::new();
    while let Some(line) = lines.next_line().await.unwrap() {
        let Some(asked) = line.strip_prefix("ask ") else {
            println!("{line}");
            output.push(line);
            continue;
        };
        let words: Vec<&str> = asked.split(' ').collect();
        let answer = answer(&words).await;
        let answer = answer.unwrap_or_else(|| panic!("the script asks for {asked}"));
        answers
            .write_all(format!("{answer}\n").as_bytes())
            .await
            .unwrap();
    }
    output
}
