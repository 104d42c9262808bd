use super::*;

/// steps:C5 steps:W6
pub(crate) async fn every_end_of_a_child_makes_its_parent_ready(trial: Trial) {
    if !keeps_steps(&trial).await {
        return;
    }
    let log = trial.observe();
    let error = |code| OperationOutcome::Error(failure(code));
    for (n, commands) in (0..).zip([
        vec![succeed(1, "made")],
        vec![finish(1, error(9))],
        vec![finish(1, OperationOutcome::Cancelled)],
        vec![retry(1, Duration::ZERO)],
        vec![Command::Expire],
        vec![Command::cancel(), release(1)],
        vec![Command::cancel(), suspend(1, &[])],
        vec![Command::cancel(), block(1, Duration::ZERO)],
        vec![Command::cancel(), Command::Expire],
        vec![release(1), Command::cancel()],
    ]) {
        let mut it = Composed::running(&trial, &numbered("", n)).await;
        let new = child(&it, "a", &numbered("children", n));
        let new = new.with(|new| new.policy.max_attempts = 1);
        let mut child = start(&mut it, new.born_claimed(worker(2))).await;
        it.update(suspend(1, &["a"]), Vec::new()).await.unwrap();
        let (last, before) = commands.split_last().unwrap();
        for command in before {
            trial.apply(&mut child, command.clone()).await.unwrap();
            it.check().await;
        }
        log.clear();
        let told = end(&mut it, &mut child, last.clone()).await;
        assert_eq!(told.change, Change::Record, "{last:?}");
        assert!(child.state.is_done() && outcome(&it, "a").is_some());
        log.wait_for(
            "the parent is ready",
            |event| matches!(event, StoreEvent::Ready { method, .. } if method == METHOD),
        )
        .await;
        log.wait_for_change(&it.record.name, |state, _| state == OperationState::Pending)
            .await;
        it.reclaim().await;
        it.update(succeed(2, "r"), Vec::new()).await.unwrap();
    }
}

/// steps:C5 steps:W6
pub(crate) async fn a_lost_child_makes_its_parent_ready(trial: Trial) {
    if !keeps_steps(&trial).await {
        return;
    }
    for (n, on_crash) in (0..).zip([OnCrash::Resume, OnCrash::Abort]) {
        let mut it = Composed::running(&trial, &numbered("", n)).await;
        let new = child(&it, "a", &numbered("children", n)).with(|new| {
            new.policy.max_attempts = 1;
            new.policy.on_crash = on_crash;
        });
        let mut child = start(&mut it, new.born_claimed(worker(2))).await;
        it.update(suspend(1, &["a"]), Vec::new()).await.unwrap();
        trial.advance(LEASE + secs(1));
        trial.expire(&mut child).await;
        assert_eq!(child.state, OperationState::Failed);
        told(&mut it, &child).await;
        it.reclaim().await;
        it.update(succeed(2, "r"), Vec::new()).await.unwrap();
    }
}

/// steps:C5
pub(crate) async fn a_child_that_is_deleted_ends_its_step(trial: Trial) {
    if !keeps_steps(&trial).await {
        return;
    }
    for (n, runs) in (0..).zip([false, true]) {
        let mut it = Composed::running(&trial, &numbered("", n)).await;
        let new = child(&it, "a", &numbered("children", n));
        let new = if runs {
            new.born_claimed(worker(2))
        } else {
            new
        };
        let mut child = start(&mut it, new).await;
        it.update(suspend(1, &["a"]), Vec::new()).await.unwrap();
        end(&mut it, &mut child, Command::delete()).await;
        let Some(StepOutcome::Error(error)) = outcome(&it, "a") else {
            panic!("{:?}", outcome(&it, "a"));
        };
        assert_eq!(error.code, 5);
        assert!(Reason::OperationNotFound.is_told_by(error));
        // Its end, with which it is removed, is no news.
        let last = match runs {
            true => succeed(1, "late"),
            false => Command::cancel(),
        };
        assert_eq!(end(&mut it, &mut child, last).await.change, Change::Nothing);
        it.reclaim().await;
        it.update(succeed(2, "r"), Vec::new()).await.unwrap();
    }
}

