//! Servers start, crash, come back, and go.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use test_programs::postgres::{Cluster, shared_or_skip};

/// Set in a process that is to leave a cluster behind.
const ABANDON: &str = "POSTGRES_CLUSTER_ABANDON";

#[test]
fn a_server_is_killed_and_comes_back_with_what_it_had() {
    if shared_or_skip().is_none() {
        return;
    }
    let cluster = Cluster::start().unwrap();
    cluster.sql("CREATE TABLE t (x int)").unwrap();
    for n in 1..=3 {
        cluster.sql(&format!("INSERT INTO t VALUES ({n})")).unwrap();
        let (url, pid) = (cluster.url(), cluster.pid().unwrap());
        match n {
            1 => cluster.kill().unwrap(),
            2 => cluster.stop_immediate().unwrap(),
            _ => cluster.stop_fast().unwrap(),
        }
        cluster.restart().unwrap();
        assert_eq!(cluster.url(), url);
        assert_ne!(cluster.pid().unwrap(), pid);
        let count = cluster.sql("SELECT count(*) FROM t").unwrap();
        assert_eq!(count, n.to_string());
    }
    assert_eq!(cluster.terminate_backends().unwrap(), 0);
    assert!(
        cluster
            .sql("SELECT nonsense")
            .unwrap_err()
            .to_string()
            .contains("nonsense")
    );
    let data = cluster.data();
    drop(cluster);
    assert!(!data.exists());
}

#[test]
fn a_server_goes_with_a_process_that_is_killed() {
    if shared_or_skip().is_none() {
        return;
    }
    if std::env::var_os(ABANDON).is_some() {
        let cluster = Cluster::start().unwrap();
        println!("data: {}", cluster.data().display());
        // Nothing is dropped.
        std::process::abort();
    }
    let child = Command::new(std::env::current_exe().unwrap())
        .args([
            "--exact",
            "a_server_goes_with_a_process_that_is_killed",
            "--nocapture",
        ])
        .env(ABANDON, "1")
        .stderr(Stdio::null())
        .output()
        .unwrap();
    assert!(!child.status.success());
    let said = String::from_utf8(child.stdout).unwrap();
    let data = said.lines().find_map(|line| line.split_once("data: "));
    let folder: PathBuf = data.unwrap().1.into();
    assert!(is_gone(folder.parent().unwrap()), "{}", folder.display());
}

/// Whether the folder goes within a minute. Its end is no signal of this process.
fn is_gone(folder: &Path) -> bool {
    let begun = Instant::now();
    while begun.elapsed() < Duration::from_secs(60) {
        if !folder.exists() {
            return true;
        }
        std::thread::yield_now();
    }
    false
}

#[test]
fn the_shared_server_is_one() {
    let Some(shared) = shared_or_skip() else {
        return;
    };
    let again = shared_or_skip().unwrap();
    assert_eq!(shared.url(), again.url());
}
