//! Statements by id go by the primary key, whatever the statistics say.

use tokio_postgres::NoTls;
use uuid::Uuid;

use crate::PostgresStore;
use crate::sql::database::PLANS;
use crate::sql::statement;

/// Statistics of a moment when nothing was running, and 20,000 running operations since. The
/// planner takes an index over what it believes to be empty, if a statement lets it.
#[tokio::test(flavor = "multi_thread")]
async fn stale_statistics_mislead_no_statement() {
    let Some(cluster) = test_programs::postgres::shared_or_skip() else {
        return;
    };
    let schema = format!("plans {}", Uuid::new_v4().simple());
    let store = PostgresStore::builder(cluster.url()).schema(&schema);
    drop(store.notifications(false).open().await.unwrap());
    let (client, connection) = tokio_postgres::connect(cluster.url(), NoTls).await.unwrap();
    tokio::spawn(connection);
    let fill = |from: u32, to: u32, state: u32, lease: &str| {
        format!(
            "INSERT INTO operation (uid, revision, attempt, fence, max_attempts, retain_seconds, \
             create_time, ready_time, update_time, lease_expire_time, retain_nanos, state, on_crash, \
             name, parent, method, request, end_time, expire_time) \
             SELECT ('00000000-0000-7000-8000-' || lpad(n::text, 12, '0'))::uuid, 1, 1, 1, 9, 9, n, n, n, \
             {lease}, 0, {state}, 0, 'operations/' || n, '', '/s/M', '', nullif({state}, 1), \
             nullif({state}, 1) FROM generate_series({from}, {to}) n"
        )
    };
    client
        .batch_execute(&format!(
            "SET search_path = \"{schema}\"; \
             ALTER TABLE operation SET (autovacuum_enabled = off); {}; ANALYZE operation; {}",
            fill(1, 20_000, 3, "NULL"),
            fill(20_001, 40_000, 1, "n")
        ))
        .await
        .unwrap();
    let table = format!("\"{schema}\".operation");
    let uids = "'{00000000-0000-7000-8000-000000030001,00000000-0000-7000-8000-000000030002}'";
    let nulls = |count: usize| vec!["NULL"; count].join(", ");
    let statements = [
        (statement::LOCK, uids.to_owned()),
        (
            statement::LOCK_NAMED,
            "'{}', '{operations/30001,operations/30002}'".to_owned(),
        ),
        (statement::RENEW, format!("{uids}, '{{7,8}}'")),
        (statement::ADVANCE, format!("{uids}, {}", nulls(22))),
        (statement::END, format!("{uids}, {}", nulls(9))),
        (statement::REMOVE, uids.to_owned()),
        (statement::GET, "'{operations/30001}'".to_owned()),
        (
            statement::NAMES_BY_ID,
            format!("{uids}, '{{operations/30003}}'"),
        ),
    ];
    let modes = ["force_generic_plan", "force_custom_plan"];
    let modes = modes.map(|mode| format!("SET plan_cache_mode = {mode}"));
    for mode in modes.into_iter().chain([PLANS.to_owned()]) {
        for (n, (text, arguments)) in statements.iter().enumerate() {
            let text = text.replace("{operation}", &table);
            client
                .batch_execute(&format!("{mode}; PREPARE plan{n} AS {text}"))
                .await
                .unwrap();
            let explain = format!("EXPLAIN EXECUTE plan{n} ({arguments})");
            let rows = client.query(&explain, &[]).await.unwrap();
            let plan: Vec<String> = rows.iter().map(|row| row.get(0)).collect();
            let plan = plan.join("\n");
            assert!(
                plan.contains("operation_by_uid") || plan.contains("operation_by_name"),
                "{plan}"
            );
            for wrong in [
                "Seq Scan on operation",
                "operation_leased",
                "operation_ready",
            ] {
                assert!(
                    !plan.contains(wrong),
                    "{mode}: {wrong} in {plan}\nof {text}"
                );
            }
            client
                .batch_execute(&format!("DEALLOCATE plan{n}"))
                .await
                .unwrap();
        }
    }
    client
        .batch_execute(&format!("DROP SCHEMA \"{schema}\" CASCADE"))
        .await
        .unwrap();
}

