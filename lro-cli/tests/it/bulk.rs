//! Actions on many operations: never more than was shown.

use lro_cli::exit::Exit;

use crate::support::Lro;
use crate::support::fake::{Fake, Script};
use crate::support::types::{running, succeeded};

fn several(count: usize) -> Script {
    (0..count).fold(Script::new(), |script, index| {
        script.operation(running(&format!("operations/{index}"), "{}"))
    })
}

/// The names that calls of this kind were about.
fn changed(server: &Fake, verb: &str) -> Vec<String> {
    let calls = server.calls().into_iter();
    let mut names: Vec<String> = calls
        .filter_map(|it| Some(it.strip_prefix(&format!("{verb} "))?.to_owned()))
        .collect();
    names.sort();
    names
}

/// An operation that starts between the preview and the confirmation is not touched.
#[tokio::test]
async fn what_comes_after_the_preview_is_not_changed() {
    struct Late(
        std::sync::Arc<std::sync::Mutex<Script>>,
        std::io::Cursor<&'static str>,
    );
    impl std::io::Read for Late {
        fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
            // The person reads the preview while another operation starts.
            let mut script = self.0.lock().unwrap();
            if script.now("operations/late").is_none() {
                script.add(running("operations/late", "{}"));
            }
            self.1.read(buffer)
        }
    }
    for verb in ["cancel", "delete"] {
        let server = Fake::start(several(3)).await;
        let late = Late(server.script.clone(), std::io::Cursor::new("3\n"));
        let lro = Lro::to(&server.url)
            .terminal(80)
            .variable("LRO_PROGRESS", "none");
        let words = format!("{verb} --filter 'done = false'");
        let ran = lro.run_with(&words, Box::new(late)).await;
        assert_eq!(ran.exit, Exit::Done, "{ran:?}");
        let names = ["operations/0", "operations/1", "operations/2"];
        assert_eq!(changed(&server, verb), names);
    }
}

#[tokio::test]
async fn a_list_in_a_pipe_changes_what_it_showed() {
    let server = Fake::start(several(3)).await;
    let lro = Lro::to(&server.url).variable("LRO_PROGRESS", "none");
    let shown = lro.run("list -o name").await.stdout;
    server
        .script
        .lock()
        .unwrap()
        .add(running("operations/late", "{}"));
    let ran = lro.clone().stdin(&shown).run("cancel -").await;
    assert_eq!(ran.exit, Exit::Done, "{ran:?}");
    assert_eq!(changed(&server, "cancel").len(), 3);
}

/// The filter counts nothing beyond the bound, and the action takes the newest of those only.
#[tokio::test]
async fn no_more_than_a_thousand_are_changed_at_once() {
    let server = Fake::start(several(1_200)).await;
    let lro = Lro::to(&server.url)
        .terminal(80)
        .variable("LRO_PROGRESS", "none");
    let ran = lro
        .clone()
        .stdin("1000\n")
        .run("delete --filter 'done = false'")
        .await;
    assert_eq!(ran.exit, Exit::Done, "{ran:?}");
    assert!(ran.stderr.contains("1,000+ operations match"), "{ran:?}");
    assert!(
        ran.stderr.contains("only the newest 1000 are changed"),
        "{ran:?}"
    );
    assert_eq!(changed(&server, "delete").len(), 1_000);
    // Few lines: failures are listed, and successes only counted.
    assert!(ran.stderr.lines().count() < 10, "{ran:?}");
}

/// Successes are counted, failures are listed.
#[tokio::test]
async fn only_failures_are_told_one_by_one() {
    let script = several(20).operation(succeeded("operations/done", "{}", "{}"));
    let server = Fake::start(script).await;
    let names: Vec<String> = (0..20).map(|index| format!("operations/{index}")).collect();
    let words = format!("delete {} operations/absent", names.join(" "));
    let ran = Lro::to(&server.url).run(&words).await;
    assert_eq!(ran.exit, Exit::NotFound, "{ran:?}");
    assert!(
        ran.stderr.contains("cannot delete operations/absent"),
        "{ran:?}"
    );
    assert!(ran.stderr.contains("deleted 20 operations"), "{ran:?}");
    assert_eq!(ran.stderr.matches("operations/1").count(), 0, "{ran:?}");
}
