//! Hosts that requests may name: against DNS rebinding.

use lro_core::store::MemoryStore;
use lro_server::Operations;

use super::{Http1, read, server};
use crate::access::fixture::Policies;
use crate::serve::served::{Plain, Served};

/// report:W1
#[tokio::test]
async fn without_an_authorizer_a_loopback_address_answers_loopback_hosts() {
    let operations = Operations::new(MemoryStore::new());
    let server = server(&operations, Plain::default()).allow_host("ops.local");
    let served = Served::start(server).await;
    let mut http = Http1::connect(&served).await;
    for (host, status) in [
        ("localhost", 200),
        ("127.0.0.1:1", 200),
        ("[::1]:1", 200),
        ("ops.local", 200),
        ("evil.example", 403),
        ("localhost.evil.example:1", 403),
    ] {
        let response = http.send("/tables/a", &[("host", host)]).await;
        assert_eq!(read(response).await.0, status, "{host}");
    }
    drop(http);
    served.stop().await;
}

/// report:W1
#[tokio::test]
async fn with_an_authorizer_any_host_is_answered() {
    let builder = Operations::builder(MemoryStore::new()).authorizer(Policies::tenants());
    let served = Served::start(server(&builder.build(), Plain::default())).await;
    let mut http = Http1::connect(&served).await;
    let response = http.send("/tables/a", &[("host", "ops.example")]).await;
    assert_eq!(read(response).await.0, 200);
    drop(http);
    served.stop().await;
}
