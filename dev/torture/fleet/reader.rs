//! The independent reader: rows through `psql`, with SQL of its own, nothing of the store's.

use std::collections::BTreeMap;

use anyhow::{Context as _, anyhow};
use test_programs::postgres::Cluster;

use torture::audit::Found;
use torture::family;
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

/// The operations of families, and all steps.
pub(super) fn families(cluster: &Cluster) -> anyhow::Result<family::Found> {
    let operations = cluster.sql(&format!(
        "SELECT encode(uuid_send(uid), 'hex'), name, encode(request, 'hex'), \
         coalesce(end_time::text, ''), coalesce(result_kind::text, ''), \
         coalesce(encode(result, 'hex'), ''), coalesce(encode(parent_step, 'hex'), '') \
         FROM {SCHEMA}.operation WHERE {}",
        family::OF_FAMILIES
    ))?;
    let steps = cluster.sql(&format!(
        "SELECT encode(uuid_send(uid), 'hex'), key, coalesce(end_time::text, ''), \
         coalesce(value_kind::text, ''), coalesce(encode(value, 'hex'), ''), \
         coalesce(encode(child, 'hex'), '') FROM {SCHEMA}.operation_step"
    ))?;
    let operations = operations.lines().filter(|row| !row.is_empty());
    let operations =
        operations.map(|row| operation(row).with_context(|| format!("the row `{row}`")));
    let steps = steps.lines().filter(|row| !row.is_empty());
    let steps = steps.map(|row| step(row).with_context(|| format!("the row `{row}`")));
    Ok(family::Found {
        operations: operations.collect::<Result<_, _>>()?,
        steps: steps.collect::<Result<_, _>>()?,
    })
}

fn operation(row: &str) -> anyhow::Result<family::OperationRow> {
    let columns: Vec<_> = row.split('|').collect();
    let [uid, name, request, end, kind, result, parent] = *columns else {
        return Err(anyhow!("it has {} columns", columns.len()));
    };
    let columns = family::OperationColumns {
        uid: bytes(uid)?,
        name: name.to_owned(),
        request: bytes(request)?,
        end_time: some(end).map(str::parse).transpose()?,
        result: value(kind, result)?,
        parent: some(parent).map(bytes).transpose()?,
    };
    columns.decode()
}

fn step(row: &str) -> anyhow::Result<family::StepRow> {
    let columns: Vec<_> = row.split('|').collect();
    let [uid, key, end, kind, result, child] = *columns else {
        return Err(anyhow!("it has {} columns", columns.len()));
    };
    let child = some(child).map(bytes).transpose()?;
    Ok(family::StepRow {
        uid: bytes(uid)?,
        key: key.to_owned(),
        end_time: some(end).map(str::parse).transpose()?,
        value: value(kind, result)?,
        child: family::child(child.as_deref())?,
    })
}

fn some(column: &str) -> Option<&str> {
    (!column.is_empty()).then_some(column)
}

fn value(kind: &str, bytes_in_hex: &str) -> anyhow::Result<Option<(i64, Vec<u8>)>> {
    let kind = some(kind).map(str::parse::<i64>).transpose()?;
    kind.map(|kind| Ok((kind, bytes(bytes_in_hex)?)))
        .transpose()
}

fn bytes(hex: &str) -> anyhow::Result<Vec<u8>> {
    let pair = |at: usize| hex.get(at..at + 2).context("half a byte");
    (0..hex.len())
        .step_by(2)
        .map(|at| Ok(u8::from_str_radix(pair(at)?, 16)?))
        .collect()
}
