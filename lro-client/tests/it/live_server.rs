//! Over a real network, with the real server: the program that the crate exists for.

use std::time::Duration;

use exporter::pb::exporter_client::ExporterClient;
use exporter::pb::{ExportMetadata, ExportRequest, ExportResponse};
use lro_client::{IntoPoller as _, ListOptions, OperationsClient, Poller};
use tonic::Code;
use tonic::transport::{Channel, Endpoint};

use crate::support::server;

type Boxed = Box<dyn std::error::Error>;

fn request(tables: &[&str]) -> ExportRequest {
    ExportRequest {
        tables: tables.iter().map(|table| (*table).to_owned()).collect(),
    }
}

async fn connect(url: &str) -> Result<Channel, Boxed> {
    Ok(Endpoint::from_shared(url.to_owned())?.connect().await?)
}

#[tokio::test]
async fn the_callers_program() -> Result<(), Boxed> {
    let server = server::start().await?;
    let url = server.url.clone();
    let channel = connect(&url).await?;
    let request = request(&["a", "b"]);

    let mut exporter = ExporterClient::connect(url).await?;
    let operations = OperationsClient::new(channel.clone());
    let operation = exporter.export(request).await?.into_inner();
    let response: ExportResponse = operation.into_poller(&operations).until_done().await?;

    assert_eq!(response.tables_exported, 2);
    Ok(())
}

/// report:C7
#[tokio::test]
async fn failing_cancelling_resuming_listing_and_deleting() -> Result<(), Boxed> {
    let server = server::start().await?;
    let channel = connect(&server.url).await?;
    let mut exporter = ExporterClient::new(channel.clone());
    let operations = OperationsClient::new(channel);

    let failing = exporter.export(request(&["a", "missing"])).await?;
    let error = failing.into_poller(&operations).await.unwrap_err();
    assert!(error.is_failed());
    assert_eq!(error.code(), Code::NotFound);
    let details = error.details();
    let table = details.resource_info().ok_or("no ResourceInfo")?;
    assert_eq!(
        (&*table.resource_type, &*table.resource_name),
        ("Table", "missing")
    );
    assert_eq!(
        error.operation().metadata()?.map(|it| it.tables_done),
        Some(2)
    );

    let endless = exporter.export(request(&["endless"])).await?.into_inner();
    let name = endless.name().to_owned();
    let resumed = Poller::<ExportResponse, ExportMetadata>::resume(&name, &operations);
    let limit = Duration::from_millis(300);
    let error = resumed.time_limit(limit).until_done().await.unwrap_err();
    assert!(
        error.is_timeout() && error.elapsed() <= limit * 2,
        "{error}"
    );
    let poller = error.into_poller()?;
    poller.cancel().await?;
    assert!(
        poller
            .time_limit(Duration::from_secs(30))
            .await
            .unwrap_err()
            .is_cancelled()
    );

    let wrong = Poller::<exporter::pb::Table, ExportMetadata>::resume(&name, &operations);
    assert!(wrong.await.unwrap_err().is_cancelled());

    assert_eq!(
        operations
            .list("", &ListOptions::default())
            .await?
            .operations
            .len(),
        2
    );
    operations.delete(&name).await?;
    assert_eq!(
        operations.get(&name).await.unwrap_err().code(),
        Code::NotFound
    );
    Ok(())
}

#[tokio::test]
async fn progress_arrives() -> Result<(), Boxed> {
    let server = server::start().await?;
    let channel = connect(&server.url).await?;
    let operations = OperationsClient::new(channel.clone());
    let started = ExporterClient::new(channel)
        .export(request(&["a", "b", "c"]))
        .await?;
    let mut last = 0;
    let poller = started.into_poller(&operations);
    poller
        .until_done_with(|metadata| last = metadata.tables_done)
        .await?;
    assert_eq!(last, 3);
    Ok(())
}
