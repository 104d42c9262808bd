use super::*;

/// Starts what must be refused, and leaves parent and child as they are.
async fn refused(it: &Composed<'_>, new: NewOperation) -> StartError {
    let name = new.name.clone();
    let before = it.trial.get(&name).await;
    let error = it.trial.start(new).await.unwrap_err();
    assert_eq!(it.trial.get(&name).await, before, "{error}");
    it.check().await;
    error
}

/// Starts what has been started before.
async fn found(it: &Composed<'_>, new: NewOperation, expected: &OperationRecord) {
    let answer = it.trial.start(new).await.unwrap();
    let record = expected.clone();
    let existing = true;
    assert_eq!(answer, Started { record, existing });
    it.check().await;
}

/// steps:C2
pub(crate) async fn a_child_is_stored_with_its_step(trial: Trial) {
    if !keeps_steps(&trial).await {
        return;
    }
    let log = trial.observe();
    let (it, child) = family(&trial, "operations/a").await;
    assert!(it.record.owes());
    let row = &it.rows[&key("a")];
    let of_row = row.child.as_deref().unwrap();
    assert_eq!(
        (&of_row.name, of_row.uid, of_row.is_left),
        (&child.name, child.uid, false)
    );
    let parent = child.parent_step.as_deref().unwrap();
    assert_eq!(
        (&parent.operation, parent.uid),
        (&it.record.name, it.record.uid)
    );
    log.wait_for(
        "the child is ready",
        |event| matches!(event, StoreEvent::Ready { method, .. } if method == OTHER),
    )
    .await;
    log.wait_for_change(&it.record.name, |state, _| state == OperationState::Running)
        .await;
}

/// steps:C7
pub(crate) async fn a_parent_that_refuses_stores_no_child(trial: Trial) {
    if !keeps_steps(&trial).await {
        return;
    }
    let of_parent = |refusal| StartError::Child(ChildRefusal::Parent(refusal));
    let mut it = Composed::running(&trial, "operations/a").await;
    it.update(record(1), vec![done("b", "1")]).await.unwrap();
    let changed = |change: fn(&mut ChildOf)| {
        let mut new = child(&it, "a", "operations/child");
        change(new.child_of.as_mut().unwrap());
        new
    };
    let stale = changed(|of| of.fence += 1);
    assert_eq!(refused(&it, stale).await, of_parent(Refusal::Stale));
    let unknown = changed(|of| of.uid = uid(99));
    assert_eq!(refused(&it, unknown).await, of_parent(Refusal::NotFound));
    let other = changed(|of| of.operation = name("operations/other"));
    assert_eq!(refused(&it, other).await, of_parent(Refusal::NotFound));
    let differs = changed(|of| of.step.key = key("b"));
    let refusal = Refusal::StepKindDiffers(key("b"));
    assert_eq!(refused(&it, differs).await, of_parent(refusal));
    let new = child(&it, "a", "operations/child");
    it.update(Command::cancel(), Vec::new()).await.unwrap();
    let refusal = of_parent(Refusal::Unwinding);
    assert_eq!(refused(&it, new.clone()).await, refusal);
    it.update(finish(1, OperationOutcome::Cancelled), Vec::new())
        .await
        .unwrap();
    assert_eq!(refused(&it, new.clone()).await, of_parent(Refusal::Stale));
    trial
        .apply(&mut it.record, Command::delete())
        .await
        .unwrap();
    let error = trial.start(new.clone()).await.unwrap_err();
    assert_eq!(error, of_parent(Refusal::NotFound));
    // Nothing of it has been kept: the name, the uid and the request id are free.
    let mut alone = new;
    alone.child_of = None;
    trial.started(alone).await;
}

/// steps:L4
pub(crate) async fn the_children_of_an_operation_are_limited(trial: Trial) {
    if !keeps_steps(&trial).await {
        return;
    }
    let mut it = Composed::running(&trial, "operations/a").await;
    let most = StepSummary::MAX_CHILDREN;
    let children = (0..=most).map(|n| child(&it, &n.to_string(), &numbered("children", n.into())));
    let children: Vec<_> = children.collect();
    for new in &children {
        let of = new.child_of.clone().unwrap();
        // The last one is refused.
        let _ = it.mirror(&of.record(&trial.expected(new.clone())));
    }
    let mut answers = trial.start_all(children).await;
    let last = answers.pop().unwrap().unwrap_err();
    let refusal = Refusal::StepLimit(StepLimit::Children);
    assert_eq!(last, StartError::Child(ChildRefusal::Parent(refusal)));
    assert!(answers.iter().all(Result::is_ok));
    it.check().await;
    assert_eq!(it.rows.len() as u32, most);
}