/// A plan that is kept is made when there is little to go through, and used when there is much.
#[tokio::test(flavor = "multi_thread")]
async fn a_plan_for_an_empty_table_goes_by_an_index() {
    let Some(cluster) = test_programs::postgres::shared_or_skip() else {
        return;
    };
    let schema = format!("plans {}", Uuid::new_v4().simple());
    let store = PostgresStore::builder(cluster.url()).schema(&schema);
    drop(store.notifications(false).open().await.unwrap());
    let (client, connection) = tokio_postgres::connect(cluster.url(), NoTls).await.unwrap();
    tokio::spawn(connection);
    client.batch_execute(PLANS).await.unwrap();
    let nulls = |count: usize| vec!["NULL"; count].join(", ");
    let table = format!("\"{schema}\".operation");
    let statements = [
        (statement::LOCK, 1, "operation_by_uid"),
        (statement::LOCK_NAMED, 2, "operation_by_uid"),
        (statement::LOCK_FREE, 2, "operation_by_uid"),
        (statement::LOCK_FAMILY, 1, "operation_by_uid"),
        (statement::NAMES_OF_FAMILY, 1, "operation_by_uid"),
        (statement::ADVANCE, 23, "operation_by_uid"),
        (statement::RECORD, 25, "operation_by_uid"),
        (statement::RECORD, 25, "operation_step_by_key"),
        (statement::STEPS_BY_KEY, 3, "operation_step_by_key"),
        (statement::STEP_PAGE, 4, "operation_step_by_key"),
        (statement::END, 10, "operation_by_uid"),
        (statement::RENEW, 2, "operation_by_uid"),
        (statement::REMOVE, 1, "operation_by_uid"),
        (statement::GET, 1, "operation_by_name"),
        (statement::BY_REQUEST, 1, "operation_by_request"),
        (statement::PURGE, 2, "operation_expiring"),
        (statement::LOOK, 4, "operation_ready"),
        (statement::LOOK, 4, "operation_wake_by_id"),
        (statement::SWEEP, 3, "operation_leased"),
        (statement::CLAIM, 8, "operation_ready"),
    ];
    for (n, (text, parameters, index)) in statements.into_iter().enumerate() {
        let text = text.replace("{operation}", &table);
        let text = text.replace("{step}", &format!("\"{schema}\".operation_step"));
        let text = text.replace("{wake}", &format!("\"{schema}\".operation_wake"));
        let prepare = format!("PREPARE plan{n} AS {text}");
        client.batch_execute(&prepare).await.unwrap();
        let explain = format!("EXPLAIN EXECUTE plan{n} ({})", nulls(parameters));
        let rows = client.query(&explain, &[]).await.unwrap();
        let plan: Vec<String> = rows.iter().map(|row| row.get(0)).collect();
        let plan = plan.join("\n");
        assert!(
            plan.contains(index) && plan.contains("Index Cond"),
            "{plan}\nof {text}"
        );
        if text.contains("LIMIT") && text.starts_with("DELETE") {
            let bound = |line: &str| line.contains("Index Cond") && line.contains("expire_time <=");
            assert!(plan.lines().any(bound), "{plan}\nof {text}");
        }
        for wrong in ["Seq Scan on operation", "Hash Join", "Merge Join"] {
            assert!(!plan.contains(wrong), "{wrong} in {plan}\nof {text}");
        }
    }
    client
        .batch_execute(&format!("DROP SCHEMA \"{schema}\" CASCADE"))
        .await
        .unwrap();
}

/// A recorded step makes no entry in any index of operations: the new version of the row is on the
/// page of the one before.
#[tokio::test(flavor = "multi_thread")]
async fn a_recorded_step_changes_no_index_of_operations() {
    let Some(cluster) = test_programs::postgres::shared_or_skip() else {
        return;
    };
    let schema = format!("plans {}", Uuid::new_v4().simple());
    let store = PostgresStore::builder(cluster.url()).schema(&schema);
    drop(store.notifications(false).open().await.unwrap());
    let (client, connection) = tokio_postgres::connect(cluster.url(), NoTls).await.unwrap();
    tokio::spawn(connection);
    let uid = "'{00000000-0000-7000-8000-000000000001}'";
    let record = statement::RECORD
        .replace("{operation}", "operation")
        .replace("{step}", "operation_step");
    let arguments = format!(
        "{uid}, '{{1}}', '{{1}}', '{{1}}', '{{2}}', '{{1}}', '{{m}}', '{{s}}', {uid}, '{{1}}', '{{1}}', \
         '{{0}}', '{{a}}', '{{1}}', '{{0}}', '{{1}}', '{{1}}', '{{t}}', '{{0}}', '{{f}}', '{{NULL}}', \
         '{{NULL}}', '{{NULL}}', '{{NULL}}', NULL"
    );
    client
        .batch_execute(&format!(
            "SET search_path = \"{schema}\"; \
             INSERT INTO operation (uid, revision, attempt, fence, max_attempts, retain_seconds, \
             create_time, ready_time, update_time, lease_expire_time, retain_nanos, state, on_crash, \
             name, parent, method, request) \
             SELECT u, 1, 1, 1, 9, 9, 1, 1, 1, 1, 0, 1, 0, 'operations/1', '', '/s/M', '' \
             FROM unnest({uid}::uuid[]) u; \
             PREPARE record AS {record}; BEGIN; EXECUTE record ({arguments})"
        ))
        .await
        .unwrap();
    let counts = "SELECT n_tup_upd, n_tup_hot_upd FROM pg_stat_xact_user_tables \
                  WHERE relid = 'operation'::regclass";
    let counts = client.query_one(counts, &[]).await.unwrap();
    assert_eq!((counts.get(0), counts.get(1)), (1_i64, 1_i64));
    let steps = "SELECT count(*) FROM operation_step";
    let steps = client.query_one(steps, &[]).await.unwrap();
    assert_eq!(steps.get::<_, i64>(0), 1);
    client
        .batch_execute(&format!("ROLLBACK; DROP SCHEMA \"{schema}\" CASCADE"))
        .await
        .unwrap();
}
