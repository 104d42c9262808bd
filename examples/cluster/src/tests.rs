//! Clusters are there as a whole or not at all, whatever dies.

use lro_core::store::MemoryStore;
use lro_server::Operations;
use lro_server::testing::{self, CrashEverywhere, Report};
use tonic::Status;

use crate::pb::{Cluster, CreateClusterRequest, Node};
use crate::{Cloud, Provisioner};

/// Provisions a cluster in two zones. The kit makes its nodes, and kills the process at each place.
fn provision(name: &'static str) -> CrashEverywhere<'static, Provisioner, Cluster> {
    let world = || Provisioner::new(&Operations::new(MemoryStore::new()), Cloud::default());
    let request = move || CreateClusterRequest {
        name: name.to_owned(),
        zones: vec!["eu".to_owned(), "us".to_owned()],
    };
    let kit = testing::crash_everywhere(world, move |provisioner, operation| async move {
        provisioner.create_cluster(request(), operation).await
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
