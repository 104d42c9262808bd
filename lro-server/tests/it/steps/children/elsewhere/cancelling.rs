//! Children on other servers whose parents are cancelled, fail, or are not interested any more.

use lro_server::steps::OnCancel;

use super::*;

/// steps:C6 steps:C9
#[tokio::test(start_paused = true)]
async fn a_cancelled_parent_cancels_its_child_elsewhere_and_ends_after_it() {
    for kind in ["plain", "late", "stubborn"] {
        let parents = Parents::new(move |away: Away, operation: Context| async move {
            Ok(away.child(&operation, kind).await?)
        })
        .await;
        // The cancellation itself may fail for a while.
        parents
            .elsewhere
            .fail_cancels([Code::Unavailable, Code::Internal]);
        let started = parents.server.start().await;
        suspended(&parents.server.store, &name(&started)).await;
        parents.server.cancel(&name(&started)).await;
        parents.elsewhere.cancelled().await;
        let done = parents.end(&started).await;
        assert_eq!(done.error().unwrap().code, Code::Cancelled as i32, "{kind}");
        assert_eq!(parents.elsewhere.cancellations(), parents.elsewhere.names());
        let watch = parents.server.child_of(&started, STEP).await;
        let watch = record(&parents.server.store, &watch).await;
        // 10 min are enough to wait for one that does not stop.
        assert_eq!(watch.state.is_done(), kind != "stubborn", "{kind}");
        let left = Reason::UndoIncomplete.is_told_by(done.error().as_ref().unwrap());
        assert_eq!(left, kind == "stubborn", "{kind}");
    }
}

/// steps:C7
#[tokio::test(start_paused = true)]
async fn no_child_escapes_that_is_started_at_the_moment_of_the_cancellation() {
    for answer in [Answer::Never, Answer::Lost(Code::Unavailable)] {
        let parents = Parents::new(just_a_child).await;
        parents
            .elsewhere
            .answer([answer, Answer::Lost(Code::Unavailable)]);
        let started = parents.server.start().await;
        parents.elsewhere.started(1).await;
        parents.server.cancel(&name(&started)).await;
        let done = parents.end(&started).await;
        assert_eq!(done.error().unwrap().code, Code::Cancelled as i32);
        assert_eq!(parents.elsewhere.names().len(), 1, "{answer:?}");
        assert_eq!(
            parents.elsewhere.cancellations(),
            parents.elsewhere.names(),
            "{answer:?}"
        );
        assert_eq!(
            parents.watch(&started).await.state,
            OperationState::Cancelled
        );
        assert!(!parents.server.record(&started).await.owes());
    }
}

/// The body of a run that only undoes may not come to the child again.
///
/// steps:C7
#[tokio::test(start_paused = true)]
async fn a_child_that_a_later_run_does_not_reach_is_told_to_be_unknown() {
    let parents = Parents::new(async |away: Away, operation: Context| {
        if away.elsewhere.starts() > 0 {
            std::future::pending::<()>().await;
        }
        Ok(away.child(&operation, "plain").await?)
    })
    .await;
    parents.elsewhere.answer([Answer::Never]);
    let started = parents.server.start().await;
    parents.elsewhere.started(1).await;
    parents.server.cancel(&name(&started)).await;
    let done = parents.end(&started).await;
    assert_eq!(done.error().unwrap().code, Code::Cancelled as i32);
    let watch = parents.watch(&started).await;
    let Some(lro_core::store::OperationResult::Error(error)) = &watch.result else {
        panic!("{watch:?}");
    };
    assert!(Reason::StepInterrupted.is_told_by(error));
}

