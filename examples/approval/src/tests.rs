//! The body, killed at every place, and on what earlier versions have recorded.

use lro_core::store::MemoryStore;
use lro_server::Operations;
use lro_server::testing::{self, History, Replay};
use tempfile::TempDir;

use crate::pb::{self, Approval, PublishRequest, Published};
use crate::{Desk, Publisher};

/// A publisher in a folder of its own.
struct World {
    publisher: Publisher,
    _folder: TempDir,
}

impl World {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let operations = Operations::new(MemoryStore::new());
        Self {
            publisher: Publisher::new(&operations, Desk::new(folder.path())),
            _folder: folder,
        }
    }

    fn desk(&self) -> &Desk {
        self.publisher.desk()
    }
}

fn contract() -> PublishRequest {
    PublishRequest {
        document: "contract".into(),
    }
}

fn answer(approved: bool) -> Approval {
    Approval {
        approved,
        by: "Kim".into(),
        comment: "as discussed".into(),
    }
}

#[test]
fn approved_it_is_published_and_nobody_is_asked_twice() {
    testing::crash_everywhere(World::new, |world, operation| async move {
        world.publisher.publish(contract(), operation).await
    })
    .complete("legal/approved", &answer(true))
    .check(|world| {
        assert!(world.desk().mails().unwrap().len() <= 1);
        assert_eq!(
            world.desk().published("contract").unwrap(),
            "the text of contract\n"
        );
    })
    .run();
}

#[test]
fn without_an_answer_the_head_is_asked() {
    testing::crash_everywhere(World::new, |world, operation| async move {
        world.publisher.publish(contract(), operation).await
    })
    .complete("head/approved", &answer(false))
    .seed(0)
    .check(|world| {
        let mails = world.desk().mails().unwrap();
        let times = |whom: &str| mails.iter().filter(|mail| **mail == whom).count();
        assert!(times("legal@example.com") <= 1 && times("head@example.com") <= 1);
        assert!(world.desk().published("contract").is_err());
    })
    .run();
}

fn replay(history: History) -> Replay<Published> {
    let world = World::new();
    testing::replay(history, |operation| async move {
        world.publisher.publish(contract(), operation).await
    })
}

/// Its history is one of the version before `scan`.
#[test]
fn an_operation_from_before_the_scan_goes_without_it() {
    let history = History::of("operations/1")
        .at("2026-12-30T09:00:00Z")
        .step("ocr", &"the text".to_owned())
        .step("legal/ask", &())
        .asked("legal/approved");
    let run = replay(history.clone());
    assert_eq!(run.blocked(), None);
    assert!(run.is_waiting_for("legal/approved"));

    let approved = history
        .at("2027-01-02T10:00:00Z")
        .promise("legal/approved", &answer(true));
    assert_eq!(replay(approved).begun(), ["publish"]);
}

/// `lro steps operations/42 -o history` has written the file, with the version before `scan`.
#[test]
fn an_operation_of_production_continues() {
    let exported = include_str!("../tests/histories/waits_for_legal.json");
    let history = History::from_json(exported, &[pb::FILE_DESCRIPTOR_SET]).unwrap();
    assert_eq!(replay(history.clone()).blocked(), None);

    let approved = history.promise("legal/approved", &answer(true));
    assert_eq!(replay(approved).begun(), ["publish"]);
}

#[test]
fn a_new_operation_is_scanned() {
    let history = History::of("operations/1").step("ocr", &"the text".to_owned());
    assert_eq!(replay(history).begun(), ["scan"]);
}
