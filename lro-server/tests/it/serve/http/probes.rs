//! `/healthz` and `/readyz`.

use std::sync::Arc;
use std::time::Duration;

use exporter::pb::ExportResponse;
use http::{Method, Request};
use http_body_util::Full;
use lro_core::store::MemoryStore;
use lro_server::Operations;
use lro_server::serve::ServeLimits;

use super::{Http1, read, server};
use crate::serve::served::{Plain, Served};
use crate::support::faulty::Node;
use crate::support::start;

/// Asks until the probe has this status; the health that it follows is looked at every 10 ms.
async fn until(http: &mut Http1, status: u16) {
    while http.get("/readyz").await.0 != status {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_probe_tells_that_no_worker_runs_operations() {
    let without = "ok, but no worker runs operations\n";
    let body = async |_, _| Ok(ExportResponse::default());
    let (operations, _exporter, worker) = start(body).await;
    let served = Served::start(server(&operations, Plain::default())).await;
    let mut http = Http1::connect(&served).await;
    until(&mut http, 200).await;
    assert_eq!(http.get("/readyz").await.1, "ok\n");
    worker.drain().await;
    while http.get("/readyz").await.1 != without {
        tokio::task::yield_now().await;
    }
    drop(http);
    served.stop().await;

    // A worker of another process may run the operations of a shared store.
    for (is_shared, text) in [(false, without), (true, "ok\n")] {
        let store = MemoryStore::new();
        let operations = match is_shared {
            true => Operations::new(Node::lagging(&Arc::new(store), 0)),
            false => Operations::new(store),
        };
        let served = Served::start(server(&operations, Plain::default())).await;
        let mut http = Http1::connect(&served).await;
        until(&mut http, 200).await;
        assert_eq!(http.get("/readyz").await.1, text);
        drop(http);
        served.stop().await;
    }
}

#[tokio::test]
async fn probes_follow_the_store_and_the_end() {
    let store = Arc::new(MemoryStore::new());
    let node = Node::lagging(&store, 0);
    let operations = Operations::new(node.clone());
    let limits = ServeLimits::default().health_interval(Duration::from_millis(10));
    let plain = Plain::default();
    let served = Served::start(server(&operations, plain.clone()).limits(limits)).await;
    let mut http = Http1::connect(&served).await;
    let mut held = Http1::connect(&served).await;
    for (down, status) in [(false, 200), (true, 503), (false, 200)] {
        node.set_down(down);
        until(&mut http, status).await;
        assert_eq!(http.get("/healthz").await, (200, "ok\n".to_owned()));
    }
    let post = Request::builder().method(Method::POST).uri("/readyz");
    let post = post.header("host", "localhost").body(Full::default());
    assert_eq!(read(http.request(post.unwrap()).await).await.0, 405);
    // Probes name the pod's address as their host.
    let other_host = http.send("/readyz", &[("host", "10.0.0.7:50051")]).await;
    assert_eq!(read(other_host).await.0, 200);

    // The end: a request under way gets its answer, an idle connection is closed.
    let ((), ending) = tokio::join!(
        async {
            let (status, text) = held.get("/tables/held").await;
            assert_eq!((status, &*text), (200, "released"));
        },
        async {
            plain.hanging.notified().await;
            let ending = served.begin_stop();
            http.closed().await;
            plain.release.notify_one();
            // In an option: a task is a future itself.
            Some(ending)
        }
    );
    held.closed().await;
    ending.unwrap().await.unwrap().unwrap();
}
