//! Provisions two clusters: child operations, and a saga that undoes what they have made.
//!
//! Run: `cargo run -p cluster`. It prints
//!
//! ```text
//! created blue/network
//! created blue/eu
//! blue has 1 nodes
//! created sick/network
//! created sick/eu
//! deleted sick/eu
//! deleted sick/network
//! sick has failed
//! ```

use std::error::Error;
use std::sync::Arc;

use cluster::pb::CreateClusterRequest;
use cluster::pb::clusters_client::ClustersClient;
use cluster::pb::clusters_server::ClustersServer;
use cluster::{Cloud, Provisioner};
use lro_client::{IntoPoller as _, OperationsClient};
use lro_core::store::MemoryStore;
use lro_server::serve::Server;
use lro_server::{Operations, Worker};
use tokio::net::TcpListener;
use tonic::transport::Channel;

type Result<T = ()> = std::result::Result<T, Box<dyn Error>>;

#[tokio::main]
async fn main() -> Result {
    let operations = Operations::new(MemoryStore::new());
    let provisioner = Arc::new(Provisioner::new(&operations, Cloud::printing()));
    let worker = Worker::builder(&operations)
        .host(provisioner.clone())
        .start()
        .await?;
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let url = format!("http://{}", listener.local_addr()?);
    let mut called = Ok(());
    let calls = async {
        called = call(url).await;
    };
    Server::builder(&operations)
        .add_service(ClustersServer::from_arc(provisioner))
        .worker(worker)
        .serve(listener, calls)
        .await?;
    called
}

async fn call(url: String) -> Result {
    let channel = Channel::from_shared(url)?.connect().await?;
    let mut clusters = ClustersClient::new(channel.clone());
    for name in ["blue", "sick"] {
        let request = CreateClusterRequest {
            name: name.to_owned(),
            zones: vec!["eu".to_owned()],
        };
        let started = clusters.create_cluster(request).await?.into_inner();
        let poller = started.into_poller(&OperationsClient::new(channel.clone()));
        match poller.until_done().await {
            Ok(cluster) => println!("{name} has {} nodes", cluster.nodes.len()),
            Err(_) => println!("{name} has failed"),
        }
    }
    Ok(())
}
