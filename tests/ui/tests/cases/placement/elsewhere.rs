//! On things that are no impl.

use exporter::pb::Table;
use lro_server::long_running;
use tonic::{Request, Response, Status};

#[long_running]
struct Other;

#[long_running]
async fn free(_request: Request<Table>) -> Result<Response<Table>, Status> {
    Err(Status::unimplemented("not yet"))
}

fn main() {}
