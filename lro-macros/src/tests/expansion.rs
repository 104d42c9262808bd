use expect_test::expect_file;

use super::{check, service};

#[test]
fn minimal() {
    check(
        "",
        &service(
            "#[long_running]
            async fn export(
                &self,
                request: ExportRequest,
                operation: OperationContext<ExportMetadata>,
            ) -> Result<ExportResponse, Status> {
                dump(request, operation).await
            }

            async fn get_table(&self, r: Request<GetTableRequest>) -> Result<Response<Table>, Status> { self.table(r) }",
        ),
        &expect_file!["expected/minimal.rs"],
    );
}

#[test]
fn everything() {
    check(
        "operations = self.inner.operations, crate = my::lro_server",
        r#"
        /// The service.
        #[tonic::async_trait]
        #[cfg(feature = "export")]
        #[expect(deprecated)]
        impl<T: Clone> pb::exporter_server::Exporter for Exporter<T> where T: Send {
            type Stream = Tables;

            /// Dumps.
            #[cfg(unix)]
            #[tracing::instrument(skip_all)]
            #[expect(unused_mut)]
            #[lro_server::long_running(
                response = pb::ExportResponse,
                metadata = ExportMetadata,
                prepare = Self::prepare_export,
                timeout = "1h30m",
                lifetime = "30d",
                max_attempts = 5,
                on_crash = abort,
                cancel_grace = "250ms",
                retain = "30d",
                concurrency = 8,
                promise("approved" = pb::Approval, "paid" = Payment<u32, u64>),
                steps = "by_name",
            )]
            async fn r#type(
                &self,
                ExportRequest { tables, .. }: ExportRequest,
                mut operation: Context<ExportMetadata>,
            ) -> tonic::Result<ExportResponse> {
                dump(tables, operation).await
            }
        }"#,
        &expect_file!["expected/everything.rs"],
    );
}

/// The types of an alias cannot be seen, and those in the attribute are taken.
#[test]
fn aliases() {
    check(
        "",
        &service(
            "#[long_running(response = ExportResponse, metadata = ExportMetadata)]
            async fn export(&self, _: ExportRequest, _: Context) -> ExportResult { todo() }",
        ),
        &expect_file!["expected/aliases.rs"],
    );
}
