//! Clusters are there as a whole or not at all, whatever dies.

use std::sync::Arc;

use lro_client::OperationsClient;
use lro_core::store::MemoryStore;
use lro_server::serve::Server;
use lro_server::testing::{self, CrashEverywhere, History, Report};
use lro_server::{OperationContext, Operations, Worker};
use tokio::net::TcpListener;
use tonic::transport::Channel;
use tonic::{Code, Status};

use crate::pb::clusters_client::ClustersClient;
use crate::pb::clusters_server::ClustersServer;
use crate::pb::{Cluster, CreateClusterRequest, CreateNodeRequest, Node};
use crate::{Cloud, Elsewhere, Provisioner, node_elsewhere};

fn cluster(name: &str) -> CreateClusterRequest {
    CreateClusterRequest {
        name: name.to_owned(),
        zones: vec!["eu".to_owned(), "us".to_owned()],
    }
}

/// Provisions a cluster in two zones. The kit makes its nodes, and kills the process at each place.
fn provision(name: &'static str) -> CrashEverywhere<'static, Provisioner, Cluster> {
    let world = || Provisioner::new(&Operations::new(MemoryStore::new()), Cloud::default());
    let kit = testing::crash_everywhere(world, move |provisioner, operation| async move {
        provisioner.create_cluster(cluster(name), operation).await
    });
    let node = move |zone: &'static str| {
        move |provisioner: &Provisioner| {
            let node = format!("{name}/{zone}");
            match name {
                "partial" if zone == "us" => Err(Status::resource_exhausted("no capacity")),
                _ => {
                    provisioner.cloud().put(&node);
                    Ok(Node { name: node })
                }
            }
        }
    };
    kit.child("node/eu", node("eu"))
        .child("node/us", node("us"))
}

fn is_whole(provisioner: &Provisioner) {
    let resources = provisioner.cloud().resources();
    assert_eq!(resources, ["blue/eu", "blue/network", "blue/us"]);
}

fn is_clean(provisioner: &Provisioner) {
    assert_eq!(provisioner.cloud().resources(), Vec::<String>::new());
}

/// So that a check has something to find.
fn is_thorough(report: &Report) {
    assert!(report.crash_points > 20, "{report:?}");
}

#[test]
fn a_cluster_is_whole() {
    is_thorough(&provision("blue").check(is_whole).run());
}

#[test]
fn a_cluster_that_is_not_healthy_is_deleted() {
    is_thorough(&provision("sick").check(is_clean).run());
}

#[test]
fn a_cluster_without_one_of_its_nodes_is_deleted() {
    is_thorough(&provision("partial").check(is_clean).run());
}

#[test]
fn a_cluster_that_is_cancelled_is_deleted() {
    for step in ["node/eu", "node/us", "settle"] {
        is_thorough(&provision("blue").cancel_at(step).check(is_clean).run());
    }
}

/// One node is there, and the other one is under way.
#[test]
fn a_cluster_waits_for_its_nodes() {
    let node = Node {
        name: "blue/eu".to_owned(),
    };
    let history = History::of("operations/1")
        .saga("saga")
        .step("network", &())
        .of_saga()
        .child("node/eu", &node)
        .side_by_side()
        .of_saga()
        .child_started("node/us")
        .side_by_side()
        .of_saga();
    let replay = |history: History| {
        testing::replay(history, |operation| async move {
            let provisioner =
                Provisioner::new(&Operations::new(MemoryStore::new()), Cloud::default());
            provisioner.create_cluster(cluster("blue"), operation).await
        })
    };
    let run = replay(history.clone());
    assert_eq!(run.begun(), Vec::<String>::new());
    assert!(run.is_waiting_for("node/us") && !run.is_waiting_for("node/eu"));

    let failed = history.child_failed("late", &Status::aborted("unknown to the code"));
    assert_eq!(replay(failed).unreached(), ["late"]);
}

/// The provisioner on a port, as the other server.
async fn served() -> (Arc<Provisioner>, Elsewhere) {
    let operations = Operations::new(MemoryStore::new());
    let provisioner = Arc::new(Provisioner::new(&operations, Cloud::default()));
    let worker = Worker::builder(&operations)
        .host(provisioner.clone())
        .start();
    let worker = worker.await.unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let server = Server::builder(&operations)
        .add_service(ClustersServer::from_arc(provisioner.clone()))
        .worker(worker);
    tokio::spawn(server.serve(listener, std::future::pending()));
    let channel = Channel::from_shared(url).unwrap().connect().await.unwrap();
    let elsewhere = Elsewhere {
        clusters: ClustersClient::new(channel.clone()),
        operations: OperationsClient::new(channel),
    };
    (provisioner, elsewhere)
}

/// The body runs in this process, its child behind the wire; the child stops only when it is cancelled there.
#[tokio::test]
async fn a_node_of_another_server_is_created_or_its_error_returned() {
    let (provisioner, elsewhere) = served().await;
    let request = |zone: &str| CreateNodeRequest {
        cluster: "blue".to_owned(),
        zone: zone.to_owned(),
        request_id: String::new(),
    };
    let operation = OperationContext::detached();
    let made = node_elsewhere(&elsewhere, &operation, &request("eu")).await;
    assert_eq!(made.unwrap().name, "blue/eu");
    assert_eq!(provisioner.cloud().resources(), ["blue/eu"]);

    // The same request id with another request: the other server refuses it.
    let error = node_elsewhere(&elsewhere, &operation, &request("us")).await;
    assert_eq!(error.unwrap_err().status().code(), Code::InvalidArgument);
    assert_eq!(provisioner.cloud().resources(), ["blue/eu"]);
}
