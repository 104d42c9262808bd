//! Records in memory equal those in the file, where lists read them.

use lro_core::store::{Command, OperationState, OperationStore};

use crate::fixture::*;

#[tokio::test]
async fn an_end_in_memory_is_the_end_in_the_file() {
    let fixture = Fixture::new();
    let store = fixture.open().await;
    for (name, command, state) in [
        ("operations/1", succeed(1), OperationState::Succeeded),
        (
            "operations/2",
            Command::cancel(),
            OperationState::Cancelling,
        ),
    ] {
        start(&store, new(name)).await;
        let claimed = claim(&store, 9).await.operations.remove(0);
        assert_eq!(get(&store, name).await, Some(claimed));
        update(&store, name, command).await.unwrap();
        let known = get(&store, name).await.unwrap();
        assert_eq!(known.state, state);
        assert_eq!(list(&store).await[0], known.public_part());
    }
}

#[tokio::test]
async fn hidden_or_removed_operations_are_not_found_in_memory() {
    let fixture = Fixture::new();
    let store = fixture.open().await;
    for command in [Command::delete(), succeed(1)] {
        start(&store, new("operations/1")).await;
        claim(&store, 9).await;
        update(&store, "operations/1", command.clone())
            .await
            .unwrap();
        update(&store, "operations/1", Command::delete()).await.ok();
        assert_eq!(get(&store, "operations/1").await, None);
        if command == Command::delete() {
            update(&store, "operations/1", succeed(1)).await.unwrap();
        }
        assert_eq!(list(&store).await, []);
    }
}

#[tokio::test]
async fn a_commit_that_fails_is_not_in_memory() {
    let fixture = Fixture::new();
    let store = fixture.open().await;
    start(&store, new("operations/1")).await;
    let claimed = claim(&store, 9).await.operations.remove(0);
    let sql =
        "CREATE TABLE orphan (uid BLOB REFERENCES operation (uid) DEFERRABLE INITIALLY DEFERRED);
         CREATE TRIGGER sabotage AFTER UPDATE ON operation
         BEGIN INSERT INTO orphan VALUES (x'00'); END";
    fixture.outsider().execute_batch(sql).unwrap();
    let name = claimed.name.clone();
    let end = lro_core::store::Update::by_uid(name, claimed.uid, succeed(1));
    store.update(vec![end.clone()]).await.unwrap_err();
    assert_eq!(get(&store, "operations/1").await, Some(claimed));
    fixture
        .outsider()
        .execute_batch("DROP TRIGGER sabotage")
        .unwrap();
    store.update(vec![end]).await.unwrap().remove(0).unwrap();
    let known = get(&store, "operations/1").await.unwrap();
    assert_eq!(known.state, OperationState::Succeeded);
}
