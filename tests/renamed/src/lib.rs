//! Services whose manifest calls the crates of this project by other names. That it compiles is
//! the first half of the test, `tests/renamed.rs` the second.

macro_rules! exporter {
    ($name:ident, $generated:literal, $says:literal) => {
        #[doc = $says]
        pub mod $name {
            #[allow(missing_docs, reason = "the proto is there to be tested")]
            pub mod pb {
                include!(concat!(env!("OUT_DIR"), $generated));
            }

            use pb::{ExportMetadata, ExportRequest, ExportResponse, GetTableRequest, Table};
            use server::{OperationContext, Operations, long_running};
            use tonic::{Request, Response, Status};

            /// Says that all tables have been exported.
            #[derive(Debug)]
            pub struct Exporter {
                /// The engine.
                pub operations: Operations,
            }

            #[long_running(crate = server)]
            impl pb::exporter_server::Exporter for Exporter {
                #[long_running]
                async fn export(
                    &self,
                    request: ExportRequest,
                    operation: OperationContext<ExportMetadata>,
                ) -> Result<ExportResponse, Status> {
                    let tables_exported = u32::try_from(request.tables.len()).unwrap_or(u32::MAX);
                    operation.set_metadata(ExportMetadata {
                        tables_done: tables_exported,
                        tables_total: tables_exported,
                    });
                    Ok(ExportResponse {
                        tables_exported,
                        rows: 0,
                    })
                }

                async fn get_table(
                    &self,
                    request: Request<GetTableRequest>,
                ) -> Result<Response<Table>, Status> {
                    let name = request.into_inner().name;
                    Ok(Response::new(Table { name, rows: 0 }))
                }
            }
        }
    };
}

exporter!(
    direct,
    "/direct/exporter.v1.rs",
    "A crate that depends on lro-core as `wire`."
);
exporter!(
    through,
    "/through/exporter.v1.rs",
    "A crate that reaches lro-core through lro-server, as `server::lro_core`."
);
