//! Children on other servers.

mod cancelling;
mod server;
mod watch;

use std::time::Duration;

use lro_core::Reason;
use lro_server::Remote;

use super::*;
use server::{Answer, Elsewhere};

const STEP: &str = "elsewhere";

/// A family whose worker knows one other server.
struct Parents {
    server: Server,
    elsewhere: Elsewhere,
}

/// The parent's way to the other server.
#[derive(Clone)]
struct Away {
    elsewhere: Elsewhere,
    remote: Remote,
    family: Family,
}

impl Away {
    fn child<'a>(&'a self, operation: &'a Context, kind: &'a str) -> Step<'a, ExportResponse> {
        operation.child(STEP, &self.remote, async move |request_id: String| {
            self.elsewhere.start(kind, &request_id).await
        })
    }
}

impl Parents {
    async fn new<F, Fut>(parent: F) -> Self
    where
        F: Fn(Away, Context) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<ExportResponse, HandlerError>> + Send + 'static,
    {
        Self::with_window(Remote::DEFAULT_DEDUP_WINDOW, parent).await
    }

    async fn with_window<F, Fut>(window: Duration, parent: F) -> Self
    where
        F: Fn(Away, Context) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<ExportResponse, HandlerError>> + Send + 'static,
    {
        let elsewhere = Elsewhere::default();
        let remote = Remote::new("other", elsewhere.clone()).dedup_window(window);
        let (of_bodies, known) = (elsewhere.clone(), remote.clone());
        let parent = move |family: Family, operation: Context| {
            let away = Away {
                elsewhere: of_bodies.clone(),
                remote: known.clone(),
                family,
            };
            parent(away, operation)
        };
        let server = Server::with(move |builder| builder.remote(&remote), parent).await;
        Self { server, elsewhere }
    }

    /// The worker of this operation loses it, and another run begins.
    async fn lose(&self, operation: &OperationName) {
        use lro_core::store::{Command, OperationStore as _, Update};
        let held = record(&self.server.store, operation).await;
        let release = Command::Release {
            fence: held.fence,
            metadata: None,
        };
        let update = Update::by_name(operation.clone(), release);
        let answer = self
            .server
            .store
            .update(vec![update])
            .await
            .unwrap()
            .remove(0);
        answer.unwrap();
    }

    async fn end(&self, started: &Typed) -> Typed {
        self.server.wait(started).await
    }

    /// The watch, once it has ended.
    async fn watch(&self, started: &Typed) -> OperationRecord {
        self.server
            .child_when(started, STEP, |watch| watch.state.is_done())
            .await
    }
}

async fn just_a_child(away: Away, operation: Context) -> Result<ExportResponse, HandlerError> {
    Ok(away.child(&operation, "plain").await?)
}

/// steps:C9 steps:C5 steps:W2
#[tokio::test(start_paused = true)]
async fn a_parent_gets_the_response_of_a_child_elsewhere_and_holds_no_slot() {
    let parents = Parents::new(just_a_child).await;
    let mut started = Vec::new();
    // More than the method has slots.
    for n in 0..3 {
        let parent = parents.server.start().await;
        parents.elsewhere.started(n + 1).await;
        suspended(&parents.server.store, &name(&parent)).await;
        started.push(parent);
    }
    for (n, (parent, child)) in started.iter().zip(parents.elsewhere.names()).enumerate() {
        parents.elsewhere.change(&child, |operation| {
            operation.metadata = Some(lro_core::pack(&prost_types::Duration {
                seconds: 4,
                nanos: 0,
            }));
        });
        let shown = |watch: &OperationRecord| watch.metadata.is_some();
        parents.server.child_when(parent, STEP, shown).await;
        parents.elsewhere.end(&child, n as u32);
        assert_eq!(response(&parents.end(parent).await), exported(n as u32));
        assert!(!parents.server.record(parent).await.owes());
    }
    assert_eq!(parents.elsewhere.starts(), 3);
    assert!(parents.elsewhere.cancellations().is_empty());
}

/// steps:C2 steps:C10
#[tokio::test(start_paused = true)]
async fn a_start_whose_answer_is_lost_is_made_again_with_the_same_request_id() {
    use Code::{DeadlineExceeded, Unavailable};
    for answers in [
        vec![
            Answer::Refused(Unavailable),
            Answer::Refused(DeadlineExceeded),
        ],
        vec![Answer::Lost(Unavailable), Answer::Lost(Unavailable)],
        vec![Answer::Broken, Answer::Broken],
        // A call without an answer takes a minute.
        vec![Answer::Never, Answer::Lost(DeadlineExceeded)],
    ] {
        let parents = Parents::new(just_a_child).await;
        parents.elsewhere.answer(answers.clone());
        let started = parents.server.start().await;
        parents.elsewhere.started(3).await;
        let names = parents.elsewhere.names();
        assert_eq!(names.len(), 1, "{answers:?}");
        parents.elsewhere.end(&names[0], 5);
        assert_eq!(
            response(&parents.end(&started).await),
            exported(5),
            "{answers:?}"
        );
    }
}

