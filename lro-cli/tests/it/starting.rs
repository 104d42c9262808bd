//! Starts that may be repeated: `--request-id` (AIP-155).

use lro_cli::exit::Exit;
use tonic::Status;

use crate::support::fake::{Fake, Script};
use crate::support::{Lro, Ran};

/// The ids of the requests that have come.
fn ids(server: &Fake) -> Vec<String> {
    let script = server.script.lock().unwrap();
    let ids = script.imports.iter().map(|it| it.request_id.clone());
    ids.collect()
}

fn tells(ran: &Ran, id: &str) {
    let told = format!("operations/imported started (request id {id})");
    assert!(ran.stderr.contains(&told), "{ran:?}");
    assert_eq!(ran.stdout, "operations/imported\n");
}

#[tokio::test]
async fn a_request_id_is_sent_as_it_is_given() {
    let server = Fake::start(Script::new()).await;
    let lro = Lro::to(&server.url);
    let start = "start Importer/Import --request-id nightly-7";
    tells(&lro.run(&format!("{start} table=users")).await, "nightly-7");
    // It wins over the one in the request.
    let json = r#"-d '{"table":"users","requestId":"other"}'"#;
    tells(&lro.run(&format!("{start} {json}")).await, "nightly-7");
    let ran = lro.run(&format!("start Importer/Import {json}")).await;
    tells(&ran, "other");
    assert_eq!(ids(&server), ["nightly-7", "nightly-7", "other"]);
}

#[tokio::test]
async fn a_request_has_an_id_of_its_own_without_the_option() {
    let server = Fake::start(Script::new()).await;
    let lro = Lro::to(&server.url);
    for _ in 0..2 {
        lro.run("start Importer/Import table=users").await;
    }
    let ids = ids(&server);
    assert_eq!(ids.len(), 2);
    assert_ne!(ids[0], ids[1]);
    assert!(ids.iter().all(|id| id.parse::<uuid::Uuid>().is_ok()));
}

/// After an error that says nothing about the start, the same id makes a second try safe.
#[tokio::test]
async fn a_start_that_may_have_happened_is_repeated_with_its_id() {
    let mut script = Script::new();
    script.imports_fail = vec![Status::unavailable("connection reset")];
    let server = Fake::start(script).await;
    let lro = Lro::to(&server.url);
    let ran = lro.run("start Importer/Import table=users").await;
    assert_eq!(ran.exit, Exit::Unknown, "{ran:?}");
    let (_, rest) = ran.stderr.split_once("--request-id ").unwrap();
    let id = rest.split(' ').next().unwrap();
    let again = format!("start Importer/Import table=users --request-id {id}");
    tells(&lro.run(&again).await, id);
    assert_eq!(ids(&server), [id, id]);
}

#[tokio::test]
async fn a_request_without_the_field_takes_no_id() {
    let server = Fake::start(Script::new()).await;
    let lro = Lro::to(&server.url);
    let ran = lro.run("start Exporter/Export --request-id a").await;
    assert_eq!(ran.exit, Exit::Usage, "{ran:?}");
    assert!(ran.stderr.contains("has no field `request_id`"), "{ran:?}");
}
