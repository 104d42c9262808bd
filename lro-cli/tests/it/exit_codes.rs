//! Every exit code, in one table.

use lro_cli::exit::Exit;
use tonic::{Code, Status};

use crate::support::Lro;
use crate::support::fake::{Fake, Script, Step};
use crate::support::types::{failed, running, succeeded};

fn script() -> Script {
    let broken = |code| vec![Step(Err(Status::new(code, "")), None)];
    let ends = |name: &str| {
        vec![
            Step(Ok(running(name, "{}")), None),
            Step(Ok(succeeded(name, "{}", "{}")), None),
        ]
    };
    Script::new()
        .operation(succeeded("operations/ok", "{}", "{}"))
        .operation(failed("operations/bad", "{}", 5, "", Vec::new()))
        .operation(failed("operations/cancelled", "{}", 1, "", Vec::new()))
        .operation(running("operations/endless", "{}"))
        .operation(running("operations/running", "{}"))
        .steps("operations/quick", ends("operations/quick"))
        .steps("operations/secret", broken(Code::PermissionDenied))
        .steps("operations/unknown", broken(Code::Unauthenticated))
        .steps("operations/broken", broken(Code::Internal))
}

#[tokio::test]
async fn each_exit_code_has_its_meaning() {
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("config.toml");
    std::fs::write(&config, "[profiles.x]\nserver = 7\n").unwrap();
    let config = config.display();
    for (code, words) in [
        (0, "get operations/ok"),
        (0, "wait operations/ok"),
        // To show a failed operation is no failure, and neither is what was waited for.
        (0, "get operations/bad"),
        (0, "describe operations/bad"),
        (0, "wait operations/cancelled --until cancelled"),
        (0, "cancel operations/running"),
        (0, "get operations/absent --if-missing ok"),
        (1, &format!("list --config {config}")),
        (1, "list --ca /nonexistent -s https://localhost:1"),
        (2, "list -o jsno"),
        (2, "list --filter 'done = flase'"),
        (2, "get 42"),
        (3, "wait operations/bad"),
        (3, "watch operations/bad"),
        (4, "wait operations/cancelled"),
        (5, "wait operations/endless --timeout 2s"),
        (6, "get operations/absent"),
        (6, "wait operations/absent"),
        (6, "get ..none"),
        (7, "get operations/secret"),
        (7, "wait operations/unknown"),
        (8, "wait operations/broken"),
        (8, "get operations/ok -s http://127.0.0.1:1"),
        (8, "workers -s http://127.0.0.1:1"),
        (9, "cancel operations/quick"),
        (9, "cancel --filter 'done = false' -y --expect 99"),
        (9, "wait operations/ok --until 'done = false'"),
        (10, "workers"),
        (10, "resubmit operations/bad"),
        // Several: the first of 7, 8, 6, 3, 5, 4.
        (
            7,
            "get operations/ok operations/absent operations/secret operations/broken",
        ),
        (8, "wait operations/broken operations/bad operations/absent"),
        (6, "wait operations/absent operations/bad"),
        (
            3,
            "wait operations/bad operations/endless operations/cancelled --timeout 2s",
        ),
        (
            5,
            "wait operations/endless operations/cancelled --timeout 2s",
        ),
        (4, "wait operations/ok operations/cancelled"),
    ] {
        let server = Fake::start(script()).await;
        let ran = Lro::to(&server.url).run(words).await;
        assert_eq!(ran.exit as u8, code, "lro {words}: {ran:?}");
        // All but success says why.
        assert!(code == 0 || !ran.stderr.is_empty(), "lro {words}");
    }
    assert_eq!(
        (Exit::Interrupted as u8, Exit::Terminated as u8),
        (130, 143)
    );
}
