use lro_core::inspection::inspection_server::Inspection as _;
use lro_core::inspection::{ListMethodsRequest, ListWorkersRequest, worker::MethodSlots};
use lro_core::store::MemoryStore;
use lro_server::Operations;
use tonic::Request;

use crate::inspection::service;
use crate::support::{self, Exporter, exported};

const METHOD: &str = "/exporter.v1.Exporter/Export";

#[tokio::test]
async fn workers_tell_their_slots() {
    let (operations, _exporter, worker) = support::start_on(
        MemoryStore::new(),
        |builder| builder.concurrency(5),
        async |_, _| Ok(exported(1)),
    )
    .await;
    let workers = async || {
        let inspection = service(&operations);
        let answer = inspection.list_workers(Request::new(ListWorkersRequest {}));
        answer.await.unwrap().into_inner()
    };
    let answer = workers().await;
    assert!(!answer.store_is_shared);
    assert!(answer.as_of.is_some());
    let [only] = &*answer.workers else {
        panic!("{answer:?}");
    };
    assert!(uuid::Uuid::parse_str(&only.worker).is_ok());
    assert_eq!(only.slots, 5);
    assert!(!only.draining && !only.stalled && !only.trying_alone);
    let [method] = &*only.methods else {
        panic!("{only:?}");
    };
    assert_eq!((&*method.method, method.slots), (METHOD, 2));
    worker.drain().await;
    assert!(workers().await.workers.is_empty());
    let _: &MethodSlots = method;
}

#[tokio::test]
async fn methods_tell_their_backlog() {
    let operations = Operations::new(MemoryStore::new());
    let exporter = Exporter::new(&operations, async |_, _| Ok(exported(1)));
    let methods = async || {
        let inspection = service(&operations);
        let answer = inspection.list_methods(Request::new(ListMethodsRequest {}));
        answer.await.unwrap().into_inner().methods
    };
    assert!(methods().await.is_empty());
    for _ in 0..3 {
        exporter.call(&["a"]).await.unwrap();
    }
    let [method] = &*methods().await else {
        panic!("one method");
    };
    assert_eq!((&*method.method, method.ready), (METHOD, 3));
    assert!(method.oldest_ready_time.is_some());
    assert!(!method.hosted && !method.served);
}
