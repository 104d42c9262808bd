//! The cost for a browser: Chromium, as far as it and Node are there.

use std::net::SocketAddr;
use std::process::Command;

use anyhow::Context as _;
use test_programs::Environment;

use super::load::Crowd;
use super::{CHANGES, row};
use crate::Setting;

const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/src/console/browser.mjs");

pub(super) async fn measure(
    setting: &Setting,
    address: SocketAddr,
    crowd: &Crowd,
) -> anyhow::Result<Vec<Vec<String>>> {
    let folder = setting.folder()?;
    let environment = folder.path().to_owned();
    let made = tokio::task::spawn_blocking(move || {
        Environment::CONSOLE
            .make(&environment)
            .map_err(|error| anyhow::anyhow!("{error}"))
    });
    let modules = made.await??.join("node_modules");
    let run = async |what: &'static str| {
        let mut node = Command::new("node");
        node.arg(SCRIPT).arg(&modules);
        node.arg(format!("http://{address}/")).arg(what);
        let output = tokio::task::spawn_blocking(move || node.output()).await??;
        let error = String::from_utf8_lossy(&output.stderr).into_owned();
        anyhow::ensure!(output.status.success(), "{error}");
        let output = String::from_utf8(output.stdout)?;
        let numbers: Result<Vec<f64>, _> = output.split_whitespace().map(str::parse).collect();
        numbers.context("numbers of the browser")
    };
    let mut rows = Vec::new();
    if let [paint, requests, nodes, load] = run("load").await?[..] {
        rows.push(row(
            "first paint, 50 rows",
            format!("{paint:.0} ms"),
            "200 ms",
        ));
        rows.push(row(
            "requests of the first visit",
            format!("{requests}"),
            "4",
        ));
        rows.push(row("nodes of the page", format!("{nodes}"), ""));
        rows.push(row(
            "1,000 rows, until the load event",
            format!("{load:.0} ms"),
            "800 ms",
        ));
    }
    let idle = run("live").await?;
    let changing = crowd.change(CHANGES);
    let busy = run("live").await?;
    drop(changing);
    for (what, shares, limit) in [
        ("nothing changes", idle, ""),
        ("10,000 changes/s", busy, "15 %"),
    ] {
        let [main, patches] = shares[..] else {
            anyhow::bail!("two numbers, not {shares:?}")
        };
        let measured = format!("{main:.1} %, {patches:.0} rows/s patched");
        rows.push(row(
            format!("50 rows, {what}: of the main thread"),
            measured,
            limit,
        ));
    }
    Ok(rows)
}
