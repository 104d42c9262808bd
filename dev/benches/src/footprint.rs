//! Memory for each operation.

use lro_core::{ListOptions, ParentPattern};
use lro_sqlite::SqliteStore;

use crate::Setting;
use crate::service::Server;
use crate::table::print;

pub(crate) async fn run(setting: &Setting) -> anyhow::Result<()> {
    let mut rows = Vec::new();
    for (what, count, concurrency) in [
        ("pending", setting.scale(100_000), 0),
        ("running", setting.scale(10_000), usize::MAX),
    ] {
        let folder = setting.folder()?;
        let store = SqliteStore::open(folder.path().join("operations.db")).await?;
        let server = std::sync::Arc::new(Server::start(store, concurrency.max(1)).await?);
        if concurrency == 0 {
            // The one slot there is: everything after it is pending.
            server.begin("wait").await?;
        }
        let before = resident_kib(None)?;
        let tasks: Vec<_> = (0..64)
            .map(|_| {
                let server = server.clone();
                tokio::spawn(async move {
                    for _ in 0..count / 64 {
                        server.begin("wait").await?;
                    }
                    anyhow::Ok(())
                })
            })
            .collect();
        for task in tasks {
            task.await??;
        }
        let grown = resident_kib(None)?.saturating_sub(before);
        let options = ListOptions::new().page_size(1);
        let page = server.operations.list(ParentPattern::default(), &options);
        anyhow::ensure!(!page.await?.operations[0].done, "nothing has ended yet");
        rows.push(vec![
            what.to_owned(),
            (count / 64 * 64).to_string(),
            format!("{} KiB", grown),
            format!("{:.2} KiB", grown as f64 / (count / 64 * 64) as f64),
        ]);
        server.release();
    }
    print(
        "Memory for each operation (growth of the resident set)",
        &["state", "operations", "in all", "each"],
        &rows,
    );
    Ok(())
}

/// The memory that a process, this one unless named, has resident.
pub(crate) fn resident_kib(process: Option<u32>) -> anyhow::Result<u64> {
    let process = process.map_or("self".to_owned(), |id| id.to_string());
    let status = std::fs::read_to_string(format!("/proc/{process}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let number = line.and_then(|line| line.split_whitespace().next());
    Ok(number.unwrap_or("0").parse()?)
}
