//! Chromium looks at the console: what a script clicks, and what the store does meanwhile.

use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use test_programs::Environment;
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpListener;
use tokio::process::{Child, Command};
use tokio::task::JoinHandle;

use crate::fixture::Fixture;
use crate::pages::MARKUP;

/// Where `cargo xtask console-shots` wants its pictures.
const SHOTS: &str = "LRO_CONSOLE_SHOTS";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pages_suit_everyone() {
    check("looks", 4).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pages_change_without_a_reload() {
    check("live", 4).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pages_survive_the_server_and_their_tab() {
    check("breaks", 2).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn operations_are_changed_by_mouse_and_keys() {
    check("acts", 4).await;
}

/// Runs a group of checks, of this number.
async fn check(group: &str, checks: usize) {
    let Some(output) = run(&["check", group]).await else {
        return;
    };
    let passed = output.iter().filter(|line| line.starts_with("ok ")).count();
    assert_eq!(passed, checks, "{output:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pictures_are_taken_where_they_are_wanted() {
    let Some(folder) = std::env::var_os(SHOTS) else {
        return;
    };
    std::fs::create_dir_all(&folder).unwrap();
    let folder = folder.to_str().expect("a folder with a name in UTF-8");
    run(&["shots", folder]).await.expect("Chromium and Node");
}

/// Runs the script over a console with an operation in each state. `None` where a program is missing.
async fn run(arguments: &[&str]) -> Option<Vec<String>> {
    let chromium = std::process::Command::new("chromium")
        .arg("--version")
        .output();
    test_programs::there_or_skip(
        chromium.map_err(|error| format!("there is no chromium: {error}")),
    )?;
    let made = || Environment::CONSOLE.make_or_skip(env!("CARGO_TARGET_TMPDIR").as_ref());
    let node = tokio::task::spawn_blocking(made).await.unwrap()?;

    let fixture = Fixture::new();
    let mut names = fixture.every_state().await;
    names.push(fixture.tried_again().await);
    let suspended = fixture.running(2, 8).await;
    fixture.suspend(&suspended).await;
    names.push(suspended);
    let mut site = Site::open(&fixture).await;
    let url = format!("http://{}/", site.address);
    let script = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/tests/console/scripts/browser.mjs"
    );
    let mut script = Command::new("node")
        .arg(Path::new(script))
        .arg(node.join("node_modules"))
        .arg(&url)
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let names: Vec<&str> = names.iter().map(lro_core::OperationName::as_str).collect();
    let names = serde_json::json!(names).to_string();
    let output = converse(&mut script, &fixture, &mut site, &names).await;
    let status = script.wait().await.unwrap();
    assert!(status.success(), "{output:?}");
    Some(output)
}

/// The console on a port.
struct Site {
    address: SocketAddr,
    served: JoinHandle<io::Result<()>>,
}

impl Site {
    async fn open(fixture: &Fixture) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let served = serve(fixture, listener);
        Self { address, served }
    }

    /// Closes the port and cuts all connections, as the end of the process does.
    async fn kill(&mut self) {
        self.served.abort();
        let aborted = (&mut self.served).await;
        assert!(aborted.unwrap_err().is_cancelled());
    }

    async fn revive(&mut self, fixture: &Fixture) {
        let listener = TcpListener::bind(self.address).await.unwrap();
        self.served = serve(fixture, listener);
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        self.served.abort();
    }
}

fn serve(fixture: &Fixture, listener: TcpListener) -> JoinHandle<io::Result<()>> {
    let console = fixture.console().title("exporter-test");
    tokio::spawn(console.serve(listener, std::future::pending()))
}

/// Does what the script asks for, until it ends. Its output.
async fn converse(
    script: &mut Child,
    fixture: &Fixture,
    site: &mut Site,
    names: &str,
) -> Vec<String> {
    let mut answers = script.stdin.take().unwrap();
    let mut lines = BufReader::new(script.stdout.take().unwrap()).lines();
    let mut output = Vec::new();
    while let Some(line) = lines.next_line().await.unwrap() {
        let words: Vec<&str> = line.split(' ').collect();
        let answer = match &words[..] {
            ["ask", "names"] => names.to_owned(),
            ["ask", "start"] => {
                fixture.clock.advance(Duration::from_secs(1));
                fixture.pending().await.to_string()
            }
            ["ask", "run"] => {
                fixture.clock.advance(Duration::from_secs(1));
                fixture.running(1, 8).await.to_string()
            }
            ["ask", "progress", name, done] => {
                let (name, done) = (name.parse().unwrap(), done.parse().unwrap());
                fixture.progress(&name, done, 8).await;
                String::new()
            }
            ["ask", "finish", name] => {
                let name = name.parse().unwrap();
                fixture.finish(&name, Fixture::response()).await;
                String::new()
            }
            ["ask", "kill"] => {
                site.kill().await;
                String::new()
            }
            ["ask", "revive"] => {
                site.revive(fixture).await;
                String::new()
            }
            ["ask", "hostile"] => {
                let mut new = fixture.new_operation();
                new.labels.insert(MARKUP.into(), MARKUP.into());
                new.origin.principal = MARKUP.into();
                new.method = format!("/{MARKUP}/{MARKUP}");
                fixture.start(new).await.to_string()
            }
            _ => {
                println!("{line}");
                output.push(line);
                continue;
            }
        };
        answers
            .write_all(format!("{answer}\n").as_bytes())
            .await
            .unwrap();
    }
    output
}