/// steps:U1 steps:C7
#[tokio::test(start_paused = true)]
async fn a_saga_undoes_a_child_elsewhere_with_its_response() {
    for (kind, answers) in [
        ("late", vec![]),
        ("late", vec![Answer::Never]),
        ("plain", vec![Answer::Lost(Code::Unavailable)]),
    ] {
        let parents = Parents::new(move |away: Away, operation: Context| async move {
            let (away, saga) = (&away, operation.saga());
            let start = async move |id: String| away.elsewhere.start(kind, &id).await;
            let undo = async move |made: Option<ExportResponse>| {
                let made = made.map(|made| made.tables_exported);
                away.family.trail.add(format!("undo {made:?}"));
                Ok::<_, Status>(())
            };
            saga.run(async {
                saga.step(
                    "before",
                    async || Ok::<_, Status>(()),
                    async |_: Option<()>| {
                        away.family.trail.add("undo before");
                        Ok::<_, Status>(())
                    },
                )
                .await?;
                Ok(saga.child(STEP, &away.remote, start, undo).await?)
            })
            .await
        })
        .await;
        parents.elsewhere.answer(answers.clone());
        let started = parents.server.start().await;
        parents.elsewhere.started(1).await;
        parents.server.cancel(&name(&started)).await;
        let done = parents.end(&started).await;
        assert_eq!(done.error().unwrap().code, Code::Cancelled as i32);
        assert_eq!(
            parents.elsewhere.cancellations(),
            parents.elsewhere.names(),
            "{answers:?}"
        );
        let undo = if kind == "late" {
            "undo Some(3)"
        } else {
            "undo None"
        };
        assert_eq!(
            parents.server.events(),
            [undo, "undo before"],
            "{answers:?}"
        );
    }
}

/// steps:S23 steps:C11
#[tokio::test(start_paused = true)]
async fn a_child_elsewhere_that_takes_too_long_or_loses_a_race_is_cancelled() {
    for (races, answers) in [
        (false, vec![]),
        // The pauses between starts count.
        (false, vec![Answer::Refused(Code::Unavailable); 3]),
        // The name of one that was started must be known, however late.
        (false, vec![Answer::Never]),
        (true, vec![]),
    ] {
        let parents = Parents::new(move |away: Away, operation: Context| async move {
            let child = away.child(&operation, "plain");
            match races {
                false => {
                    // Less than an attempt may take.
                    let error = child.timeout(HOUR / 120).await.unwrap_err();
                    assert_eq!(error.code(), Code::DeadlineExceeded);
                }
                true => {
                    let patience = operation.sleep("patience", HOUR / 2);
                    drop(operation.first("which", child, patience).await?);
                }
            }
            operation.sleep("later", HOUR).await?;
            Ok(exported(1))
        })
        .await;
        parents.elsewhere.answer(answers);
        let started = parents.server.start().await;
        parents.elsewhere.cancelled().await;
        assert_eq!(
            parents.watch(&started).await.state,
            OperationState::Cancelled
        );
        assert_eq!(response(&parents.end(&started).await), exported(1));
    }
}

/// steps:C9
#[tokio::test(start_paused = true)]
async fn a_cancellation_is_forwarded_although_the_watch_is_lost() {
    let parents = Parents::new(just_a_child).await;
    parents.elsewhere.fail_cancels(vec![Code::Unavailable; 5]);
    let started = parents.server.start().await;
    suspended(&parents.server.store, &name(&started)).await;
    parents.server.cancel(&name(&started)).await;
    let cancelling = |watch: &OperationRecord| watch.state == OperationState::Cancelling;
    let watch = parents.server.child_when(&started, STEP, cancelling).await;
    parents.lose(&watch.name).await;
    assert!(parents.elsewhere.cancellations().is_empty());
    parents.elsewhere.cancelled().await;
    assert_eq!(
        parents.end(&started).await.error().unwrap().code,
        Code::Cancelled as i32
    );
    let watch = parents.watch(&started).await;
    assert!(watch.fence > 1, "{watch:?}");
    assert_eq!(watch.state, OperationState::Cancelled);
}

/// steps:C6
#[tokio::test(start_paused = true)]
async fn a_child_elsewhere_that_is_left_continues_without_its_parent() {
    for answers in [vec![], vec![Answer::Never]] {
        let parents = Parents::new(async |away: Away, operation: Context| {
            let child = away.child(&operation, "plain").on_cancel(OnCancel::Leave);
            Ok(child.await?)
        })
        .await;
        parents.elsewhere.answer(answers);
        let started = parents.server.start().await;
        parents.elsewhere.started(1).await;
        parents.server.cancel(&name(&started)).await;
        let done = parents.end(&started).await;
        assert_eq!(done.error().unwrap().code, Code::Cancelled as i32);
        assert!(parents.elsewhere.cancellations().is_empty());
        parents.elsewhere.end(&parents.elsewhere.names()[0], 2);
        assert_eq!(
            parents.watch(&started).await.state,
            OperationState::Succeeded
        );
    }
}