/// steps:C2
pub(crate) async fn a_step_has_one_child_and_finds_it_again(trial: Trial) {
    if !keeps_steps(&trial).await {
        return;
    }
    let mut it = Composed::running(&trial, "operations/a").await;
    let new = child(&it, "a", "operations/first");
    let mut first = start(&mut it, new.clone()).await;
    found(&it, new.clone(), &first).await;
    // By the step, whatever its request id is.
    let again = child(&it, "a", "operations/again");
    found(&it, again.clone(), &first).await;
    let mut unnamed = again.clone();
    unnamed.request_id = None;
    found(&it, unnamed, &first).await;
    // Also after its end, as long as its record is there.
    end(&mut it, &mut first, Command::cancel()).await;
    found(&it, again.clone(), &first).await;
    trial.apply(&mut first, Command::delete()).await.unwrap();
    let refusal = Refusal::StepHasChild(key("a"));
    let error = StartError::Child(ChildRefusal::Parent(refusal));
    assert_eq!(refused(&it, again).await, error);
    assert_eq!(refused(&it, new).await, error);
}

/// A child that is left continues, and a repetition of its start finds it.
pub(crate) async fn a_forgotten_step_finds_its_child_again(trial: Trial) {
    if !keeps_steps(&trial).await {
        return;
    }
    let mut it = Composed::running(&trial, "operations/a").await;
    let left = |it: &Composed<'_>| {
        let mut new = child(it, "a", "operations/a-a").born_claimed(worker(2));
        new.child_of.as_mut().unwrap().is_left = true;
        new
    };
    let new = left(&it);
    let mut first = start(&mut it, new).await;
    it.update(suspend(1, &["a"]), Vec::new()).await.unwrap();
    for ends in [false, true] {
        it.update(forget(&["a"]), Vec::new()).await.unwrap();
        assert!(!it.record.owes());
        if ends {
            let ended = succeed(1, "made");
            assert_eq!(
                end(&mut it, &mut first, ended).await.change,
                Change::Nothing
            );
        }
        it.reclaim().await;
        let again = left(&it);
        it.mirror(&again.child_of.clone().unwrap().record(&first))
            .unwrap();
        found(&it, again, &first).await;
        assert_eq!(outcome(&it, "a").is_some(), ends);
        if !ends {
            let fence = it.record.fence;
            it.update(suspend(fence, &["a"]), Vec::new()).await.unwrap();
        }
    }
}

/// In the same commit, unless it is left or has ended.
///
/// steps:C11
pub(crate) async fn a_forgotten_step_cancels_its_child(trial: Trial) {
    if !keeps_steps(&trial).await {
        return;
    }
    let mut it = Composed::running(&trial, "operations/a").await;
    let mut children = Vec::new();
    for step in ["ended", "pending", "running", "left"] {
        let mut new = child(&it, step, &format!("children/operations/{step}"));
        if step != "pending" {
            new = new.born_claimed(worker(2));
        }
        new.child_of.as_mut().unwrap().is_left = step == "left";
        children.push(start(&mut it, new).await);
    }
    end(&mut it, &mut children[0], succeed(1, "made")).await;
    let waits = ["pending", "running", "left"];
    it.update(suspend(1, &waits), Vec::new()).await.unwrap();
    let cancel = it.record.cancel_of_child();
    for child in &mut children[1..3] {
        child.apply(cancel.clone(), trial.now()).unwrap();
    }
    let steps = ["ended", "pending", "running", "left"];
    it.update(forget(&steps), Vec::new()).await.unwrap();
    for child in &children {
        assert_eq!(trial.get(&child.name).await.as_ref(), Some(child));
    }
    assert!(!it.record.owes() && !it.record.is_suspended());
    let ended = succeed(1, "late");
    let told = end(&mut it, &mut children[2], ended).await;
    assert_eq!(told.change, Change::Nothing);
    it.reclaim().await;
    let again = child(&it, "running", "operations/again");
    start(&mut it, again).await;
}

pub(crate) async fn the_request_id_of_a_stranger_is_no_child(trial: Trial) {
    if !keeps_steps(&trial).await {
        return;
    }
    let alone = trial.operation("operations/alone").method(OTHER);
    let alone = trial.started(alone.request_id("id", 1)).await;
    let (it, sibling) = family(&trial, "operations/a").await;
    for (id, stranger) in [("id", &alone), ("operations/a-a", &sibling)] {
        let new = child(&it, "b", "operations/b").request_id(id, 1);
        let refusal = ChildRefusal::NotItsChild(stranger.name.clone());
        assert_eq!(refused(&it, new.clone()).await, StartError::Child(refusal));
        let other = new.request_id(id, 2);
        let reused = StartError::RequestIdReused(stranger.name.clone());
        assert_eq!(refused(&it, other).await, reused);
    }
}

