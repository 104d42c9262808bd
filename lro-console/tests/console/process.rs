//! A server that is a process of its own: this program again, with a store in a file.

use std::net::SocketAddr;
use std::path::Path;
use std::process::Stdio;
use std::sync::Arc;

use lro_core::store::{ListQuery, OperationStore as _};
use lro_core::{Clock as _, ParentName};
use lro_sqlite::SqliteStore;
use lro_testing::ManualClock;
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, Lines};
use tokio::net::TcpListener;
use tokio::process::{Child, ChildStdin, ChildStdout, Command};

use crate::fixture::Fixture;

/// The folder of the store and the address: with it, the test below is the server.
const SERVE: &str = "LRO_CONSOLE_TEST_SERVER";

/// How lines begin that are answers; the test harness prints others.
const ANSWER: &str = "answer ";

pub(crate) struct Process {
    pub(crate) address: SocketAddr,
    child: Child,
    questions: ChildStdin,
    answers: Lines<BufReader<ChildStdout>>,
}

impl Process {
    /// Starts the server on a store, and returns when it serves.
    pub(crate) async fn start(folder: &Path, address: Option<SocketAddr>) -> Self {
        let address = address.map_or("127.0.0.1:0".to_owned(), |it| it.to_string());
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "process::a_server_where_one_is_wanted"])
            .arg("--nocapture")
            .env(SERVE, format!("{address} {}", folder.display()))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let questions = child.stdin.take().unwrap();
        let mut answers = BufReader::new(child.stdout.take().unwrap()).lines();
        let address = answer(&mut answers).await.unwrap().parse().unwrap();
        Self {
            address,
            child,
            questions,
            answers,
        }
    }

    pub(crate) async fn ask(&mut self, words: &[&str]) -> Option<String> {
        let question = format!("{}\n", words.join(" "));
        self.questions.write_all(question.as_bytes()).await.unwrap();
        answer(&mut self.answers).await
    }

    /// Kills it with SIGKILL.
    pub(crate) async fn kill(&mut self) {
        self.child.kill().await.unwrap();
    }
}

async fn answer(lines: &mut Lines<BufReader<ChildStdout>>) -> Option<String> {
    while let Some(line) = lines.next_line().await.unwrap() {
        // The harness begins a line with the name of the test.
        if let Some((_, answer)) = line.split_once(ANSWER) {
            return Some(answer.to_owned());
        }
    }
    None
}

/// The process of [`Process`]; otherwise it does nothing.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_where_one_is_wanted() {
    let Ok(wanted) = std::env::var(SERVE) else {
        return;
    };
    let (address, folder) = wanted.split_once(' ').unwrap();
    let clock = Arc::new(ManualClock::new());
    let path = Path::new(folder).join("operations.db");
    let store = SqliteStore::builder(path).clock(clock.clone());
    let store = store.open().await.unwrap();
    let there = store.list(ListQuery::new(ParentName::default(), 100)).await;
    let there = there.unwrap().records;
    if let Some(newest) = there.first() {
        clock.advance(newest.create_time.since(clock.now()));
    }
    let next = there.len() as u64 + 1;
    let fixture = Fixture::over(store, clock, next, |builder| builder);
    if there.is_empty() {
        fixture.every_state().await;
    }
    let listener = TcpListener::bind(address).await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(fixture.console().serve(listener, std::future::pending()));
    println!("\n{ANSWER}{address}");
    let mut questions = BufReader::new(tokio::io::stdin()).lines();
    while let Some(question) = questions.next_line().await.unwrap() {
        let words: Vec<&str> = question.split(' ').collect();
        println!("{ANSWER}{}", fixture.answer(&words).await.unwrap());
    }
}
