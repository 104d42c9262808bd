//! The same operations, written by SQL: a million of them by calls would take an hour.

use std::time::Instant;

use lro_core::store::kit::encode_labels;
use lro_core::{Reason, pack};
use lro_postgres::PostgresStore;
use prost::Message as _;
use test_programs::postgres::Cluster;
use tokio_postgres::NoTls;

use super::{FIRST, LARGE, RARE, SMALL, STEP, measure};
use crate::Setting;

pub(crate) async fn run(setting: &Setting) -> anyhow::Result<()> {
    let large = setting.scale(LARGE);
    let cluster = Cluster::start()?;
    let (client, connection) = tokio_postgres::connect(&cluster.url(), NoTls).await?;
    let connection = tokio::spawn(connection);
    let begun = Instant::now();
    let mut stores = Vec::new();
    for (schema, size) in [("small", SMALL), ("large", large)] {
        let store = PostgresStore::builder(cluster.url()).schema(schema);
        let store = store.open().await?;
        client.batch_execute(&fill(schema, size)).await?;
        let vacuum = format!("VACUUM (ANALYZE) {schema}.operation, {schema}.label");
        client.batch_execute(&vacuum).await?;
        while !store.is_listening() {
            tokio::task::yield_now().await;
        }
        stores.push((size, store));
    }
    client.batch_execute("CHECKPOINT").await?;
    println!("{large} operations were written in {:.0?}", begun.elapsed());
    let stores = <[_; 2]>::try_from(stores);
    let stores = stores.map_err(|_| anyhow::anyhow!("two stores were filled"))?;
    measure("PostgreSQL", stores).await?;
    connection.abort();
    Ok(())
}

/// The SQL for the same operations as [`fill`](super::fill), as the store would leave them: in each
/// hundredth part, one is by a rare method, one runs, one has failed, and one has the rare label.
fn fill(schema: &str, size: usize) -> String {
    let request = pack(&exporter::pb::ExportRequest {
        tables: vec!["x".repeat(100)],
    });
    let error = Reason::Unimplemented.operation_error("no", []);
    let (request, response) = (hex(&request.encode_to_vec()), pack(&()));
    let (response, error) = (hex(&response.encode_to_vec()), hex(&error.encode_to_vec()));
    let label = |kind: &str| {
        let labels = [("kind".to_owned(), kind.to_owned())];
        hex(&encode_labels(&labels.into()))
    };
    let (rare, common) = (label("rare"), label("common"));
    let every = size / RARE;
    // As many share a create time as are started together.
    format!(
        "INSERT INTO {schema}.operation (uid, revision, attempt, fence, max_attempts, \
         retain_seconds, create_time, ready_time, update_time, start_time, end_time, expire_time, \
         lease_expire_time, lease_worker, retain_nanos, state, on_crash, result_kind, name, parent, \
         method, labels, result, request) \
         SELECT (lpad(to_hex(n.i), 12, '0') || '70008000000000000000')::uuid, 1, 0, 0, 10, 2592000, \
         n.at, n.at, n.at, CASE WHEN n.kind = 2 THEN n.at END, \
         CASE WHEN n.kind <> 2 THEN n.at END, CASE WHEN n.kind <> 2 THEN n.at + 2592000000000 END, \
         CASE WHEN n.kind = 2 THEN n.at + 3600000000 END, \
         CASE WHEN n.kind = 2 THEN '00000000-0000-0000-0000-000000000001'::uuid END, 0, \
         CASE n.kind WHEN 2 THEN 1 WHEN 3 THEN 4 ELSE 3 END, 0, \
         CASE n.kind WHEN 2 THEN NULL WHEN 3 THEN 1 ELSE 0 END, \
         'operations/' || lpad(n.i::text, 8, '0'), '', \
         CASE n.kind WHEN 1 THEN '/bench.Service/Rare' ELSE '/bench.Service/Common' END, \
         CASE WHEN n.kind = 4 THEN {rare} WHEN n.i % 2 = 0 THEN {common} END, \
         CASE n.kind WHEN 2 THEN NULL WHEN 3 THEN {error} ELSE {response} END, {request} \
         FROM (SELECT i, i % {every} AS kind, {FIRST} + (i / 20 * 20) * {STEP} AS at \
         FROM generate_series(0::bigint, {size} - 1) AS i) AS n"
    )
}

fn hex(bytes: &[u8]) -> String {
    let digits: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("'\\x{digits}'::bytea")
}
