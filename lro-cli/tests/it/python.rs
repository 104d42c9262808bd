//! The command against a server that is not ours: grpcio, in Python, without reflection or filters.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};

use lro_cli::exit::Exit;
use serde_json::Value;
use test_programs::Environment;

use crate::support::Lro;

struct Python {
    child: Child,
    /// With WaitOperation, and without it.
    urls: [String; 2],
}

impl Python {
    fn start() -> Option<Self> {
        let environment = Environment::GRPCIO.make_or_skip(env!("CARGO_TARGET_TMPDIR").as_ref())?;
        let script = concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/../lro-client/tests/python/server.py"
        );
        let mut child = Command::new(environment.join("bin/python"))
            .arg(script)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the server starts");
        let mut line = String::new();
        let stdout = child.stdout.take().expect("stdout is a pipe");
        BufReader::new(stdout)
            .read_line(&mut line)
            .expect("the server prints its ports");
        let (waiting, polling) = line.trim().split_once(' ').expect("there are two ports");
        let url = |port| format!("http://127.0.0.1:{port}");
        Some(Self {
            child,
            urls: [url(waiting), url(polling)],
        })
    }
}

impl Drop for Python {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[tokio::test]
async fn operations_of_a_foreign_server_are_waited_for() {
    let Some(python) = Python::start() else {
        return;
    };
    for (index, url) in python.urls.iter().enumerate() {
        let lro = Lro::to(url).variable("LRO_RETRY_ERRORS", "5");
        let waits = |behaviour: &str, flags: &str| {
            let lro = lro.clone();
            let words = format!("wait operations/{behaviour}-{index}{} {flags}", flags.len());
            async move { lro.run(&words).await }
        };
        // A timestamp, whatever host its type has; bursts of UNAVAILABLE pass.
        for behaviour in ["plain", "host", "burst", "busy", "early", "nameless"] {
            let ran = waits(behaviour, "").await;
            assert_eq!(ran.exit, Exit::Done, "{behaviour}: {ran:?}");
            assert_eq!(
                ran.stdout, "\"1970-01-01T00:00:42Z\"\n",
                "{behaviour}: {ran:?}"
            );
        }
        // Anys of unknown types, of none, and with bytes that are no message.
        for behaviour in [
            "unknown", "bare", "garbage", "untyped", "other", "metadata", "silent",
        ] {
            let ran = waits(behaviour, "-o json").await;
            assert_eq!(ran.exit, Exit::Done, "{behaviour}: {ran:?}");
            let document: Value = serde_json::from_str(&ran.stdout).unwrap();
            assert_eq!(document["done"], true, "{behaviour}");
        }
        let ran = waits("unknown", "").await;
        assert!(ran.stdout.contains("no.such.Type"), "{ran:?}");
        assert!(
            ran.stderr.contains("the server has no reflection"),
            "{ran:?}"
        );
        let ran = waits("garbage", "").await;
        assert!(
            ran.stdout
                .contains("google.protobuf.Timestamp\",\"value\":\"/w==\""),
            "{ran:?}"
        );
        assert!(ran.stderr.contains("do not fit its type"), "{ran:?}");
        let ran = waits("failed", "").await;
        assert_eq!(ran.exit, Exit::Failed, "{ran:?}");
        assert!(
            ran.stderr.contains("RESOURCE_EXHAUSTED: no\\u{a}room"),
            "{ran:?}"
        );
        assert!(
            ran.stderr
                .contains("reason           DISK_FULL (python.test)"),
            "{ran:?}"
        );
        for (behaviour, flags, exit) in [
            ("cancelled", "", Exit::Cancelled),
            ("zero", "", Exit::Failed),
            ("odd", "", Exit::Failed),
            ("absent", "", Exit::NotFound),
            ("late", "--if-missing wait", Exit::Done),
            ("endless", "--timeout 3s", Exit::TimedOut),
            ("bytes", "--retry-errors 0", Exit::Unknown),
        ] {
            let ran = waits(behaviour, flags).await;
            assert_eq!(ran.exit, exit, "{behaviour}: {ran:?}");
        }
        let cancelled = lro
            .run(&format!("cancel operations/cancellable-{index}"))
            .await;
        assert_eq!(cancelled.exit, Exit::Done, "{cancelled:?}");
        let stubborn = lro
            .run(&format!("cancel operations/stubborn-{index}"))
            .await;
        assert_eq!(stubborn.exit, Exit::Refused, "{stubborn:?}");
        let all = lro.run("list --parent projects/p --all -o name").await;
        assert_eq!(all.stdout.lines().count(), 25, "{all:?}");
        // Without the inspection service some commands tell less, and others say what they lack.
        let described = lro
            .run(&format!(
                "describe operations/plain-{index}0 --show-request"
            ))
            .await;
        assert_eq!(described.exit, Exit::Done, "{described:?}");
        assert!(
            described
                .stderr
                .contains("the server does not tell the request"),
            "{described:?}"
        );
        let counted = lro.run("count --parent projects/p").await;
        assert_eq!(counted.exit, Exit::Done, "{counted:?}");
        assert!(
            counted.stdout.contains("total             25"),
            "{counted:?}"
        );
        for command in [
            "workers".to_owned(),
            format!("resubmit operations/plain-{index}0"),
        ] {
            let ran = lro.run(&command).await;
            assert_eq!(ran.exit, Exit::Unimplemented, "{ran:?}");
            let why = "lro.v1.Inspection, which is found by reflection, and the server has none";
            assert!(ran.stderr.contains(why), "{ran:?}");
        }
        let doctor = lro.run("doctor --parent projects/p").await;
        assert_eq!(doctor.exit, Exit::Done, "{doctor:?}");
        let verdict = |what: &str| {
            let line = doctor
                .stdout
                .lines()
                .find(|line| line.starts_with(what))
                .unwrap();
            line[what.len()..]
                .trim()
                .split(' ')
                .next()
                .unwrap()
                .to_owned()
        };
        assert_eq!(verdict("reflection"), "no");
        assert_eq!(verdict("inspection"), "no");
        assert_eq!(verdict("filter"), "no", "{doctor:?}");
        assert_eq!(
            verdict("Wait"),
            if index == 0 { "ok" } else { "no" },
            "{doctor:?}"
        );
    }
}
