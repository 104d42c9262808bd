//! The services lro.v1 over HTTP/JSON.

use lro_server::access::{Access, Authorizer, Call, InspectionCall, InspectionPermission};
use serde_json::json;
use tonic::Status;

use crate::served::{Served, gateway};

/// The name of an operation that waits for an approval.
async fn waiting(served: &Served) -> String {
    let name = served.export("approval").await;
    loop {
        let path = format!("/v1/{name}:listSteps");
        let listed = served.send("GET", &path, "").await;
        assert_eq!(listed.status, 200, "{}", listed.text());
        if listed.json()["waitingFor"][0] == "approved" {
            return name;
        }
    }
}

#[tokio::test]
async fn steps_are_listed_and_promises_completed() {
    let served = Served::start(|builder| builder, gateway).await;
    let name = waiting(&served).await;
    let listed = served
        .send("GET", &format!("/v1/{name}:listSteps"), "")
        .await;
    let listed = listed.json();
    assert_eq!(
        (&listed["name"], &listed["steps"][0]["key"]),
        (&json!(name), &json!("dump"))
    );
    assert_eq!(listed["steps"][0].get("value"), None);
    let declared =
        json!([{"name": "approved", "typeUrl": "type.googleapis.com/google.protobuf.BoolValue"}]);
    assert_eq!(listed["declaredPromises"], declared);
    let full = served
        .send(
            "GET",
            &format!("/v1/{name}:listSteps?view=FULL&pageSize=1"),
            "",
        )
        .await;
    assert_eq!(full.json()["steps"][0]["value"]["value"], 7);
    assert_ne!(full.json()["nextPageToken"], json!(null));

    let complete = format!("/v1/{name}:completePromise");
    let wrong = served
        .send("POST", &complete, r#"{"promise": "approved", "reply": {}}"#)
        .await;
    assert_eq!(wrong.status, 400);
    assert!(wrong.text().contains("reply"), "{}", wrong.text());
    let of_type = |name: &str, value: &str| {
        format!(
            r#"{{"promise": "approved", "response": {{"@type": "type.googleapis.com/google.protobuf.{name}", "value": {value}}}}}"#
        )
    };
    let wrong = served
        .send("POST", &complete, &of_type("StringValue", "\"yes\""))
        .await;
    assert_eq!(wrong.status, 400, "{}", wrong.text());
    assert!(
        wrong.text().contains("google.protobuf.BoolValue"),
        "{}",
        wrong.text()
    );
    let done = served
        .send("POST", &complete, &of_type("BoolValue", "true"))
        .await;
    assert_eq!((done.status, done.text()), (200, "{}".to_owned()));
    let ended = served.send("POST", &format!("/v1/{name}:wait"), "").await;
    assert_eq!(ended.json()["done"], true);

    let late = served
        .send(
            "POST",
            &format!("/v1/{name}:forgetSteps"),
            r#"{"keys": ["dump"]}"#,
        )
        .await;
    assert_eq!(
        late.json()["error"]["status"],
        "FAILED_PRECONDITION",
        "{}",
        late.text()
    );
    let late = served
        .send("POST", &format!("/v1/{name}:unblock"), "")
        .await;
    assert_eq!(
        late.json()["error"]["status"],
        "FAILED_PRECONDITION",
        "{}",
        late.text()
    );
    served.stop().await;
}

#[tokio::test]
async fn records_and_the_process_are_shown() {
    let served = Served::start(|builder| builder, gateway).await;
    let name = waiting(&served).await;
    let record = served
        .send("GET", &format!("/v1/{name}:describe"), "")
        .await;
    assert_eq!(
        record.json()["method"],
        "/exporter.v1.Exporter/Export",
        "{}",
        record.text()
    );
    let records = served
        .send(
            "GET",
            "/v1/operations:listRecords?filter=waiting%20%3D%20true",
            "",
        )
        .await;
    assert_eq!(
        records.json()["operations"][0]["operation"]["name"],
        name,
        "{}",
        records.text()
    );
    let counts = served.send("GET", "/v1/operations:count", "").await;
    assert_eq!(counts.status, 200, "{}", counts.text());
    let methods = served.send("GET", "/v1/operations:listMethods", "").await;
    assert_eq!(
        methods.json()["methods"][0]["declaredPromises"][0]["name"],
        "approved",
        "{}",
        methods.text()
    );
    let workers = served.send("GET", "/v1/operations:listWorkers", "").await;
    assert_eq!(
        workers.json()["workers"].as_array().map(Vec::len),
        Some(1),
        "{}",
        workers.text()
    );
    let again = served
        .send("POST", &format!("/v1/{name}:resubmit"), "")
        .await;
    assert_eq!(
        again.json()["error"]["status"],
        "FAILED_PRECONDITION",
        "{}",
        again.text()
    );
    served.stop().await;
}

/// Callers see steps without values, and change none.
#[derive(Debug)]
struct Readers;

#[tonic::async_trait]
impl Authorizer for Readers {
    async fn authorize(&self, _: &Call<'_>) -> Result<Access, Status> {
        Ok(Access::Allowed)
    }

    async fn authorize_inspection(&self, call: &InspectionCall<'_>) -> Result<Access, Status> {
        let permission = call.permission();
        Ok(Access::allowed_if(
            permission == InspectionPermission::Inspect,
        ))
    }
}

#[tokio::test]
async fn the_permissions_are_those_of_grpc() {
    let served = Served::start(|builder| builder.authorizer(Readers), gateway).await;
    let name = waiting(&served).await;
    for (method, path, body) in [
        ("GET", format!("{name}:listSteps?view=FULL"), ""),
        (
            "POST",
            format!("{name}:completePromise"),
            r#"{"promise": "approved", "error": {"code": 7}}"#,
        ),
        (
            "POST",
            format!("{name}:forgetSteps"),
            r#"{"keys": ["dump"]}"#,
        ),
        ("POST", format!("{name}:unblock"), ""),
        ("GET", "operations:listMethods".to_owned(), ""),
    ] {
        let denied = served.send(method, &format!("/v1/{path}"), body).await;
        assert_eq!(denied.status, 403, "{path}: {}", denied.text());
    }
    served.stop().await;
}