/// A parent that fails while another child is being started drops that start. The next run must come to it, although
/// the recorded error ends the body at once.
///
/// steps:C7
#[tokio::test(start_paused = true)]
async fn no_child_escapes_beside_one_that_is_refused() {
    for (joins, in_saga) in [(false, false), (true, false), (false, true), (true, true)] {
        let parents = Parents::new(move |away: Away, operation: Context| async move {
            let (away, operation) = (&away, &operation);
            let saga = operation.saga();
            let child = |step: &'static str| {
                let start = move |id: String| async move {
                    if step == "b" {
                        // After the other one, which has no answer in the first run.
                        away.elsewhere.started(1).await;
                        return Err(Status::invalid_argument("no such node"));
                    }
                    away.elsewhere.start("plain", &id).await
                };
                let undo = async |_: Option<ExportResponse>| Ok::<_, Status>(());
                match in_saga {
                    true => saga.child(step, &away.remote, start, undo),
                    false => operation.child(step, &away.remote, start),
                }
            };
            let both = async {
                match joins {
                    true => {
                        tokio::try_join!(child("b"), child("a"))?;
                    }
                    false => {
                        operation.all(8, [child("b"), child("a")]).await?;
                    }
                }
                Ok(exported(1))
            };
            match in_saga {
                true => saga.run(both).await,
                false => both.await,
            }
        })
        .await;
        parents.elsewhere.answer([Answer::Never]);
        let started = parents.server.start().await;
        let done = parents.end(&started).await;
        let place = format!("joins: {joins}, in a saga: {in_saga}");
        let code = done.error().unwrap().code;
        assert_eq!(code, Code::InvalidArgument as i32, "{place}");
        assert_eq!(parents.elsewhere.names().len(), 1, "{place}");
        let cancelled = parents.elsewhere.cancellations();
        assert_eq!(cancelled, parents.elsewhere.names(), "{place}");
    }
}

/// steps:C6
#[tokio::test(start_paused = true)]
async fn a_cancellation_is_forwarded_although_polls_fail() {
    let parents = Parents::new(just_a_child).await;
    let started = parents.server.start().await;
    suspended(&parents.server.store, &name(&started)).await;
    parents.elsewhere.fail_polls([Code::PermissionDenied; 20]);
    parents.elsewhere.fail_cancels([Code::Unavailable; 5]);
    parents.server.cancel(&name(&started)).await;
    let done = parents.end(&started).await;
    assert_eq!(done.error().unwrap().code, Code::Cancelled as i32);
    // Each run of the watch asks for it.
    let mut cancelled = parents.elsewhere.cancellations();
    cancelled.dedup();
    assert_eq!(cancelled, parents.elsewhere.names());
}

/// A run that only undoes comes to it behind a step that has failed.
///
/// steps:C7
#[tokio::test(start_paused = true)]
async fn no_child_escapes_whose_call_is_made_and_awaited_later() {
    let parents = Parents::new(async |away: Away, operation: Context| {
        let child = away.child(&operation, "plain");
        let fail = async || Err::<(), _>(Status::aborted("no"));
        operation.step("check", fail).await.unwrap_err();
        Ok(child.await?)
    })
    .await;
    parents.elsewhere.answer([Answer::Never]);
    let started = parents.server.start().await;
    parents.elsewhere.started(1).await;
    parents.server.cancel(&name(&started)).await;
    parents.end(&started).await;
    assert_eq!(parents.elsewhere.names().len(), 1);
    assert_eq!(parents.elsewhere.cancellations(), parents.elsewhere.names());
}

/// One of two children is named, and the body does not reach the other one again.
///
/// steps:C7
#[tokio::test(start_paused = true)]
async fn a_child_that_is_not_reached_holds_no_slot_beside_one_that_is() {
    let parents = Parents::new(async |away: Away, operation: Context| {
        let (one, other) = (operation.scope("one"), operation.scope("other"));
        let again = away.elsewhere.starts() > 0;
        let (made, _) = tokio::join!(away.child(&one, "plain"), async {
            if again {
                std::future::pending::<()>().await;
            }
            away.child(&other, "plain").await
        });
        Ok(made?)
    })
    .await;
    parents.elsewhere.answer([Answer::Never, Answer::Never]);
    let started = parents.server.start().await;
    parents.elsewhere.started(2).await;
    parents.server.cancel(&name(&started)).await;
    let done = parents.end(&started).await;
    assert_eq!(done.error().unwrap().code, Code::Cancelled as i32);
    assert_eq!(parents.elsewhere.cancellations().len(), 1);
}
