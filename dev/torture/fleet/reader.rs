//! The independent reader: rows through `psql`, with SQL of its own, nothing of the store's.

use std::collections::BTreeMap;

use anyhow::{Context as _, anyhow};
use test_programs::postgres::Cluster;

use torture::audit::Found;
use torture::node::SCHEMA;

/// All operations, by name.
pub(super) fn read(cluster: &Cluster) -> anyhow::Result<BTreeMap<String, Found>> {
    let rows = cluster.sql(&format!(
        "SELECT name, fence, (cancel_time IS NOT NULL)::int, (delete_time IS NOT NULL)::int, \
         (end_time IS NOT NULL)::int, coalesce(result_kind::text, ''), \
         coalesce(encode(result, 'hex'), ''), encode(request, 'hex') FROM {SCHEMA}.operation"
    ))?;
    let rows = rows.lines().filter(|row| !row.is_empty());
    rows.map(|row| parse(row).with_context(|| format!("the row `{row}`")))
        .collect()
}

/// How many have not ended.
pub(super) fn unfinished(cluster: &Cluster) -> anyhow::Result<u64> {
    let sql = format!("SELECT count(*) FROM {SCHEMA}.operation WHERE end_time IS NULL");
    Ok(cluster.sql(&sql)?.parse()?)
}

fn parse(row: &str) -> anyhow::Result<(String, Found)> {
    let columns: Vec<_> = row.split('|').collect();
    let [name, fence, cancel, delete, end, kind, result, request] = *columns else {
        return Err(anyhow!("it has {} columns", columns.len()));
    };
    let result = match kind {
        "" => None,
        kind => Some((kind.parse()?, bytes(result)?)),
    };
    let found = Found {
        fence: fence.parse()?,
        cancel_asked: cancel == "1",
        hidden: delete == "1",
        ended: end == "1",
        result,
        request: bytes(request)?,
    };
    Ok((name.to_owned(), found))
}

fn bytes(hex: &str) -> anyhow::Result<Vec<u8>> {
    let pair = |at: usize| hex.get(at..at + 2).context("half a byte");
    (0..hex.len())
        .step_by(2)
        .map(|at| Ok(u8::from_str_radix(pair(at)?, 16)?))
        .collect()
}
