//! The standard field `current_step` while a body runs.

use std::sync::Arc;
use std::time::Duration;

use exporter::pb::{ExportMetadata, ExportRequest};
use lro_core::pack;
use lro_core::store::{MemoryStore, NewOperation, OperationStore as _, StandardMetadata};
use prost::Message as _;
use tokio::sync::Semaphore;
use tonic::Status;
use uuid::Uuid;

use super::{record, store};
use crate::support::{exported, start_on};

/// The number of a field that the metadata has for it.
const FIELD: u32 = 9;

#[derive(Clone, PartialEq, prost::Message)]
struct Shown {
    #[prost(uint32, tag = "1")]
    tables_done: u32,
    #[prost(string, tag = "9")]
    current_step: String,
}

/// An operation whose metadata has the field, in a store that a worker is started on later.
async fn stored(current_step: u32) -> (Arc<MemoryStore>, crate::support::faulty::Node) {
    let (store, node) = store();
    let request = ExportRequest {
        tables: vec!["a".to_owned()],
    };
    let name = "operations/1".parse().unwrap();
    let method = "/exporter.v1.Exporter/Export";
    let mut new = NewOperation::new(Uuid::from_u128(1), name, method, pack(&request));
    new.origin.standard_metadata = Some(StandardMetadata {
        type_name: "exporter.v1.ExportMetadata".to_owned(),
        current_step,
        ..Default::default()
    });
    store.start(vec![new]).await.unwrap()[0].as_ref().unwrap();
    (store, node)
}

/// The metadata that callers see, and how often the operation was written.
async fn shown(store: &MemoryStore) -> (Shown, u64) {
    let record = record(store, &"operations/1".parse().unwrap()).await;
    let metadata = record.to_operation().metadata.unwrap_or_default();
    (Shown::decode(&*metadata.value).unwrap(), record.revision)
}

/// Runs two steps, the second one longer than heartbeats. Returns how often the operation was written.
async fn run(field: u32, reports: bool) -> (Vec<String>, u64) {
    let (store, node) = stored(field).await;
    let ends = Arc::new(Semaphore::new(0));
    let held = ends.clone();
    let (operations, _, _worker) = start_on(
        node,
        |worker| worker,
        move |_, operation| {
            let ends = held.clone();
            async move {
                operation
                    .step("dump", async || Ok::<(), Status>(()))
                    .await?;
                if reports {
                    operation.set_metadata(ExportMetadata {
                        tables_done: 1,
                        tables_total: 2,
                    });
                }
                let upload = async || {
                    ends.acquire().await.unwrap().forget();
                    Ok::<(), Status>(())
                };
                operation.step("upload", upload).await?;
                Ok(exported(1))
            }
        },
    )
    .await;
    let mut seen = Vec::new();
    for _ in 0..3 {
        tokio::time::sleep(Duration::from_secs(60)).await;
        let (shown, _) = shown(&store).await;
        assert_eq!(shown.tables_done, u32::from(reports));
        seen.push(shown.current_step);
    }
    ends.add_permits(1);
    let name = "operations/1".parse().unwrap();
    assert!(operations.wait(&name, None).await.unwrap().done);
    let (ended, revision) = shown(&store).await;
    assert_eq!(ended.tables_done, u32::from(reports));
    seen.push(ended.current_step);
    (seen, revision)
}

#[tokio::test(start_paused = true)]
async fn it_is_told_with_writes_that_are_made_anyway() {
    let (seen, writes) = run(FIELD, true).await;
    assert_eq!(seen, ["upload", "upload", "upload", ""]);
    let (seen, writes_without) = run(0, true).await;
    assert_eq!(seen, [""; 4]);
    assert_eq!(writes, writes_without);
    // Without any metadata of the body, a heartbeat tells it.
    let (seen, _) = run(FIELD, false).await;
    assert_eq!(seen, ["upload", "upload", "upload", ""]);
}
