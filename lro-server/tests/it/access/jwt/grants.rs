use lro_core::store::MemoryStore;
use lro_server::Operations;
use lro_server::access::jwt::jsonwebtoken::Algorithm;
use tonic::{Code, Request};

use crate::access::fixture::Server;

use super::{SECRET, bearer, builder, claims, good, list_of, service, token};

#[tokio::test]
async fn nothing_is_permitted_unless_both_a_permission_and_a_parent_are_granted() {
    let list_only = ["exporter.operations.list"];
    for (authorizer, more, name, allowed) in [
        (builder(), "", "users/ada", false),
        (builder().grant(list_only), "", "users/ada", true),
        (builder().grant(list_only), "", "users/bob", false),
        (builder().grant(list_only), "", "users/-", false),
        (
            builder().grant(["exporter.operations.get"]),
            "",
            "users/ada",
            false,
        ),
        (
            builder().grant(["exporter.operations*"]),
            "",
            "users/ada",
            false,
        ),
        (builder().grant(["exporter.*"]), "", "users/ada", true),
        (builder().grant(["*"]), "", "users/ada", false),
        (builder().grant(list_only).any_parent(), "", "users/-", true),
        (
            builder().grant_scope("read", list_only),
            "",
            "users/ada",
            false,
        ),
        (
            builder().grant_scope("read", list_only),
            r#","scope":"other read""#,
            "users/ada",
            true,
        ),
        (
            builder().grant_scope("read", list_only),
            r#","scp":["read"]"#,
            "users/ada",
            true,
        ),
        (
            builder().grant_scope("read", list_only),
            r#","scope":"reader""#,
            "users/ada",
            false,
        ),
        (
            builder().permissions_claim("may"),
            r#","may":["exporter.operations.list"]"#,
            "users/ada",
            true,
        ),
        (
            builder(),
            r#","may":["exporter.operations.list"]"#,
            "users/ada",
            false,
        ),
        (
            builder().grant(list_only).parent("users/{team}"),
            r#","team":"red""#,
            "users/red",
            true,
        ),
        (
            builder().grant(list_only).parent("users/{teams}"),
            r#","teams":["red","blue"]"#,
            "users/blue",
            true,
        ),
        (
            builder().grant(list_only).parent("users/{teams}"),
            r#","teams":["-"]"#,
            "users/-",
            false,
        ),
    ] {
        let shown = format!("{authorizer:?} {more} {name}");
        let service = service(authorizer.build().unwrap());
        let answer = list_of(&service, &[&bearer(&good(more))], name).await;
        assert_eq!(answer.is_ok(), allowed, "{shown}");
        if let Err(error) = answer {
            assert_eq!(error.code(), Code::PermissionDenied, "{shown}");
        }
    }
}

#[tokio::test]
async fn a_principals_name_is_no_pattern() {
    let authorizer = || builder().grant(["exporter.operations.*"]).build().unwrap();
    for sub in ["*", "-", "operations", "..", "", "ada/../bob", "ada "] {
        let claims = claims("").replace("\"ada\"", &format!("\"{sub}\""));
        let token = token(r#"{"alg":"HS256"}"#, &claims, Algorithm::HS256, SECRET);
        for name in ["users/ada", "users/-", "users", "", "-"] {
            let answer = list_of(&service(authorizer()), &[&bearer(&token)], name).await;
            assert!(answer.is_err(), "{sub} {name}");
        }
    }
}

#[tokio::test]
async fn starts_need_a_parent_of_the_token() {
    let authorizer = builder().build().unwrap();
    let operations = Operations::builder(MemoryStore::new()).authorizer(authorizer);
    let operations = operations.build();
    let server = Server::new(operations);
    for (parent, code) in [
        ("users/ada", Code::Ok),
        ("users/bob", Code::PermissionDenied),
        ("", Code::PermissionDenied),
    ] {
        let tables = vec![format!("parent={parent}")];
        let mut request = Request::new(exporter::pb::ExportRequest { tables });
        let header = bearer(&good("")).parse().unwrap();
        request.metadata_mut().insert("authorization", header);
        let answer = server.export(request).await;
        assert_eq!(
            answer.map_or_else(|it| it.code(), |_| Code::Ok),
            code,
            "{parent}"
        );
    }
}