/// steps:C5 steps:W6
pub(crate) async fn a_parent_in_any_state_learns_of_the_end(trial: Trial) {
    if !keeps_steps(&trial).await {
        return;
    }
    let pause = secs(3_600);
    for (n, commands) in (0..).zip([
        vec![],
        vec![retry(1, pause)],
        vec![block(1, pause)],
        vec![suspend(1, &["a"])],
        vec![suspend(1, &["a"]), Command::cancel()],
        vec![suspend(1, &["a"]), Command::delete()],
        vec![Command::cancel()],
        vec![Command::delete()],
        vec![succeed(1, "too early")],
    ]) {
        let mut it = Composed::running(&trial, &numbered("", n)).await;
        let new = child(&it, "a", &numbered("children", n));
        let mut child = start(&mut it, new.born_claimed(worker(2))).await;
        for command in &commands {
            it.update(command.clone(), Vec::new()).await.unwrap();
        }
        let told = end(&mut it, &mut child, succeed(1, "made")).await;
        assert_eq!(told.change, Change::Record, "{commands:?}");
        assert!(!it.record.owes() && outcome(&it, "a").is_some());
        // A pause for another reason continues.
        let pauses = matches!(
            commands.first(),
            Some(Command::Retry { .. } | Command::Block { .. })
        );
        assert_eq!(it.record.ready_time > trial.now(), pauses, "{commands:?}");
    }
}

/// steps:E7
pub(crate) async fn the_end_of_a_child_outlives_its_parent(trial: Trial) {
    if !keeps_steps(&trial).await {
        return;
    }
    for (n, removed) in (0..).zip([false, true]) {
        let of = numbered("", n);
        let (mut it, mut child) = waiting(&trial, &of).await;
        // It has given up: its second end counts.
        it.update(Command::cancel(), Vec::new()).await.unwrap();
        for fence in [2, 3] {
            it.reclaim().await;
            let end = finish(fence, OperationOutcome::Error(failure(9)));
            it.update(end, Vec::new()).await.unwrap();
        }
        assert!(it.record.state.is_done() && it.record.owes());
        if removed {
            let delete = it.record.name.clone();
            trial.update(&delete, Command::delete()).await.unwrap();
            trial.apply(&mut child, succeed(1, "late")).await.unwrap();
            assert_eq!(trial.get(&it.record.name).await, None);
            assert_eq!(it.stored().await, []);
        } else {
            let told = end(&mut it, &mut child, succeed(1, "late")).await;
            assert_eq!(told.change, Change::Nothing);
        }
    }
}

/// steps:L2
pub(crate) async fn a_result_that_is_too_large_is_an_error_of_the_step(trial: Trial) {
    if !keeps_steps(&trial).await {
        return;
    }
    let (mut it, mut child) = waiting(&trial, "operations/a").await;
    let large = "x".repeat(StepSummary::MAX_VALUE_LEN + 1);
    end(&mut it, &mut child, succeed(1, &large)).await;
    let Some(StepOutcome::Error(error)) = outcome(&it, "a") else {
        panic!("{:?}", outcome(&it, "a"));
    };
    assert!(Reason::LimitExceeded.is_told_by(error), "{error:?}");
    it.reclaim().await;
}

