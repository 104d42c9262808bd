//! Requests in an editor, with what the proto says of them.
#![cfg(unix)]

use expect_test::expect;
use lro_cli::exit::Exit;

use crate::support::Lro;
use crate::support::fake::{Fake, Reflects, Script};
use crate::support::types::descriptor_set_with_comments;

/// The comments come from a descriptor set, or from reflection.
#[tokio::test]
async fn the_protos_comments_stand_above_the_request() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).display().to_string();
    std::fs::write(path("api.pb"), descriptor_set_with_comments()).unwrap();
    let editor = format!("sh -c 'cp \"$0\" {}; exit 1'", path("seen"));
    let mut commented = Script::new();
    commented.comments = true;
    for (script, reflects, flags) in [
        (
            Script::new(),
            Reflects::Nothing,
            format!("--descriptor-set {}", path("api.pb")),
        ),
        (commented, Reflects::V1, String::new()),
    ] {
        let server = Fake::reflecting(script, reflects).await;
        let lro = Lro::to(&server.url).variable("EDITOR", &editor);
        let words = format!("start Exporter/Export --edit {flags}");
        let ran = lro.run(&words).await;
        assert_eq!(ran.exit, Exit::Fault, "{ran:?}");
        let seen = std::fs::read_to_string(path("seen")).unwrap();
        expect![[r#"
        // google.example.v1.Exporter.Export: save and quit to start it.
        // Exports tables of a database.
        //   tables: repeated string
        //     The tables, all if empty.
        //     One that there is not fails the export.
        //   format: google.example.v1.Format
        //     How they are written.
        //     FORMAT_UNSPECIFIED
        //     CSV: Comma-separated values.
        //   target: google.example.v1.Target
        //     bucket: string
        //       A bucket.
        {
          "tables": [],
          "format": "FORMAT_UNSPECIFIED",
          "target": {
            "bucket": ""
          }
        }
    "#]]
        .assert_eq(&seen);
    }
}
