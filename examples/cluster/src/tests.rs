//! Clusters are there as a whole or not at all, whatever dies.

mod elsewhere;

use lro_core::store::MemoryStore;
use lro_server::Operations;
use lro_server::testing::{self, CrashEverywhere, History, Report};
use tonic::Status;

use crate::pb::{Cluster, CreateClusterRequest, Node};
use crate::{Cloud, Provisioner};

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
