use lro_core::ParentPattern;
use lro_core::filter::{Filter, Schema};
use lro_core::store::{
    ChildOf, ChildRefusal, Command, ListQuery, NewOperation, OperationRecord, OperationState,
    OperationStore, Refusal, StartError, StepKind, StepOutcome, StepQuery, StepRow, StepWrite,
    StoreErrorKind, Update,
};
use lro_sqlite::SqliteStore;

use crate::fixture::*;

const CHILD: &str = "children/operations/1";
const PARENT: &str = "operations/1";

fn child_of(parent: &OperationRecord, name: &str) -> NewOperation {
    let mut child = new(name);
    child.child_of = Some(Box::new(ChildOf {
        operation: parent.name.clone(),
        uid: parent.uid,
        fence: parent.fence,
        step: StepWrite::begun("disk".parse().unwrap(), StepKind::Child),
        is_left: false,
    }));
    child
}

/// One that runs, and its child, which runs too.
async fn family(store: &SqliteStore) -> (OperationRecord, OperationRecord) {
    let mut parent = new(PARENT);
    parent.claimed_by = Some((worker(), LEASE));
    let parent = start(store, parent).await;
    let mut child = child_of(&parent, CHILD);
    child.claimed_by = Some((worker(), LEASE));
    child.policy.max_attempts = 1;
    let child = start(store, child).await;
    (parent, child)
}

async fn waits(store: &SqliteStore) {
    let suspend = Command::Suspend {
        fence: 1,
        waits: vec!["disk".parse().unwrap()],
        ready_by: None,
        metadata: None,
    };
    update(store, PARENT, suspend).await.unwrap();
}

async fn step(store: &SqliteStore, parent: &OperationRecord) -> StepRow {
    let query = StepQuery::all(parent.uid, 0);
    store.steps(query).await.unwrap().remove(0)
}

/// steps:C2 steps:C5
#[tokio::test]
async fn a_child_and_its_step_are_one_commit_and_survive() {
    let fixture = Fixture::new();
    let store = fixture.open().await;
    let (parent, child) = family(&store).await;
    assert_eq!(store.commits(), 2);
    waits(&store).await;
    let before = step(&store, &parent).await;
    let of_step = before.child.as_deref().unwrap();
    assert_eq!((&of_step.name, of_step.uid), (&child.name, child.uid));
    drop(store);

    // The worker of the child is lost with its process, in its only attempt.
    let store = fixture.open().await;
    let lost = get(&store, CHILD).await.unwrap();
    assert_eq!(lost.state, OperationState::Failed);
    assert_eq!(lost.parent_step, child.parent_step);
    let after = step(&store, &parent).await;
    assert!(matches!(after.outcome, Some(StepOutcome::Error(_))));
    assert_eq!(after.child, before.child);
    let claimed = claim(&store, 9).await.operations;
    assert_eq!(claimed.len(), 1);
    assert_eq!(claimed[0].uid, parent.uid);
    drop(store);
    fixture.check_integrity();
}

/// steps:W6
#[tokio::test]
async fn the_end_of_a_child_is_one_commit_with_its_step() {
    let fixture = Fixture::new();
    let store = fixture.open().await;
    let (parent, _) = family(&store).await;
    waits(&store).await;
    let commits = store.commits();
    update(&store, CHILD, succeed(1)).await.unwrap();
    assert_eq!(store.commits(), commits + 1);
    assert!(step(&store, &parent).await.is_finished());
    drop(store);
    let store = fixture.open().await;
    assert!(step(&store, &parent).await.is_finished());
    let claimed = claim(&store, 9).await.operations;
    assert_eq!(claimed[0].uid, parent.uid);
}

#[tokio::test]
async fn a_corrupt_parent_does_not_hinder_its_child() {
    for damage in [
        "UPDATE operation SET labels = x'ff' WHERE name = 'operations/1'",
        "UPDATE step SET kind = 99",
        "UPDATE step SET child = x'ff'",
        "DELETE FROM step",
        "DELETE FROM operation WHERE name = 'operations/1'",
    ] {
        let fixture = Fixture::new();
        let store = fixture.open().await;
        let (parent, _) = family(&store).await;
        waits(&store).await;
        drop(store);
        assert_eq!(fixture.outsider().execute(damage, ()).unwrap(), 1);
        let store = fixture.open().await;
        let ended = get(&store, CHILD).await.unwrap();
        assert_eq!(ended.state, OperationState::Failed, "{damage}");
        // One more is refused, and stores nothing.
        let another = child_of(&parent, "children/operations/2");
        let error = store.start(vec![another]).await.unwrap().remove(0);
        let Err(StartError::Child(ChildRefusal::Parent(refusal))) = error else {
            panic!("{damage}: {error:?}");
        };
        let is_corrupt = matches!(refusal, Refusal::Corrupt(_));
        let is_gone = matches!(refusal, Refusal::NotFound | Refusal::Stale);
        assert!(is_corrupt || is_gone, "{damage}: {refusal:?}");
        assert_eq!(get(&store, "children/operations/2").await, None);
    }
}

