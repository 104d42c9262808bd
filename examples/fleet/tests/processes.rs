//! Front ends and workers as processes of their own, on a PostgreSQL of their own.
#![allow(clippy::unwrap_used, reason = "helpers of tests are tests too")]

use std::io::{BufRead as _, BufReader};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use fleet::pb::fleet_client::FleetClient;
use fleet::pb::{Progress, RenderRequest, RenderResponse, ResizeRequest, WatchRequest};
use lro_client::{Operation, OperationsClient};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use test_programs::postgres::Shared;
use tonic::Code;
use tonic::transport::Channel;

/// The longest that a test waits for anything.
const PATIENCE: Duration = Duration::from_secs(60);

/// Longer than any test lasts, in milliseconds: what is seen was not found by polling.
const NEVER: &str = "600000";

/// Much shorter than the time in which leases of 30 seconds are renewed: no renewal brings it.
const BOUND: Duration = Duration::from_secs(5);

/// A schema of its own in the shared server, and the processes on it.
struct Fleet {
    server: &'static Shared,
    schema: String,
    settings: Vec<String>,
}

impl Fleet {
    /// `None`, which is said, where there is no PostgreSQL.
    fn new(name: &str, settings: &[&str]) -> Option<Self> {
        let schema = format!("fleet {name} {}", std::process::id());
        Some(Self {
            server: test_programs::postgres::shared_or_skip()?,
            schema,
            settings: settings.iter().map(|it| (*it).to_owned()).collect(),
        })
    }

    fn start(&self, args: &[&str]) -> Process {
        let mut command = Command::new(env!("CARGO_BIN_EXE_fleet"));
        command
            .args(&args[..1])
            .args(["--database", self.server.url(), "--schema", &self.schema])
            .args(&self.settings)
            .args(&args[1..])
            .env_remove("RUST_LOG")
            .stdin(Stdio::null())
            .stdout(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut stdout = BufReader::new(child.stdout.take().unwrap());
        let mut said = String::new();
        stdout.read_line(&mut said).unwrap();
        let said = said.trim_end().to_owned();
        Process {
            child,
            said,
            _stdout: stdout,
        }
    }

    fn serve(&self) -> (Process, String) {
        let process = self.start(&["serve", "--listen", "127.0.0.1:0"]);
        let address = process.said.strip_prefix("listening on ").unwrap();
        let url = format!("http://{address}");
        (process, url)
    }

    fn work(&self, name: &str, args: &[&str]) -> Process {
        let mut all = vec!["work", "--name", name];
        all.extend(args);
        self.start(&all)
    }
}

/// A process that runs, killed when it is dropped.
struct Process {
    child: Child,
    /// Its first line.
    said: String,
    _stdout: BufReader<ChildStdout>,
}

impl Process {
    fn terminate(mut self) {
        let pid = Pid::from_raw(self.child.id().try_into().unwrap());
        kill(pid, Signal::SIGTERM).unwrap();
        assert!(self.child.wait().unwrap().success());
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // An error is that it has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn submit(url: &str, args: &[&str]) -> String {
    let mut command = Command::new(env!("CARGO_BIN_EXE_fleet"));
    let output = command
        .args(["submit", "--server", url])
        .args(args)
        .output();
    let output = output.unwrap();
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}

/// The clients of one front end.
struct Clients {
    fleet: FleetClient<Channel>,
    operations: OperationsClient,
}

impl Clients {
    async fn connect(url: &str) -> Self {
        let channel = Channel::from_shared(url.to_owned()).unwrap();
        let channel = channel.connect().await.unwrap();
        Self {
            fleet: FleetClient::new(channel.clone()),
            operations: OperationsClient::new(channel),
        }
    }

    async fn watch(&mut self) -> String {
        let started = self.fleet.watch(WatchRequest { time: None }).await;
        started.unwrap().into_inner().name().to_owned()
    }

    async fn done(&self, name: &str) -> lro_core::pb::Operation {
        let operation = self.operations.wait(name, PATIENCE).await.unwrap();
        assert!(operation.done, "{operation:?}");
        operation
    }

