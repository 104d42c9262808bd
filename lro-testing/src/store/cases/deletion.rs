use lro_core::store::{Change, Command, OperationOutcome, OperationState, Refusal, Update};

use crate::store::build::*;
use crate::store::trial::Trial;

/// spec:75
pub(crate) async fn a_done_operation_is_removed(trial: Trial) {
    let mut record = trial.running("operations/a").await;
    trial.apply(&mut record, succeed(1, "r")).await.unwrap();
    let removed = trial.apply(&mut record, Command::delete()).await.unwrap();
    assert_eq!(removed.change, Change::Removed);
    assert_eq!(removed.state, OperationState::Succeeded);
    assert_eq!(trial.get(&record.name).await, None);
    assert_eq!(trial.list("").await, [""; 0]);
}

/// spec:72
pub(crate) async fn deleting_a_running_operation_hides_it(trial: Trial) {
    let mut record = trial.running("operations/a").await;
    let updated = trial.apply(&mut record, Command::delete()).await.unwrap();
    assert_eq!(updated.change, Change::Record);
    assert_eq!(
        updated.state,
        OperationState::Running,
        "it is not cancelled"
    );
    assert_eq!(trial.get(&record.name).await, None);
    assert_eq!(trial.list("").await, [""; 0]);
}

pub(crate) async fn a_hidden_operation_is_still_its_holders(trial: Trial) {
    let mut record = trial.running("operations/a").await;
    trial.apply(&mut record, Command::delete()).await.unwrap();
    trial
        .apply(&mut record, renew(1, Some(any("m"))))
        .await
        .unwrap();
    trial
        .apply(&mut record, checkpoint(1, any("c")))
        .await
        .unwrap();
    trial.apply(&mut record, retry(1, secs(0))).await.unwrap();
    trial.reclaim(&mut record).await;
    let stale = trial.apply(&mut record, succeed(1, "r")).await;
    assert_eq!(stale, Err(Refusal::Stale));
    let end = trial.apply(&mut record, succeed(2, "r")).await.unwrap();
    assert_eq!(end.change, Change::Removed);
}

pub(crate) async fn a_hidden_operation_is_removed_at_every_end(trial: Trial) {
    let ends = [
        succeed(1, "r"),
        finish(1, OperationOutcome::Error(failure(5))),
        finish(1, OperationOutcome::Cancelled),
    ];
    for end in ends {
        let operation = trial.operation("operations/a").request_id("r", 1);
        let mut record = trial.running_from(operation.exclusive("k")).await;
        trial.apply(&mut record, Command::delete()).await.unwrap();
        let end = trial.apply(&mut record, end).await.unwrap();
        assert_eq!(end.change, Change::Removed);
        let late = trial.update(&record.name, renew(1, None)).await;
        assert_eq!(late, Err(Refusal::NotFound));
    }
    let last = trial.operation("operations/a").request_id("r", 2);
    trial.started(last.exclusive("k")).await;
}

/// spec:74
pub(crate) async fn a_second_delete_is_not_found(trial: Trial) {
    let mut hidden = trial.running("operations/a").await;
    trial.apply(&mut hidden, Command::delete()).await.unwrap();
    let second = trial.apply(&mut hidden, Command::delete()).await;
    assert_eq!(second, Err(Refusal::NotFound));
    let mut done = trial.running("operations/b").await;
    trial.apply(&mut done, succeed(1, "r")).await.unwrap();
    trial.apply(&mut done, Command::delete()).await.unwrap();
    let second = trial.update(&done.name, Command::delete()).await;
    assert_eq!(second, Err(Refusal::NotFound));
}

pub(crate) async fn a_removed_name_begins_anew(trial: Trial) {
    let operation = trial.operation("operations/a").request_id("r", 1);
    let mut record = trial.running_from(operation).await;
    trial.apply(&mut record, succeed(1, "old")).await.unwrap();
    trial.apply(&mut record, Command::delete()).await.unwrap();
    let anew = trial.operation("operations/a").request_id("r", 2);
    let anew = trial.started(anew).await;
    assert_eq!((anew.fence, anew.result), (0, None));
    assert_eq!(trial.claimed_names(9).await, ["operations/a"]);
}

pub(crate) async fn a_hidden_name_is_taken_until_the_end(trial: Trial) {
    let mut record = trial.running("operations/a").await;
    trial.apply(&mut record, Command::delete()).await.unwrap();
    let taken = lro_core::store::StartError::AlreadyExists(record.name.clone());
    let again = trial.operation("operations/a");
    assert_eq!(trial.start(again).await, Err(taken));
    trial.apply(&mut record, succeed(1, "r")).await.unwrap();
    trial.pending("operations/a").await;
}

pub(crate) async fn a_pending_operation_that_is_deleted_runs_unseen(trial: Trial) {
    let mut record = trial.pending("operations/a").await;
    let updated = trial.apply(&mut record, Command::delete()).await.unwrap();
    assert_eq!(updated.state, OperationState::Pending, "spec:66");
    trial.reclaim(&mut record).await;
    let end = trial.apply(&mut record, succeed(1, "r")).await.unwrap();
    assert_eq!(end.change, Change::Removed);
    trial.pending("operations/a").await;
}

pub(crate) async fn a_holder_of_a_former_operation_of_the_name_changes_nothing(trial: Trial) {
    let mut old = trial.running("operations/a").await;
    trial.advance(LEASE);
    trial.advance(secs(1));
    trial.expire(&mut old).await;
    trial.apply(&mut old, Command::cancel()).await.unwrap();
    trial.apply(&mut old, Command::delete()).await.unwrap();
    // Same name, same fence.
    let new = trial.running("operations/a").await;
    assert_eq!(new.fence, 1);
    for command in [
        renew(1, Some(any("m"))),
        checkpoint(1, any("c")),
        succeed(1, "stale"),
        retry(1, secs(0)),
        release(1),
        Command::Expire,
        Command::cancel(),
        Command::delete(),
    ] {
        let stale = Update::by_uid(old.name.clone(), old.uid, command.clone());
        let answer = trial.update_all(vec![stale]).await.remove(0);
        assert_eq!(answer, Err(Refusal::NotFound), "{command:?}");
        assert_eq!(trial.get(&new.name).await.as_ref(), Some(&new));
    }
    // Nor does one who has the right uid and another's name.
    let other = trial.running("operations/b").await;
    let mixed = Update::by_uid(other.name, new.uid, succeed(1, "mixed"));
    let own = Update::by_uid(new.name.clone(), new.uid, succeed(1, "own"));
    let answers = trial.update_all(vec![mixed, own]).await;
    assert_eq!(answers[0], Err(Refusal::NotFound));
    assert_eq!(
        answers[1].as_ref().unwrap().state,
        OperationState::Succeeded
    );
}