pub(crate) async fn a_conflict_of_a_child_leaves_its_parent_alone(trial: Trial) {
    if !keeps_steps(&trial).await {
        return;
    }
    let holder = trial.operation("operations/holder").exclusive("key");
    let holder = trial.started(holder).await;
    let mut it = Composed::running(&trial, "operations/a").await;
    let taken = child(&it, "a", "operations/holder");
    let error = StartError::AlreadyExists(holder.name.clone());
    assert_eq!(refused(&it, taken).await, error);
    let held = child(&it, "a", "operations/b").exclusive("key");
    let error = StartError::ExclusiveKeyHeld(holder.name.clone());
    assert_eq!(refused(&it, held).await, error);
    let used = child(&it, "a", "operations/b").with(|new| new.uid = holder.uid);
    let error = StartError::AlreadyExists(holder.name.clone());
    assert_eq!(refused(&it, used).await, error);
    // The elements beside it are not disturbed.
    let good = child(&it, "b", "operations/b");
    let bad = child(&it, "a", "operations/holder");
    let update = good.child_of.clone().unwrap();
    it.mirror(&update.record(&trial.expected(good.clone())))
        .unwrap();
    let answers = trial.start_all(vec![bad.clone(), good, bad]).await;
    let is_ok: Vec<_> = answers.iter().map(Result::is_ok).collect();
    assert_eq!(is_ok, [false, true, false]);
    it.check().await;
}

pub(crate) async fn a_child_that_is_born_done_finishes_its_step(trial: Trial) {
    if !keeps_steps(&trial).await {
        return;
    }
    let mut it = Composed::running(&trial, "operations/a").await;
    let ends = [
        OperationOutcome::Response(any("made")),
        OperationOutcome::Error(failure(9)),
    ];
    for (n, outcome) in (0..).zip(ends) {
        let new = child(&it, &format!("a{n}"), &numbered("", n));
        let of = start(&mut it, new.with(|new| new.outcome = Some(outcome))).await;
        assert!(of.state.is_done());
        assert!(it.rows[&key(&format!("a{n}"))].is_finished());
        assert!(!it.record.owes());
    }
    let large = "x".repeat(StepSummary::MAX_VALUE_LEN + 1);
    let large = OperationOutcome::Response(any(&large));
    let new = child(&it, "large", "operations/large");
    start(&mut it, new.with(|new| new.outcome = Some(large))).await;
    let Some(StepOutcome::Error(error)) = outcome(&it, "large") else {
        panic!("{:?}", outcome(&it, "large"));
    };
    assert!(Reason::LimitExceeded.is_told_by(error), "{error:?}");
}

pub(crate) async fn a_parent_and_its_child_start_in_one_call(trial: Trial) {
    if !keeps_steps(&trial).await {
        return;
    }
    let parent = trial.operation("operations/a").born_claimed(worker(1));
    let mut it = Composed {
        trial: &trial,
        record: trial.expected(parent.clone()),
        rows: Default::default(),
    };
    let early = child(&it, "b", "operations/b");
    let new = child(&it, "a", "operations/a-a");
    let of = new.child_of.clone().unwrap();
    it.mirror(&of.record(&trial.expected(new.clone()))).unwrap();
    let answers = trial.start_all(vec![early, parent, new]).await;
    // In this order: the first one has no parent yet.
    let refusal = ChildRefusal::Parent(Refusal::NotFound);
    assert_eq!(answers[0], Err(StartError::Child(refusal)));
    assert!(answers[1].is_ok() && answers[2].is_ok(), "{answers:?}");
    it.check().await;
}

/// A filter finds the children of an operation.
pub(crate) async fn the_children_of_an_operation_are_listed(trial: Trial) {
    if !keeps_steps(&trial).await {
        return;
    }
    let (mut first, _) = family(&trial, "operations/first").await;
    let another = child(&first, "b", "operations/first-b");
    start(&mut first, another).await;
    let (_second, _) = family(&trial, "operations/second").await;
    let check = async |filter: &str, wanted: &[&str]| {
        for limit in [50, 1] {
            let found = list_all(trial.store(), query("", filter, limit)).await;
            let mut found = names(&found);
            found.sort();
            assert_eq!(found, wanted, "{filter}");
        }
    };
    let of_first = ["operations/first-a", "operations/first-b"];
    check("parent_operation = \"operations/first\"", &of_first).await;
    check(
        "parent_operation = \"operations/*\"",
        &[of_first[0], of_first[1], "operations/second-a"],
    )
    .await;
    check(
        "parent_operation = \"operations/first\" AND name = \"*-b\"",
        &of_first[1..],
    )
    .await;
    check("parent_operation = \"operations/none\"", &[]).await;
    let parents = ["operations/first", "operations/second"];
    check("NOT parent_operation:* AND done = false", &parents).await;
}