/// steps:W7
pub(crate) async fn the_ends_of_several_children_are_gathered(trial: Trial) {
    if !keeps_steps(&trial).await {
        return;
    }
    let mut it = Composed::running(&trial, "operations/a").await;
    let mut children = Vec::new();
    for step in ["a", "b", "c"] {
        let new = child(&it, step, &format!("children/operations/{step}"));
        let new = new.born_claimed(worker(2));
        children.push(start(&mut it, new).await);
    }
    it.update(suspend(1, &["a", "b", "c"]), Vec::new())
        .await
        .unwrap();
    for (child, left) in children.iter_mut().zip([20, 10, 0]) {
        trial.advance(Duration::from_micros(1));
        let before = it.record.ready_time;
        end(&mut it, child, succeed(1, "made")).await;
        let gathered = trial.now().saturating_add(Duration::from_millis(left));
        assert_eq!(it.record.ready_time, gathered.min(before));
    }
    assert!(!it.record.is_suspended());
    it.reclaim().await;
}

/// steps:C5
pub(crate) async fn children_that_end_in_one_call_are_both_known(trial: Trial) {
    if !keeps_steps(&trial).await {
        return;
    }
    let mut it = Composed::running(&trial, "operations/a").await;
    let mut children = Vec::new();
    for step in ["a", "b"] {
        let new = child(&it, step, &format!("children/operations/{step}"));
        let new = new.born_claimed(worker(2));
        children.push(start(&mut it, new).await);
    }
    it.update(suspend(1, &["a", "b"]), Vec::new())
        .await
        .unwrap();
    let ends = children.iter().map(|child| {
        let end = succeed(1, child.name.as_str());
        Update::by_uid(child.name.clone(), child.uid, end)
    });
    let answers = trial.update_all(ends.collect()).await;
    assert!(answers.iter().all(Result::is_ok), "{answers:?}");
    for child in &mut children {
        let end = succeed(1, child.name.as_str());
        child.apply(end, trial.now()).unwrap();
        it.mirror(&child.tells_parent().unwrap()).unwrap();
    }
    it.check().await;
    assert!(!it.record.owes() && !it.record.is_suspended());
    it.reclaim().await;
}

/// steps:W6
pub(crate) async fn a_suspension_and_the_end_of_a_child_share_a_call(trial: Trial) {
    if !keeps_steps(&trial).await {
        return;
    }
    for (n, end_is_first) in (0..).zip([false, true]) {
        let mut it = Composed::running(&trial, &numbered("", n)).await;
        let new = child(&it, "a", &numbered("children", n));
        let mut child = start(&mut it, new.born_claimed(worker(2))).await;
        let (name, uid) = (it.record.name.clone(), it.record.uid);
        let suspension = Update::by_uid(name, uid, suspend(1, &["a"]));
        let end = Update::by_uid(child.name.clone(), child.uid, succeed(1, "made"));
        child.apply(succeed(1, "made"), trial.now()).unwrap();
        let told = child.tells_parent().unwrap();
        let (call, mirrored) = match end_is_first {
            true => (vec![end, suspension.clone()], [told, suspension]),
            false => (vec![suspension.clone(), end], [suspension, told]),
        };
        for update in &mirrored {
            it.mirror(update).unwrap();
        }
        let answers = trial.update_all(call).await;
        assert!(answers.iter().all(Result::is_ok), "{answers:?}");
        it.check().await;
        it.reclaim().await;
        it.update(succeed(2, "r"), Vec::new()).await.unwrap();
    }
}

/// steps:E8
pub(crate) async fn the_end_of_a_child_of_an_earlier_epoch_changes_nothing(trial: Trial) {
    if !keeps_steps(&trial).await {
        return;
    }
    let mut it = Composed::running(&trial, "operations/a").await;
    let new = child(&it, "a", "operations/first");
    let mut first = start(&mut it, new.born_claimed(worker(2))).await;
    let refused = it.update(begin_epoch(1, 1, &[]), Vec::new()).await;
    assert_eq!(refused, Err(Refusal::Owes));
    end(&mut it, &mut first, Command::delete()).await;
    it.update(begin_epoch(1, 1, &[]), Vec::new()).await.unwrap();
    let new = child(&it, "a", "operations/second");
    let mut second = start(&mut it, new.born_claimed(worker(2))).await;
    let told = end(&mut it, &mut first, succeed(1, "late")).await;
    assert_eq!((told.change, outcome(&it, "a")), (Change::Nothing, None));
    end(&mut it, &mut second, succeed(1, "made")).await;
    let made = StepOutcome::Response(any("made"));
    assert_eq!(outcome(&it, "a"), Some(&made));
}