#[tokio::test]
async fn a_corrupt_child_is_reported_and_blocks_no_other() {
    let fixture = Fixture::new();
    let store = fixture.open().await;
    family(&store).await;
    waits(&store).await;
    drop(store);
    let sql = "UPDATE operation SET parent_step = x'ff' WHERE parent_step IS NOT NULL";
    assert_eq!(fixture.outsider().execute(sql, ()).unwrap(), 1);
    let store = fixture.open().await;
    let error = store.get(&CHILD.parse().unwrap()).await.unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Corrupt, "{error}");
    assert!(get(&store, PARENT).await.unwrap().is_suspended());
}

/// The page of a parent is corrupt: its child ends without it.
#[tokio::test]
async fn a_parent_on_a_corrupt_page_does_not_hinder_its_child() {
    let fixture = Fixture::new();
    let store = fixture.open().await;
    let mut parents = Vec::new();
    for number in 0..40 {
        let mut parent = new(&format!("operations/{number:03}"));
        parent.request = payload("parent", 400);
        parent.claimed_by = Some((worker(), LEASE));
        parents.push(start(&store, parent).await);
    }
    let children = parents.iter().enumerate().map(|(number, parent)| {
        let mut child = child_of(parent, &format!("children/operations/{number:03}"));
        child.request = payload("child", 400);
        child.claimed_by = Some((worker(), LEASE));
        child
    });
    let started = store.start(children.collect()).await.unwrap();
    assert!(started.iter().all(Result::is_ok));
    drop(store);
    let mut file = std::fs::read(fixture.path()).unwrap();
    let holds = |page: &[u8], text: &str| {
        let mut windows = page.windows(text.len());
        windows.any(|window| window == text.as_bytes())
    };
    let of_parents = |page: &[u8]| holds(page, "test.parent") && !holds(page, "test.child");
    let mut pages = file.chunks(4_096).enumerate();
    let page = pages.position(|(_, page)| page[0] == 0x0a && of_parents(page));
    // The number of its cells.
    file[page.unwrap() * 4_096 + 3..][..2].fill(0xff);
    std::fs::write(fixture.path(), file).unwrap();

    let store = fixture.open().await;
    let claimed = claim(&store, 80).await.operations;
    let of_children = claimed.iter().filter(|it| it.parent_step.is_some());
    let ends = of_children.map(|it| Update::by_uid(it.name.clone(), it.uid, succeed(it.fence)));
    let ends: Vec<_> = ends.collect();
    assert_eq!(ends.len(), 40);
    let answers = store.update(ends).await.unwrap();
    assert!(answers.iter().all(Result::is_ok), "{answers:?}");
    let mut finished = 0;
    for parent in &parents {
        finished += usize::from(step(&store, parent).await.is_finished());
    }
    assert!((1..40).contains(&finished), "{finished}");
}

/// Operations of other parents, however many and how new they are, are not looked at.
#[tokio::test]
async fn a_list_of_children_looks_at_no_other_operations() {
    let fixture = Fixture::new();
    let store = fixture.open().await;
    let (_, child) = family(&store).await;
    let others = (0..50).map(|n| new(&format!("children/operations/other-{n}")));
    let started = store.start(others.collect()).await.unwrap();
    assert!(started.iter().all(Result::is_ok));
    let text = "parent_operation = \"operations/1\"";
    for pattern in ["children", "-"] {
        for text in [text.to_owned(), format!("{text} AND done = false")] {
            let parent: ParentPattern = pattern.parse().unwrap();
            let mut query = ListQuery::new(parent, 1);
            query.filter = Filter::parse(&text, &Schema::default()).unwrap();
            query.max_examined = 2;
            let page = store.list(query).await.unwrap();
            let found: Vec<_> = page.records.iter().map(|it| &it.name).collect();
            assert_eq!(found, [&child.name], "{pattern}: {text}");
        }
    }
}