    /// Waits until a worker says that it runs the operation.
    async fn runs(&self, name: &str) -> Progress {
        let begun = Instant::now();
        loop {
            let briefly = Duration::from_millis(20);
            let operation = self.operations.wait(name, briefly).await.unwrap();
            let operation = Operation::<RenderResponse, Progress>::from(operation);
            if let Some(progress) = operation.metadata().unwrap()
                && !progress.worker.is_empty()
            {
                return progress;
            }
            assert!(begun.elapsed() < PATIENCE, "no worker runs it");
        }
    }
}

/// Cancels through one front end what another process runs and a third one is asked about.
async fn cancel_across(fleet: &Fleet) {
    let ((_one, one), (_two, two)) = (fleet.serve(), fleet.serve());
    let _worker = fleet.work("worker-1", &[]);
    let mut one = Clients::connect(&one).await;
    let two = Clients::connect(&two).await;
    let name = one.watch().await;
    one.runs(&name).await;
    let waited = async {
        let operation = one.done(&name).await;
        (operation, Instant::now())
    };
    let cancelled = async {
        two.operations.cancel(&name).await.unwrap();
        Instant::now()
    };
    let ((operation, done_at), cancelled_at) = tokio::join!(waited, cancelled);
    let operation = Operation::<RenderResponse, Progress>::from(operation);
    assert_eq!(operation.error().unwrap().code, Code::Cancelled as i32);
    let took = done_at.saturating_duration_since(cancelled_at);
    assert!(took < BOUND, "{took:?}");
}

#[test]
fn the_summary_names_the_workers() {
    let Some(fleet) = Fleet::new("summary", &[]) else {
        return;
    };
    let (front_end, url) = fleet.serve();
    let one = fleet.work("worker-1", &["--methods", "Render"]);
    assert_eq!(one.said, "worker-1 runs Render");
    let two = fleet.work("worker-2", &["--methods", "Resize,Watch"]);
    assert_eq!(two.said, "worker-2 runs Resize, Watch");
    let summary = submit(&url, &["--count", "6", "--frames", "3"]);
    assert_eq!(
        summary,
        "started 6 operations\n\
         rendered 9 frames in 3 operations\n\
         resized 3 pictures\n\
         worker-1 ended 3\n\
         worker-2 ended 3\n"
    );
    one.terminate();
    two.terminate();
    front_end.terminate();
}

#[tokio::test]
async fn an_unhosted_operation_waits_for_a_worker() {
    let Some(fleet) = Fleet::new("waits", &[]) else {
        return;
    };
    let (_front_end, url) = fleet.serve();
    let _renders = fleet.work("worker-1", &["--methods", "Render"]);
    let mut clients = Clients::connect(&url).await;
    let resize = clients.fleet.resize(ResizeRequest { time: None }).await;
    let resize = resize.unwrap().into_inner().name().to_owned();
    // The other worker looks for work meanwhile, and finds none of its own.
    let request = RenderRequest {
        frames: 1,
        frame_time: None,
    };
    let render = clients.fleet.render(request).await.unwrap().into_inner();
    clients.done(render.name()).await;
    assert!(!clients.operations.get(&resize).await.unwrap().done);
    let _resizes = fleet.work("worker-2", &["--methods", "Resize"]);
    clients.done(&resize).await;
}

#[tokio::test]
async fn a_worker_that_is_killed_is_followed_by_another() {
    let Some(fleet) = Fleet::new("killed", &[]) else {
        return;
    };
    let (_front_end, url) = fleet.serve();
    let lost = fleet.work("worker-1", &["--lease", "1000"]);
    let mut clients = Clients::connect(&url).await;
    let request = RenderRequest {
        frames: 40,
        frame_time: Some(Duration::from_millis(50).try_into().unwrap()),
    };
    let render = clients.fleet.render(request).await.unwrap().into_inner();
    while clients.runs(render.name()).await.steps_done == 0 {}
    drop(lost);
    let _next = fleet.work("worker-2", &["--lease", "1000"]);
    let done = clients.done(render.name()).await;
    let done = Operation::<RenderResponse, Progress>::from(done);
    let response = done.outcome().unwrap().response().unwrap();
    assert_eq!((response.frames, &*response.worker), (40, "worker-2"));
    assert!(response.attempts > 1, "{response:?}");
}

#[tokio::test]
async fn a_cancellation_crosses_processes_by_notification() {
    let Some(fleet) = Fleet::new("notified", &["--poll-interval", NEVER]) else {
        return;
    };
    cancel_across(&fleet).await;
}

#[tokio::test]
async fn a_cancellation_crosses_processes_within_the_polling_interval() {
    let settings = ["--no-notifications", "--poll-interval", "300"];
    let Some(fleet) = Fleet::new("polled", &settings) else {
        return;
    };
    cancel_across(&fleet).await;
}
