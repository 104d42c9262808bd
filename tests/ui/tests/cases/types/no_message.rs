//! Types that are no messages.

use exporter::pb::{self, GetTableRequest, Table};
use lro_server::{OperationContext, Operations, long_running};
use tonic::{Request, Response, Status};

struct Exporter {
    operations: Operations,
}

#[long_running]
impl pb::exporter_server::Exporter for Exporter {
    #[long_running]
    async fn export(
        &self,
        request: String,
        operation: OperationContext<u32>,
    ) -> Result<String, Status> {
        drop(operation);
        Ok(request)
    }

    async fn get_table(
        &self,
        _request: Request<GetTableRequest>,
    ) -> Result<Response<Table>, Status> {
        Ok(Response::new(Table::default()))
    }
}

fn main() {}
