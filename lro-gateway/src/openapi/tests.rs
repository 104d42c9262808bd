use prost_reflect::prost_types::source_code_info::Location;
use prost_reflect::prost_types::{FileDescriptorSet, SourceCodeInfo};
use serde_json::Value;
use tonic::service::Routes;

use super::*;
use crate::{Gateway, HttpRule};

fn read(gateway: &Gateway) -> Value {
    serde_json::from_str(gateway.openapi_json().unwrap()).unwrap()
}

fn operations() -> crate::GatewayBuilder {
    Gateway::builder(Routes::default()).file_descriptor_set(lro_core::pb::FILE_DESCRIPTOR_SET)
}

#[test]
fn a_document_has_the_paths_of_the_router() {
    let document = read(&operations().build().unwrap());
    let paths: Vec<&String> = document["paths"].as_object().unwrap().keys().collect();
    assert_eq!(
        paths,
        [
            "/v1/operations",
            "/v1/operations/{operation}",
            "/v1/operations/{operation}:cancel",
            "/v1/operations/{operation}:wait",
            "/v1/operations/{operation}:watch",
            "/v1/{name}/operations",
            "/v1/{parent}/operations/{operation}",
            "/v1/{parent}/operations/{operation}:cancel",
            "/v1/{parent}/operations/{operation}:wait",
            "/v1/{parent}/operations/{operation}:watch",
        ]
    );
    let get = &document["paths"]["/v1/{parent}/operations/{operation}"]["get"];
    assert_eq!(get["operationId"], "Operations_GetOperation_2");
    let watch = &document["paths"]["/v1/operations/{operation}:watch"]["get"];
    assert_eq!(watch["operationId"], "Operations_GetOperation_watch");
    let content = watch["responses"]["200"]["content"].as_object().unwrap();
    assert_eq!(content.keys().collect::<Vec<_>>(), ["text/event-stream"]);
    let parameters = get["parameters"].as_array().unwrap();
    assert_eq!(parameters.len(), 2, "{parameters:?}");
    assert_eq!(parameters[0]["name"], "parent");
    assert_eq!(parameters[0]["x-multi-segment"], true);
    let description = parameters[1]["description"].as_str().unwrap();
    assert_eq!(description, "`name` is `{parent}/operations/{operation}`.");
}

#[test]
fn a_body_has_no_field_that_the_path_gives() {
    let document = read(&operations().build().unwrap());
    let wait = &document["paths"]["/v1/operations/{operation}:wait"]["post"];
    let schema = &wait["requestBody"]["content"]["application/json"]["schema"];
    let fields: Vec<&String> = schema["properties"].as_object().unwrap().keys().collect();
    assert_eq!(fields, ["timeout"]);
}

#[test]
fn a_binding_that_openapi_cannot_tell_is_named() {
    let get = "google.longrunning.Operations/GetOperation";
    let rule = HttpRule::new("GET", "/v1/{name=operations/*}")
        .additional_binding(HttpRule::new("GET", "/v1/{name=operations/**}"))
        .additional_binding(HttpRule::new("LOOK", "/v1/{name=operations/*}"))
        .additional_binding(HttpRule::new("*", "/v2/{name=operations/*}"));
    let document = read(&operations().rule(get, rule).build().unwrap());
    let left_out = &document["x-left-out"];
    let expected = [
        "LOOK /v1/{name=operations/*}",
        "GET /v1/{name=operations/**}",
        "GET /v1/{name=operations/**}:watch",
    ];
    assert_eq!(*left_out, serde_json::json!(expected));
    let methods = document["paths"]["/v2/operations/{operation}"].as_object();
    let methods: Vec<&String> = methods.unwrap().keys().collect();
    assert_eq!(
        methods,
        ["delete", "get", "parameters", "patch", "post", "put"]
    );
}

/// An empty list may be one of the wrong parent.
#[test]
fn a_list_of_operations_is_described_without_comments() {
    let document = read(&operations().build().unwrap());
    let list = &document["paths"]["/v1/operations"]["get"];
    let text = |field: &str| list[field].as_str().unwrap();
    assert!(text("summary").contains("directly below `name`"));
    assert!(text("description").contains("list of that parent"));
}

#[test]
fn comments_are_descriptions() {
    use prost::Message as _;
    let mut set = FileDescriptorSet::decode(lro_core::pb::FILE_DESCRIPTOR_SET).unwrap();
    let file = set.file.iter_mut();
    let file = file.filter(|file| file.name() == "google/longrunning/operations.proto");
    let comment = |path: &[i32], text: &str| Location {
        path: path.to_vec(),
        leading_comments: Some(text.to_owned()),
        ..Location::default()
    };
    for file in file {
        let service = &file.service[0];
        let list = service
            .method
            .iter()
            .position(|rpc| rpc.name() == "ListOperations");
        let operation = file
            .message_type
            .iter()
            .position(|it| it.name() == "Operation");
        let (list, operation) = (list.unwrap().try_into(), operation.unwrap().try_into());
        file.source_code_info = Some(SourceCodeInfo {
            location: vec![
                comment(&[6, 0], " All of them.\n"),
                comment(
                    &[6, 0, 2, list.unwrap()],
                    " Lists. Page\n by page.\n\n Ends.\n",
                ),
                comment(&[4, operation.unwrap()], " One of them.\n"),
            ],
        });
    }
    let gateway = operations().openapi(OpenApi::new().comments(set.encode_to_vec()));
    let document = read(&gateway.build().unwrap());
    assert_eq!(document["tags"][0]["description"], "All of them.");
    let list = &document["paths"]["/v1/operations"]["get"];
    assert_eq!(list["summary"], "Lists.");
    assert_eq!(list["description"], "Lists. Page\nby page.\n\nEnds.");
    let schemas = &document["components"]["schemas"];
    let operation = &schemas["google.longrunning.Operation"];
    assert_eq!(operation["description"], "One of them.");
}

#[test]
fn the_texts_of_a_document_are_the_users() {
    let gateway = operations().openapi(
        OpenApi::new()
            .title("Things")
            .version("7")
            .description("All.")
            .server_url("/api"),
    );
    let document = read(&gateway.build().unwrap());
    assert_eq!(document["info"]["title"], "Things");
    assert_eq!(document["info"]["version"], "7");
    assert_eq!(document["info"]["description"], "All.");
    assert_eq!(document["servers"][0]["url"], "/api");
    let gateway = operations().base_path("/things").build().unwrap();
    let below = read(&gateway);
    assert_eq!(below["servers"][0]["url"], "/things");
    let broken = operations().openapi(OpenApi::new().comments(b"comments"));
    let error = broken.build().unwrap_err().to_string();
    assert!(
        error.starts_with("the comments are no descriptor set"),
        "{error}"
    );
    let gateway = operations().without_openapi().build().unwrap();
    assert_eq!(gateway.openapi_json(), None);
}
