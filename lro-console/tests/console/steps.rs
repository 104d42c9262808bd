//! The steps of an operation on its page, and what a visitor does about them.

use std::time::Duration;

use http::StatusCode;
use lro_core::OperationName;
use lro_core::store::{
    ChildOf, Command, OperationStore as _, StepKind, StepOutcome, StepQuery, StepWrite, Update,
};
use lro_server::access::{Access, Authorizer, Call, InspectionCall, InspectionPermission};
use tonic::Status;

use crate::fixture::{Fixture, get, post};

/// A step that has ended, and a promise that the operation waits for.
async fn waiting(fixture: &Fixture) -> OperationName {
    let name = fixture.running(1, 8).await;
    fixture.suspend(&name).await;
    name
}

async fn value(fixture: &Fixture, name: &OperationName) -> String {
    let record = fixture.store.get(name).await.unwrap().unwrap();
    format!("{} {name}", record.uid)
}

#[tokio::test]
async fn steps_are_drawn_by_scope_with_what_the_operation_waits_for() {
    let fixture = Fixture::new();
    let name = waiting(&fixture).await;
    fixture.clock.advance(Duration::from_secs(60));
    let page = get(&fixture.console(), &format!("/operation?name={name}")).await;
    for text in [
        "<caption class=\"unseen\">Recorded steps, in their order</caption>",
        "<th scope=\"colgroup\" colspan=\"5\">dump/</th>",
        "data-step=\"DONE\"",
        "data-step=\"WAITING\"",
        "<summary>Complete <b>approved</b></summary>",
        "its body waits for `approved`",
        "Forget a step",
    ] {
        assert!(page.text.contains(text), "{text}\n{}", page.text);
    }
    // It has no time at which it becomes ready.
    for wrong in ["Ready", "9999", "starts in", "253402"] {
        assert!(!page.text.contains(wrong), "{wrong}\n{}", page.text);
    }
    assert!(page.text.contains("data-part=\"waiting\""), "{}", page.text);
    // The value is not for everyone who sees the step.
    assert!(!page.text.contains("secret"), "{}", page.text);
    let plain = fixture.pending().await;
    let page = get(&fixture.console(), &format!("/operation?name={plain}")).await;
    assert!(
        page.text
            .contains("<section id=\"steps\" data-part hidden>"),
        "{}",
        page.text
    );
}

#[tokio::test]
async fn a_promise_is_completed_by_its_form() {
    let fixture = Fixture::new();
    let name = waiting(&fixture).await;
    let operation = value(&fixture, &name).await;
    let form = |kind, value| {
        [
            ("action", "complete"),
            ("operation", &*operation),
            ("key", "approved"),
            ("type", kind),
            ("value", value),
        ]
    };
    let console = fixture.console();
    for (form, wanted) in [
        (
            form("a.b.C", "true"),
            "is no type that the server describes",
        ),
        (
            form("google.protobuf.BoolValue", "yes"),
            "is no google.protobuf.BoolValue",
        ),
    ] {
        let page = post(&console, "/step", &form).await;
        assert_eq!(page.status, StatusCode::BAD_REQUEST, "{}", page.text);
        assert!(page.text.contains(wanted), "{}", page.text);
    }
    let done = form("google.protobuf.BoolValue", "true");
    let page = post(&console, "/step", &done).await;
    assert_eq!(page.status, StatusCode::SEE_OTHER, "{}", page.text);
    let record = fixture.store.get(&name).await.unwrap().unwrap();
    assert!(!record.is_suspended());
    let rows = fixture
        .store
        .steps(StepQuery::all(record.uid, 0))
        .await
        .unwrap();
    let outcome = StepOutcome::Response(lro_core::pack(&true));
    assert_eq!(rows[1].outcome, Some(outcome));
    let other = form("google.protobuf.BoolValue", "false");
    let page = post(&console, "/step", &other).await;
    assert!(page.text.contains("another value"), "{}", page.text);
}

/// Callers see steps, and change none.
#[derive(Debug)]
struct Readers;

#[tonic::async_trait]
impl Authorizer for Readers {
    async fn authorize(&self, _: &Call<'_>) -> Result<Access, Status> {
        Ok(Access::Allowed)
    }

    async fn authorize_inspection(&self, call: &InspectionCall<'_>) -> Result<Access, Status> {
        let permission = call.permission();
        Ok(Access::allowed_if(
            permission == InspectionPermission::Inspect,
        ))
    }
}

#[tokio::test]
async fn forms_say_why_they_are_disabled() {
    let fixture = Fixture::guarded(Readers);
    let name = waiting(&fixture).await;
    let path = format!("/operation?name={name}");
    let page = get(&fixture.console(), &path).await;
    for text in [
        "value=\"complete\" disabled aria-describedby=\"why-complete-0\"",
        "value=\"forget\" disabled aria-describedby=\"why-forget\"",
        "longrunning.operations.complete",
        "longrunning.operations.repair",
    ] {
        assert!(page.text.contains(text), "{text}\n{}", page.text);
    }
    let page = get(&fixture.console().read_only(true), &path).await;
    assert!(page.text.contains("data-step=\"WAITING\""), "{}", page.text);
    assert!(!page.text.contains("action=\"./step\""), "{}", page.text);
}

