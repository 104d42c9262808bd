//! The console over a million operations, and 10,000 changes a second on the screen.
//!
//! Tabs are a process of its own, so that the memory and the processor time of this one are the server's.

mod browser;
mod load;
mod pages;
mod tabs;

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use lro_console::Console;
use lro_server::Operations;
use tokio::net::TcpListener;

use crate::Setting;
use crate::footprint::resident_kib;
use crate::table::print;
use load::Crowd;
use tabs::Tabs;
pub(crate) use tabs::open as open_tabs;

const OPERATIONS: usize = 1_000_000;
/// Changes a second, on the rows of one page.
const CHANGES: u64 = 10_000;
/// As many tabs as the limits for memory and for idling are about.
const MANY_TABS: usize = 1_000;
/// Tabs that show rows which change all the time.
const BUSY_TABS: [usize; 4] = [0, 1, 10, 100];

pub(crate) async fn run(setting: &Setting) -> anyhow::Result<()> {
    let folder = setting.folder()?;
    let size = setting.scale(OPERATIONS);
    let begun = Instant::now();
    let crowd = Crowd::write(&folder.path().join("operations.db"), size).await?;
    println!("{size} operations were written in {:.0?}", begun.elapsed());
    let site = Site::open(&crowd).await?;

    let mut rows = pages::measure(&crowd, site.address).await?;
    rows.extend(many_tabs(setting, site.address, &crowd).await?);
    rows.extend(changes(setting, site.address, &crowd).await?);
    match browser::measure(setting, site.address, &crowd).await {
        Ok(measured) => rows.extend(measured),
        Err(error) => println!("without Chromium: {error:#}"),
    }
    print(
        &format!("The console over {size} operations (SQLite)"),
        &["what", "measured", "limit"],
        &rows,
    );
    Ok(())
}

/// A row of the table.
fn row(what: impl Into<String>, measured: String, limit: &str) -> Vec<String> {
    vec![what.into(), measured, limit.to_owned()]
}

/// The console on a port.
struct Site {
    address: SocketAddr,
    served: tokio::task::JoinHandle<std::io::Result<()>>,
}

impl Site {
    async fn open(crowd: &Crowd) -> anyhow::Result<Self> {
        let operations = Operations::builder(crowd.store.clone())
            .file_descriptor_set(exporter::pb::FILE_DESCRIPTOR_SET)?
            .build();
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let console = Console::of_server(&operations)?;
        let served = tokio::spawn(console.serve(listener, std::future::pending()));
        Ok(Self { address, served })
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        self.served.abort();
    }
}

/// The cost of tabs that are open, while nothing changes.
async fn many_tabs(
    setting: &Setting,
    address: SocketAddr,
    crowd: &Crowd,
) -> anyhow::Result<Vec<Vec<String>>> {
    let count = setting.scale(MANY_TABS);
    // The first ones bring what all tabs share.
    let first = Tabs::start(address, 10, crowd)?;
    let before = resident_kib(None)?;
    let tabs = Tabs::start(address, count, crowd)?;
    let each = resident_kib(None)?.saturating_sub(before) as f64 / count as f64;
    let idle = share(Duration::from_secs(10)).await?;
    drop((first, tabs));
    Ok(vec![
        row(
            "memory of a tab of 50 rows",
            format!("{each:.1} KiB"),
            "64 KiB",
        ),
        row(
            format!("{count} tabs, nothing changes: of a core"),
            percent(idle),
            "5 %",
        ),
    ])
}

/// The cost of changes for the server, beyond that of making them.
async fn changes(
    setting: &Setting,
    address: SocketAddr,
    crowd: &Crowd,
) -> anyhow::Result<Vec<Vec<String>>> {
    let span = setting.span() * 4;
    let changing = crowd.change(CHANGES);
    let mut rows = Vec::new();
    let mut alone = 0.0;
    for count in BUSY_TABS {
        let tabs = (count > 0).then(|| Tabs::start(address, count, crowd));
        let tabs = tabs.transpose()?;
        let made = changing.made();
        let (begun, events) = (Instant::now(), tabs.as_ref().map_or(0, Tabs::rows));
        let share = share(span).await?;
        let took = begun.elapsed().as_secs_f64();
        let events = tabs.as_ref().map_or(0, Tabs::rows) - events;
        let rate = (changing.made() - made) as f64 / took;
        if count == 0 {
            alone = share;
            let measured = format!("{} at {rate:.0} changes/s", percent(share));
            rows.push(row("making the changes, no tab: of a core", measured, ""));
            continue;
        }
        let measured = format!(
            "{} at {rate:.0} changes/s, {:.0} rows/s sent to each",
            percent(share - alone),
            events as f64 / took / count as f64
        );
        rows.push(row(
            format!("{count} tabs besides: of a core"),
            measured,
            "",
        ));
    }
    Ok(rows)
}

/// The processor time of this process while it waits, as a share of one core.
async fn share(span: Duration) -> anyhow::Result<f64> {
    let (before, begun) = (processor_seconds()?, Instant::now());
    tokio::time::sleep(span).await;
    Ok((processor_seconds()? - before) / begun.elapsed().as_secs_f64())
}

/// The processor time that this process has taken, from `/proc`, whose unit is 10 ms.
fn processor_seconds() -> anyhow::Result<f64> {
    let stat = std::fs::read_to_string("/proc/self/stat")?;
    let (_, fields) = stat.rsplit_once(") ").unwrap_or_default();
    let ticks = fields.split(' ').skip(11).take(2);
    let ticks: u64 = ticks.filter_map(|it| it.parse::<u64>().ok()).sum();
    Ok(ticks as f64 / 100.0)
}

fn percent(share: f64) -> String {
    format!("{:.1} %", share * 100.0)
}
