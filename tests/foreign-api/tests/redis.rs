//! Google's published client for Python against the service: `client.py` says what it does.

use std::error::Error;
use std::sync::Arc;

use foreign_api::Redis;
use foreign_api::pb::cloud_redis_server::CloudRedisServer;
use foreign_programs::Environment;
use lro_server::lro_core::store::MemoryStore;
use lro_server::{Operations, Worker};
use tokio::net::TcpListener;
use tokio::process::Command;
use tokio_stream::wrappers::TcpListenerStream;
use tonic::transport::Server;

/// How many checks the script has.
const CHECKS: usize = 8;

#[tokio::test]
async fn googles_client_for_redis_is_served() -> Result<(), Box<dyn Error>> {
    let tests = env!("CARGO_TARGET_TMPDIR");
    let Some(python) = Environment::GOOGLE_CLOUD_REDIS.make_or_skip(tests.as_ref()) else {
        return Ok(());
    };
    let operations = Operations::new(MemoryStore::new());
    let redis = Arc::new(Redis::new(operations.clone()));
    let worker = Worker::builder(&operations)
        .host(redis.clone())
        .start()
        .await?;
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?.to_string();
    let router = Server::builder()
        .add_service(CloudRedisServer::from_arc(redis))
        .add_service(operations.server());
    let server = tokio::spawn(router.serve_with_incoming(TcpListenerStream::new(listener)));
    let script = Command::new(python.join("bin/python"))
        .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/client.py"))
        .arg(address)
        .kill_on_drop(true)
        .output()
        .await?;
    server.abort();
    worker.drain().await;
    let out = String::from_utf8_lossy(&script.stdout);
    let err = String::from_utf8_lossy(&script.stderr);
    assert!(script.status.success(), "{out}\n{err}");
    let passed = out.lines().filter(|line| line.starts_with("ok ")).count();
    assert_eq!(passed, CHECKS, "{out}\n{err}");
    Ok(())
}