#[tokio::test]
async fn a_step_is_forgotten_when_it_was_confirmed() {
    for (later, left) in [("", 1), ("yes", 0)] {
        let fixture = Fixture::new();
        let name = waiting(&fixture).await;
        let operation = value(&fixture, &name).await;
        let form = [
            ("action", "forget"),
            ("operation", &*operation),
            ("key", "dump/users"),
            ("sure", "yes"),
            ("later", later),
        ];
        let page = post(&fixture.console(), "/step", &form).await;
        assert_eq!(page.status, StatusCode::SEE_OTHER, "{}", page.text);
        let record = fixture.store.get(&name).await.unwrap().unwrap();
        let query = StepQuery::all(record.uid, 0);
        let rows = fixture.store.steps(query).await.unwrap();
        assert_eq!(rows.len(), left);
    }
}

/// A page holds the first 1,000 steps: those after it must not stay when the visitor asked for all.
#[tokio::test]
async fn later_steps_that_the_console_does_not_know_are_not_left_in_silence() {
    let fixture = Fixture::new();
    let name = fixture.running(1, 8).await;
    let key = |at: u32| format!("dump/{at}").parse().unwrap();
    let ended = |at| StepWrite {
        outcome: Some(StepOutcome::Response(lro_core::pack(&at))),
        ..StepWrite::begun(key(at), StepKind::Step)
    };
    let release = |fence| Command::Release {
        fence,
        metadata: None,
    };
    fixture
        .record(&name, release, (0..=1_000).map(ended).collect())
        .await;
    let operation = value(&fixture, &name).await;
    let form = [
        ("action", "forget"),
        ("operation", &*operation),
        ("key", "dump/0"),
        ("sure", "yes"),
        ("later", "yes"),
    ];
    let page = post(&fixture.console(), "/step", &form).await;
    assert_eq!(page.status, StatusCode::BAD_REQUEST, "{}", page.text);
    assert!(page.text.contains("lro steps forget"), "{}", page.text);
    let record = fixture.store.get(&name).await.unwrap().unwrap();
    assert_eq!(record.steps.unwrap().rows, 1_001);
}

#[tokio::test]
async fn nothing_is_forgotten_unconfirmed() {
    let fixture = Fixture::new();
    let name = waiting(&fixture).await;
    let operation = value(&fixture, &name).await;
    let form = [
        ("action", "forget"),
        ("operation", &*operation),
        ("key", "dump/users"),
    ];
    let page = post(&fixture.console(), "/step", &form).await;
    assert_eq!(page.status, StatusCode::BAD_REQUEST, "{}", page.text);
    assert!(page.text.contains("nothing was done"), "{}", page.text);
    let unknown = [("action", "explode"), ("operation", &*operation)];
    let page = post(&fixture.console(), "/step", &unknown).await;
    assert_eq!(page.status, StatusCode::BAD_REQUEST, "{}", page.text);
}

impl Fixture {
    /// Records a step of a running operation, and suspends it until a promise is completed.
    pub(crate) async fn suspend(&self, name: &OperationName) {
        let key = |text: &str| text.parse().unwrap();
        let secret = lro_core::pack(&"secret".to_owned());
        let rows = vec![
            StepWrite {
                attempt: 2,
                begun_ago: Duration::from_secs(4),
                outcome: Some(StepOutcome::Response(secret)),
                ..StepWrite::begun(key("dump/users"), StepKind::Step)
            },
            StepWrite::begun(key("approved"), StepKind::Promise),
        ];
        let suspend = |fence| Command::Suspend {
            fence,
            waits: vec![key("approved")],
            ready_by: None,
            metadata: None,
        };
        self.record(name, suspend, rows).await;
    }

    /// Records steps with a command of the operation's holder.
    async fn record(
        &self,
        name: &OperationName,
        command: impl FnOnce(u64) -> Command,
        rows: Vec<StepWrite>,
    ) {
        let record = self.store.inner.get(name).await.unwrap().unwrap();
        let command = command(record.fence);
        let update = Update::by_uid(name.clone(), record.uid, command).with_steps(rows);
        let mut updated = self.store.inner.update(vec![update]).await.unwrap();
        updated.remove(0).unwrap();
    }
}

#[tokio::test]
async fn a_child_leads_to_its_parent() {
    let fixture = Fixture::new();
    let parent = fixture.running(1, 8).await;
    let record = fixture.store.get(&parent).await.unwrap().unwrap();
    let mut child = fixture.new_operation();
    child.child_of = Some(Box::new(ChildOf {
        operation: parent.clone(),
        uid: record.uid,
        fence: record.fence,
        step: StepWrite::begun("node/a".parse().unwrap(), StepKind::Child),
        is_left: false,
    }));
    let child = fixture.start(child).await;
    let page = get(&fixture.console(), &format!("/operation?name={child}")).await;
    let link =
        format!("<a href=\"./operation?name={parent}\">{parent}</a>, step <code>node/a</code>");
    assert!(page.text.contains(&link), "{link}\n{}", page.text);
    let page = get(&fixture.console(), &format!("/operation?name={parent}")).await;
    assert!(!page.text.contains("Child of"), "{}", page.text);
}
