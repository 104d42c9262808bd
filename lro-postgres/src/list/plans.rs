//! Lists walk along the index they are meant to, whatever the statistics say.

use tokio_postgres::NoTls;
use uuid::Uuid;

use super::statement::*;
use crate::PostgresStore;
use crate::sql::statement;

/// Restrictions, each with its statement, its arguments, and the scan expected in its plan.
fn walks() -> [(&'static str, String, &'static [&'static str]); 17] {
    let key = "9000, '00000000-0000-7000-8000-000000009000', 0, 51";
    let parents = "'{\"\"}'";
    let states = "'{\"\",\"\"}', '{/s/M,/s/N}', '{3,3}'";
    let labels = "'{\"\"}', '{\"\\\\x656e76\"}', '{\"\\\\x70726f64\"}'";
    let children = "'{\"\"}', '{operations/1}'";
    let range =
        "'{\"\"}', '{\"\\\\x656e76\"}', '{\"\\\\x\"}', '{\"\\\\x656e76\"}', '{\"\\\\xff\"}'";
    let rows = |index| -> &'static [&'static str] {
        match index {
            "all" => &["Backward using operation_by_create_time", "uid = "],
            "parents" => &["Backward using operation_by_parent ", "uid = "],
            "states" => &["Backward using operation_by_state", "uid = "],
            "children" => &["Backward using operation_by_parent_operation", "uid = "],
            _ => &["Backward using label_by_value", "uid = "],
        }
    };
    [
        (KEYS_OF_ALL, key.to_owned(), &rows("all")[..1]),
        (
            KEYS_OF_PARENTS,
            format!("{key}, {parents}"),
            &rows("parents")[..1],
        ),
        (
            KEYS_OF_PARENTS_FROM,
            format!("{key}, {parents}"),
            &["Backward using operation_by_"],
        ),
        (
            ROWS_OF_PARENTS_FROM,
            format!("{key}, {parents}"),
            &["uid = "],
        ),
        (
            KEYS_OF_STATES,
            format!("{key}, {states}"),
            &rows("states")[..1],
        ),
        (
            KEYS_OF_LABELS,
            format!("{key}, {labels}"),
            &rows("labels")[..1],
        ),
        (
            KEYS_OF_CHILDREN,
            format!("{key}, {children}"),
            &rows("children")[..1],
        ),
        (
            ROWS_OF_CHILDREN,
            format!("{key}, {children}"),
            rows("children"),
        ),
        (
            PARENT_OPERATIONS,
            "'', 9".to_owned(),
            &["using operation_by_parent_operation"],
        ),
        (ROWS_OF_ALL, key.to_owned(), rows("all")),
        (
            ROWS_OF_PARENTS,
            format!("{key}, {parents}"),
            rows("parents"),
        ),
        (ROWS_OF_STATES, format!("{key}, {states}"), rows("states")),
        (ROWS_OF_LABELS, format!("{key}, {labels}"), rows("labels")),
        (PARENTS, "'', 9".to_owned(), &["using operation_by_"]),
        (
            METHODS,
            format!("{parents}, 9"),
            &["using operation_by_state"],
        ),
        (LABELS, format!("{range}, 9"), &["using label_by_value"]),
        (
            COUNT,
            format!("{states}, 9"),
            &["Backward using operation_by_state"],
        ),
    ]
}

/// Statistics of a moment when the table was all but empty, and of one when it was full.
///
/// spec:120
#[tokio::test(flavor = "multi_thread")]
async fn every_indexed_restriction_walks_along_its_index() {
    let Some(cluster) = test_programs::postgres::shared_or_skip() else {
        return;
    };
    let schema = format!("lists {}", Uuid::new_v4().simple());
    let store = PostgresStore::builder(cluster.url()).schema(&schema);
    drop(store.notifications(false).open().await.unwrap());
    let (client, connection) = tokio_postgres::connect(cluster.url(), NoTls).await.unwrap();
    tokio::spawn(connection);
    // The label is `env: prod`.
    let fill = |from: u32, to: u32| {
        format!(
            "INSERT INTO operation (uid, revision, attempt, fence, max_attempts, retain_seconds, \
             create_time, ready_time, update_time, retain_nanos, state, on_crash, \
             name, parent, method, request, labels, parent_operation) \
             SELECT ('00000000-0000-7000-8000-' || lpad(n::text, 12, '0'))::uuid, 1, 1, 1, 9, 9, n, n, n, \
             0, CASE WHEN n % 100 = 0 THEN 0 ELSE 3 END, 0, 'operations/' || n, '', \
             CASE WHEN n % 7 = 0 THEN '/s/N' ELSE '/s/M' END, '', \
             CASE WHEN n % 3 = 0 THEN '\\x0a0b0a03656e76120470726f64'::bytea END, \
             CASE WHEN n % 50 = 1 THEN 'operations/' || n / 500 END \
             FROM generate_series({from}, {to}) n"
        )
    };
    client
        .batch_execute(&format!(
            "SET search_path = \"{schema}\"; \
             ALTER TABLE operation SET (autovacuum_enabled = off); \
             ALTER TABLE label SET (autovacuum_enabled = off); {}; ANALYZE operation, label; {}; \
             SET enable_seqscan = off; SET enable_bitmapscan = off; SET enable_sort = off; \
             SET enable_incremental_sort = off; \
             SET jit = off",
            fill(1, 3),
            fill(4, 10_000),
        ))
        .await
        .unwrap();
    for statistics in ["old", "new"] {
        for mode in ["force_generic_plan", "force_custom_plan"] {
            for (text, arguments, scans) in walks() {
                let text = statement::named(&schema, text);
                let prepare = format!("SET plan_cache_mode = {mode}; PREPARE walk AS {text}");
                client.batch_execute(&prepare).await.unwrap();
                let explain = format!("EXPLAIN (COSTS OFF) EXECUTE walk ({arguments})");
                let rows = client.query(&explain, &[]).await.unwrap();
                let plan: Vec<String> = rows.iter().map(|row| row.get(0)).collect();
                let plan = plan.join("\n");
                for scan in scans {
                    let case = format!("{statistics}, {mode}: {text}\n{plan}");
                    assert!(plan.contains(scan), "no `{scan}`: {case}");
                    for wrong in ["Seq Scan", "Hash Left", "Hash Right", "Merge Left"] {
                        assert!(!plan.contains(wrong), "{wrong}: {case}");
                    }
                    assert!(
                        !plan.contains("Filter: ((ROW"),
                        "an index range is filtered: {case}"
                    );
                }
                client.batch_execute("DEALLOCATE walk").await.unwrap();
            }
        }
        let analyze = "ANALYZE operation, label";
        client.batch_execute(analyze).await.unwrap();
    }
    let labels = client.query_one("SELECT count(*) FROM label", &[]).await;
    assert_eq!(labels.unwrap().get::<_, i64>(0), 3_333);
    client
        .batch_execute(&format!("DROP SCHEMA \"{schema}\" CASCADE"))
        .await
        .unwrap();
}
