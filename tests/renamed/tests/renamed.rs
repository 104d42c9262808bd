//! Code generated and expanded under other names runs.

use std::sync::Arc;

use server::{Operations, Worker};
use tonic::Request;
use wire::LongRunningMethod;
use wire::store::MemoryStore;

macro_rules! runs {
    ($name:ident) => {
        #[tokio::test]
        async fn $name() {
            use lro_renamed::$name::{Exporter, pb};

            let operations = Operations::new(MemoryStore::new());
            let exporter = Arc::new(Exporter {
                operations: operations.clone(),
            });
            let worker = Worker::builder(&operations).host(exporter.clone());
            let worker = worker.start().await.unwrap();
            let tables = vec!["a".to_owned(), "b".to_owned()];
            let request = Request::new(pb::ExportRequest { tables });
            // The rpc, not the body of the same name.
            let started = pb::exporter_server::Exporter::export(&*exporter, request).await;
            let name = started.unwrap().get_ref().name().parse().unwrap();
            let ended = operations.wait(&name, None).await.unwrap();
            let ended = wire::Operation::<pb::ExportResponse, pb::ExportMetadata>::from(ended);
            let response = ended.outcome().unwrap().response().unwrap();
            assert_eq!(response.tables_exported, 2);
            assert_eq!(ended.metadata().unwrap().unwrap().tables_done, 2);
            assert_eq!(
                pb::exporter_methods::Export::PATH,
                "/exporter.v1.Exporter/Export"
            );
            worker.drain().await;
        }
    };
}

runs!(direct);
runs!(through);
