//! Google's published client for Python against the service, over gRPC and over REST: `client.py` says
//! what it does.

use std::error::Error;
use std::sync::Arc;

use foreign_api::Redis;
use foreign_api::pb::cloud_redis_server::CloudRedisServer;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use hyper_util::service::TowerToHyperService;
use lro_gateway::Gateway;
use lro_server::lro_core::store::MemoryStore;
use lro_server::{Operations, Worker};
use test_programs::Environment;
use tokio::net::TcpListener;
use tokio::process::Command;
use tokio::task::JoinSet;
use tokio_stream::wrappers::TcpListenerStream;
use tonic::service::Routes;
use tonic::transport::Server;

/// How many checks the script has.
const CHECKS: usize = 8;

#[tokio::test]
async fn googles_client_for_redis_is_served() -> Result<(), Box<dyn Error>> {
    let fixture = Fixture::start().await?;
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?.to_string();
    let router = Server::builder().add_routes(fixture.routes.clone());
    let server = tokio::spawn(router.serve_with_incoming(TcpListenerStream::new(listener)));
    fixture.check("grpc", &address).await?;
    server.abort();
    fixture.worker.drain().await;
    Ok(())
}

/// gateway:32 gateway:57 gateway:62 gateway:66 gateway:134 gateway:135
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn googles_client_for_redis_is_served_over_rest() -> Result<(), Box<dyn Error>> {
    let fixture = Fixture::start().await?;
    let gateway = Gateway::builder(fixture.routes.clone())
        .file_descriptor_set(foreign_api::pb::FILE_DESCRIPTOR_SET)
        .build()?;
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?.to_string();
    let server = tokio::spawn(serve(listener, gateway));
    fixture.check("rest", &address).await?;
    server.abort();
    fixture.worker.drain().await;
    Ok(())
}

struct Fixture {
    routes: Routes,
    worker: Worker,
}

impl Fixture {
    async fn start() -> Result<Self, Box<dyn Error>> {
        let operations = Operations::builder(MemoryStore::new())
            .file_descriptor_set(foreign_api::pb::FILE_DESCRIPTOR_SET)?
            .build();
        let redis = Arc::new(Redis::new(operations.clone()));
        let worker = Worker::builder(&operations)
            .host(redis.clone())
            .start()
            .await?;
        let routes =
            Routes::new(CloudRedisServer::from_arc(redis)).add_service(operations.service());
        Ok(Self { routes, worker })
    }

    /// Runs the script against a server.
    async fn check(&self, transport: &str, address: &str) -> Result<(), Box<dyn Error>> {
        let tests = env!("CARGO_TARGET_TMPDIR");
        let Some(python) = Environment::GOOGLE_CLOUD_REDIS.make_or_skip(tests.as_ref()) else {
            return Ok(());
        };
        let script = Command::new(python.join("bin/python"))
            .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/client.py"))
            .args([transport, address])
            .kill_on_drop(true)
            .output()
            .await?;
        let out = String::from_utf8_lossy(&script.stdout);
        let err = String::from_utf8_lossy(&script.stderr);
        assert!(script.status.success(), "{out}\n{err}");
        let passed = out.lines().filter(|line| line.starts_with("ok ")).count();
        assert_eq!(passed, CHECKS, "{out}\n{err}");
        Ok(())
    }
}

/// Serves HTTP/1.1 and HTTP/2 without TLS.
async fn serve(listener: TcpListener, gateway: Gateway) {
    let mut connections = JoinSet::new();
    while let Ok((socket, _)) = listener.accept().await {
        let service = TowerToHyperService::new(gateway.clone());
        connections.spawn(async move {
            // A client may close its connection at any time.
            let _ = auto::Builder::new(TokioExecutor::new())
                .serve_connection(TokioIo::new(socket), service)
                .await;
        });
    }
}
