//! Tabs without a browser: each reads a stream of server-sent events on a connection of its own.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::SocketAddr;
use std::process::{Child, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use http::Request;
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::client::conn::http1::handshake;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

use super::load::Crowd;

/// Tabs in a process of their own; it is killed when this is dropped.
pub(super) struct Tabs {
    process: Child,
    rows: Arc<AtomicU64>,
}

impl Tabs {
    /// Opens `count` tabs that show the newest page. All of them have their rows when this returns.
    pub(super) fn start(address: SocketAddr, count: usize, crowd: &Crowd) -> anyhow::Result<Self> {
        let mut process = crate::this_program()?
            .args(["--open-tabs", &address.to_string()])
            .args(["--operations", &count.to_string()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        if let Some(mut stdin) = process.stdin.take() {
            for name in crowd.shown() {
                writeln!(stdin, "{name}")?;
            }
        }
        let rows = Arc::new(AtomicU64::new(0));
        let tabs = Self { process, rows };
        tabs.opened()
    }

    fn opened(mut self) -> anyhow::Result<Self> {
        let stdout = self.process.stdout.take();
        let stdout = stdout.ok_or_else(|| anyhow::anyhow!("the tabs have no output"))?;
        let mut lines = BufReader::new(stdout).lines();
        let line = lines.next().transpose()?;
        anyhow::ensure!(line.as_deref() == Some("open"), "the tabs did not open");
        let rows = self.rows.clone();
        std::thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                rows.store(line.parse().unwrap_or(0), Ordering::Relaxed);
            }
        });
        Ok(self)
    }

    /// How many rows all of them have received.
    pub(super) fn rows(&self) -> u64 {
        self.rows.load(Ordering::Relaxed)
    }
}

impl Drop for Tabs {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// The process of [`Tabs`]: names come on the standard input. Prints `open`, and then the number of
/// rows four times a second.
pub(crate) async fn open(address: SocketAddr, count: usize) -> anyhow::Result<()> {
    let names = std::io::stdin().lines().collect::<Result<Vec<_>, _>>()?;
    let form: Vec<_> = names.iter().map(|it| format!("operation=+{it}")).collect();
    let form = Bytes::from(form.join("&"));
    let rows = Arc::new(AtomicU64::new(0));
    let mut reads = Vec::new();
    for _ in 0..count {
        let mut body = stream(address, form.clone()).await?;
        // `open`, and then the rows as they are.
        let mut seen = 0;
        while seen < names.len() {
            seen += rows_in(&mut body).await?;
        }
        let rows = rows.clone();
        reads.push(tokio::spawn(async move {
            while let Ok(count) = rows_in(&mut body).await {
                rows.fetch_add(count as u64, Ordering::Relaxed);
            }
        }));
    }
    println!("open");
    let mut ticks = tokio::time::interval(std::time::Duration::from_millis(250));
    loop {
        ticks.tick().await;
        println!("{}", rows.load(Ordering::Relaxed));
    }
}

async fn stream(address: SocketAddr, form: Bytes) -> anyhow::Result<Incoming> {
    let socket = TcpStream::connect(address).await?;
    let (mut sender, connection) = handshake(TokioIo::new(socket)).await?;
    tokio::spawn(connection);
    let request = Request::post("/events")
        .header("host", "localhost")
        .header("sec-fetch-site", "same-origin")
        .body(Full::new(form))?;
    let response = sender.send_request(request).await?;
    anyhow::ensure!(response.status() == 200, "{}", response.status());
    Ok(response.into_body())
}

/// The rows in the next piece of a stream, by the key that each of them has once.
async fn rows_in(body: &mut Incoming) -> anyhow::Result<usize> {
    let frame = body.frame().await;
    let frame = frame.ok_or_else(|| anyhow::anyhow!("the stream has ended"))??;
    let data = frame.into_data().unwrap_or_default();
    Ok(data.windows(9).filter(|it| it == b"\"percent\"").count())
}
