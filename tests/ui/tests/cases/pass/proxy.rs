//! An operation rpc without a mark is written as tonic has it: here it hands the call on.

use exporter::pb::{self, ExportMetadata, ExportRequest, ExportResponse, GetTableRequest, Table};
use lro_server::lro_core::Operation;
use tonic::{Request, Response, Status};

struct Exporter {
    next: pb::exporter_client::ExporterClient<tonic::transport::Channel>,
}

#[tonic::async_trait]
impl pb::exporter_server::Exporter for Exporter {
    async fn export(
        &self,
        request: Request<ExportRequest>,
    ) -> Result<Response<Operation<ExportResponse, ExportMetadata>>, Status> {
        self.next.clone().export(request).await
    }

    async fn get_table(
        &self,
        _request: Request<GetTableRequest>,
    ) -> Result<Response<Table>, Status> {
        Ok(Response::new(Table::default()))
    }
}

fn main() {
    fn assert_service<T: pb::exporter_server::Exporter>() {}
    assert_service::<Exporter>();
}
