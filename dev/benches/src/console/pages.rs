//! The time and the size of pages.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::Request;
use http_body_util::{BodyExt as _, Empty};
use hyper::client::conn::http1::SendRequest;
use lro_core::{ListOptions, ParentPattern};
use lro_server::Operations;

use super::load::Crowd;
use super::row;
use crate::rest::connect;

const SAMPLES: usize = 100;
const KB: f64 = 1_000.0;

pub(super) async fn measure(
    crowd: &Crowd,
    address: SocketAddr,
) -> anyhow::Result<Vec<Vec<String>>> {
    let operations = Operations::new(crowd.store.clone());
    let mut client = Client {
        connection: connect(address).await?,
        encoding: "gzip",
    };
    let mut rows = Vec::new();
    for (size, limit) in [(50, "2 ms"), (1_000, "")] {
        let (mut pages, mut lists) = (Vec::new(), Vec::new());
        let path = format!("/?rows={size}");
        for _ in 0..SAMPLES {
            let begun = Instant::now();
            client.get(&path).await?;
            pages.push(begun.elapsed());
            let options = ListOptions::new().page_size(size);
            let begun = Instant::now();
            operations.list(ParentPattern::default(), &options).await?;
            lists.push(begun.elapsed());
        }
        let (page, list) = (median(pages), median(lists));
        rows.push(row(
            format!("page of {size} rows, beyond ListOperations ({list:.2} ms)"),
            format!("{:.2} ms", page - list),
            limit,
        ));
    }
    let page = client.get("/").await?;
    rows.push(row("page of 50 rows, gzip", kilobytes(page.len()), "8 kB"));
    client.encoding = "identity";
    let html = client.get("/").await?;
    client.encoding = "gzip";
    let html = String::from_utf8_lossy(&html).into_owned();
    let mut all = page.len();
    for (ending, limit) in [(".js", "12 kB"), (".css", "8 kB"), (".svg", "")] {
        let link = html.split('"').find(|it| it.ends_with(ending));
        let link = link.ok_or_else(|| anyhow::anyhow!("the page has no {ending}"))?;
        let asset = client.get(link.trim_start_matches('.')).await?;
        all += asset.len();
        if !limit.is_empty() {
            rows.push(row(
                format!("{ending}, gzip"),
                kilobytes(asset.len()),
                limit,
            ));
        }
    }
    rows.push(row(
        "first visit, 4 requests, gzip",
        kilobytes(all),
        "30 kB",
    ));
    Ok(rows)
}

struct Client {
    connection: SendRequest<Empty<Bytes>>,
    encoding: &'static str,
}

impl Client {
    async fn get(&mut self, path: &str) -> anyhow::Result<Bytes> {
        let request = Request::get(path)
            .header("host", "localhost")
            .header("accept-encoding", self.encoding)
            .body(Empty::new())?;
        self.connection.ready().await?;
        let response = self.connection.send_request(request).await?;
        anyhow::ensure!(response.status() == 200, "{path}: {}", response.status());
        Ok(response.into_body().collect().await?.to_bytes())
    }
}

/// In milliseconds.
fn median(mut samples: Vec<Duration>) -> f64 {
    samples.sort_unstable();
    samples[samples.len() / 2].as_secs_f64() * 1e3
}

fn kilobytes(bytes: usize) -> String {
    format!("{:.1} kB", bytes as f64 / KB)
}
