//! A gateway in front of a server elsewhere, with the descriptors that the server reflects.

use lro_gateway::{Gateway, reflect};
use tonic::Code;
use tonic::service::Routes;
use tonic::transport::Channel;

use crate::archives::{self, Folders};
use crate::served::Served;
use crate::wire::{Received, Sent, send};

async fn call(served: &Served, method: &str, path: &str, body: &str) -> (u16, serde_json::Value) {
    let address = served.url.trim_start_matches("http://").parse().unwrap();
    let sent = Sent {
        method: method.to_owned(),
        path: path.to_owned(),
        headers: vec![("content-type".to_owned(), b"application/json".to_vec())],
        body: body.as_bytes().to_vec(),
    };
    let Received { status, body, .. } = send(address, &sent).await.unwrap();
    (status, serde_json::from_slice(&body).unwrap())
}

/// spec:150
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_proxy_takes_annotations_and_types_from_reflection() {
    let folders = Folders::new();
    let server = archives::serve(&folders).await;
    let channel = Channel::from_shared(server.url.clone()).unwrap();
    let channel = channel.connect().await.unwrap();
    let descriptors = reflect(channel.clone()).await.unwrap();
    let gateway = Gateway::builder(channel).file_descriptor_set(descriptors);
    let proxy = Served::gateway(gateway.build().unwrap()).await;

    let source = folders.small();
    let body = serde_json::json!({"sourceDirectory": source, "archiveId": "one"}).to_string();
    let (status, started) = call(&proxy, "POST", "/v1/archives", &body).await;
    assert_eq!(status, 200, "{started}");
    let wait = format!("/v1/{}:wait", started["name"].as_str().unwrap());
    let (status, done) = call(&proxy, "POST", &wait, r#"{"timeout": "30s"}"#).await;
    assert_eq!((status, &done["done"]), (200, &true.into()), "{done}");
    let response = &done["response"];
    let type_name = response["@type"].as_str().unwrap();
    assert!(type_name.ends_with("examples.archiver.v1.Archive"));
    assert_eq!(response["name"], "archives/one");
    let (status, described) = call(&proxy, "GET", "/openapi.json", "").await;
    assert_eq!(status, 200);
    assert!(described["paths"]["/v1/archives"]["post"].is_object());
    proxy.stop().await;
    server.stop().await;
}

#[tokio::test]
async fn a_server_without_reflection_says_so() {
    let error = reflect(Routes::default().prepare()).await.unwrap_err();
    assert_eq!(error.code(), Code::Unimplemented);
    assert!(error.message().contains("descriptor set"), "{error}");
}
