//! The body, killed at every place, with days of 24 hours that take no time.

use std::time::Duration;

use lro_core::store::MemoryStore;
use lro_server::Operations;
use lro_server::testing::{self, History};
use tempfile::TempDir;

use crate::pb::{Batch, ImportRequest, Month};
use crate::{Importer, Warehouse};

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// An importer in a folder of its own.
struct World {
    importer: Importer,
    _folder: TempDir,
}

impl World {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let operations = Operations::new(MemoryStore::new());
        Self {
            importer: Importer::new(&operations, Warehouse::new(folder.path()), DAY),
            _folder: folder,
        }
    }
}

#[test]
fn killed_anywhere_it_imports_each_night_once() {
    let report = testing::crash_everywhere(World::new, |world, operation| async move {
        world
            .importer
            .import(ImportRequest { nights: 4 }, operation)
            .await
    })
    .check(|world| {
        assert_eq!(
            world.importer.warehouse().nights().unwrap(),
            [10, 11, 12, 13]
        );
    })
    .run();
    assert!(report.crash_points > 30, "{report:?}");
}

#[test]
fn an_operation_in_the_middle_of_a_night_goes_on() {
    let world = World::new();
    let history = History::of("operations/1")
        .at("2027-01-13T00:00:09Z")
        .checkpoint(&Month {
            nights_done: 12,
            rows: 186,
        })
        .sleeping("night", "2027-01-14T00:00:00Z")
        .at("2027-01-14T00:00:03Z")
        .step("fetch", &Batch::default());
    let run = testing::replay(history, |operation| async move {
        world
            .importer
            .import(ImportRequest { nights: 30 }, operation)
            .await
    });
    assert_eq!(run.begun(), ["load"]);
}