/// A step that finishes otherwise than by the end of its child.
fn abandoned(step: &str) -> Vec<StepWrite> {
    vec![StepWrite {
        outcome: Some(StepOutcome::Abandoned),
        ..StepWrite::begun(key(step), StepKind::Child)
    }]
}

/// steps:C11
pub(crate) async fn a_child_that_is_dropped_is_cancelled(trial: Trial) {
    if !keeps_steps(&trial).await {
        return;
    }
    let log = trial.observe();
    for (n, (command, runs)) in (0..).zip([
        (record(1), true),
        (record(1), false),
        (renew(1, None), true),
        (begin_epoch(1, 1, &[]), true),
        (begin_epoch(1, 1, &[]), false),
        (succeed(1, "r"), true),
        (succeed(1, "r"), false),
    ]) {
        let mut it = Composed::running(&trial, &numbered("", n)).await;
        let new = child(&it, "a", &numbered("children", n));
        let new = if runs {
            new.born_claimed(worker(2))
        } else {
            new
        };
        let mut child = start(&mut it, new).await;
        log.clear();
        it.update(command, abandoned("a")).await.unwrap();
        let cancel = it.record.cancel_of_child();
        child.apply(cancel, trial.now()).unwrap();
        assert_eq!(trial.get(&child.name).await.as_ref(), Some(&child));
        let state = match runs {
            true => OperationState::Cancelling,
            false => OperationState::Cancelled,
        };
        assert_eq!(child.state, state);
        log.wait_for_change(&child.name, |it, _| it == state).await;
        it.check().await;
    }
}

/// steps:C6
pub(crate) async fn a_child_that_is_left_runs_on(trial: Trial) {
    if !keeps_steps(&trial).await {
        return;
    }
    let mut it = Composed::running(&trial, "operations/a").await;
    let mut new = child(&it, "a", "operations/a-a");
    new.child_of.as_mut().unwrap().is_left = true;
    let left = start(&mut it, new).await;
    it.update(succeed(1, "r"), abandoned("a")).await.unwrap();
    assert_eq!(trial.get(&left.name).await.as_ref(), Some(&left));
}

/// steps:C5
pub(crate) async fn a_child_has_children(trial: Trial) {
    if !keeps_steps(&trial).await {
        return;
    }
    let mut it = Composed::running(&trial, "operations/a").await;
    let new = child(&it, "a", "operations/b");
    let record = start(&mut it, new.born_claimed(worker(2))).await;
    let mut below = Composed {
        trial: &trial,
        record,
        rows: Default::default(),
    };
    let new = child(&below, "a", "operations/c");
    let mut last = start(&mut below, new).await;
    it.update(suspend(1, &["a"]), Vec::new()).await.unwrap();
    below.update(suspend(1, &["a"]), Vec::new()).await.unwrap();
    end(&mut below, &mut last, Command::cancel()).await;
    assert!(!below.record.is_suspended());
    it.check().await;
    let claim = claim(worker(2), &[OTHER], 10);
    let claimed = trial.store().claim(claim).await.unwrap().operations;
    let command = Command::Claim {
        worker: worker(2),
        lease_duration: LEASE,
    };
    below.record.apply(command, trial.now()).unwrap();
    assert_eq!(claimed, std::slice::from_ref(&below.record));
    below.update(succeed(2, "made"), Vec::new()).await.unwrap();
    told(&mut it, &below.record).await;
    it.reclaim().await;
}