/// steps:C2
#[tokio::test(start_paused = true)]
async fn a_run_that_is_lost_during_the_start_leaves_it_to_the_next_one() {
    let parents = Parents::new(just_a_child).await;
    parents.elsewhere.answer([Answer::Never]);
    let started = parents.server.start().await;
    parents.elsewhere.started(1).await;
    parents.lose(&name(&started)).await;
    parents.elsewhere.started(2).await;
    suspended(&parents.server.store, &name(&started)).await;
    let names = parents.elsewhere.names();
    assert_eq!((names.len(), parents.elsewhere.starts()), (1, 2));
    // A run that finds the name does not start it again.
    parents.elsewhere.end(&names[0], 5);
    assert_eq!(response(&parents.end(&started).await), exported(5));
    assert_eq!(parents.elsewhere.starts(), 2);
}

/// steps:C3
#[tokio::test(start_paused = true)]
async fn a_start_is_not_made_again_when_the_server_may_have_forgotten_it() {
    let minute = HOUR / 60;
    for (window, at_most_once) in [(minute * 30, false), (Duration::ZERO, false), (HOUR, true)] {
        let parents =
            Parents::with_window(window, move |away: Away, operation: Context| async move {
                let child = away.child(&operation, "plain");
                let child = if at_most_once {
                    child.at_most_once()
                } else {
                    child
                };
                let error = child.await.unwrap_err();
                assert_eq!(error.code(), Code::Aborted);
                let reason = lro_server::tonic_types::StatusExt::get_details_error_info(&error);
                assert_eq!(reason.unwrap().reason, Reason::StepInterrupted.as_str());
                Ok(exported(1))
            })
            .await;
        // Each takes a minute, and the pauses between them up to one more.
        parents.elsewhere.answer(vec![Answer::Never; 100]);
        let started = parents.server.start().await;
        assert_eq!(response(&parents.end(&started).await), exported(1));
        let starts = parents.elsewhere.starts();
        match window.is_zero() || at_most_once {
            true => assert_eq!(starts, 1),
            false => assert!((10..40).contains(&starts), "{starts}"),
        }
        assert_eq!(parents.watch(&started).await.state, OperationState::Failed);
    }
}

/// steps:C4
#[tokio::test(start_paused = true)]
async fn a_start_that_is_refused_is_the_error_of_the_step() {
    let parents = Parents::new(async |away: Away, operation: Context| {
        let error = away.child(&operation, "plain").await.unwrap_err();
        assert_eq!(error.code(), Code::InvalidArgument);
        operation.sleep("later", HOUR).await?;
        Ok(exported(1))
    })
    .await;
    parents
        .elsewhere
        .answer([Answer::Refused(Code::InvalidArgument)]);
    let started = parents.server.start().await;
    assert_eq!(response(&parents.end(&started).await), exported(1));
    assert_eq!(parents.elsewhere.starts(), 1);
    assert_eq!(parents.watch(&started).await.state, OperationState::Failed);
}

/// steps:C10
#[tokio::test(start_paused = true)]
async fn only_the_end_of_the_operation_or_its_absence_ends_the_child() {
    let parents = Parents::new(async |away: Away, operation: Context| {
        let error = away.child(&operation, "plain").await.unwrap_err();
        assert_eq!(error.code(), Code::NotFound);
        Ok(exported(1))
    })
    .await;
    let passing = [
        Code::PermissionDenied,
        Code::Unauthenticated,
        Code::Internal,
    ];
    parents.elsewhere.fail_polls(passing);
    let started = parents.server.start().await;
    suspended(&parents.server.store, &name(&started)).await;
    let polled = |watch: &OperationRecord| watch.fence > 3 && watch.state.is_running();
    parents.server.child_when(&started, STEP, polled).await;
    parents.elsewhere.forget(&parents.elsewhere.names()[0]);
    assert_eq!(response(&parents.end(&started).await), exported(1));
}

/// A server that says no more than that the operation is done has no response that the parent could have.
#[tokio::test(start_paused = true)]
async fn a_response_of_another_type_is_an_error_of_the_call_in_every_run() {
    for suspends in [false, true] {
        let parents = Parents::new(async |away: Away, operation: Context| {
            let error = away.child(&operation, "plain").await.unwrap_err();
            assert_eq!(error.code(), Code::Internal, "{error}");
            operation.sleep("later", HOUR).await?;
            Ok(exported(1))
        })
        .await;
        let started = parents.server.start().await;
        parents.elsewhere.started(1).await;
        if suspends {
            suspended(&parents.server.store, &name(&started)).await;
        }
        let child = parents.elsewhere.names().remove(0);
        parents
            .elsewhere
            .change(&child, |operation| operation.done = true);
        assert_eq!(response(&parents.end(&started).await), exported(1));
    }
}
