/// The service.
#[cfg(feature = "export")]
#[allow(deprecated)]
#[my::lro_server::__private::async_trait]
impl<T: Clone> pb::exporter_server::Exporter for Exporter<T>
where
    T: Send,
{
    type Stream = Tables;
    #[cfg(unix)]
    #[allow(unused_mut)]
    async fn r#type(
        &self,
        __request: my::lro_server::__private::Request<
            <pb::exporter_server::long_running_rpcs::r#type as my::lro_server::__private::LongRunningMethod>::Request,
        >,
    ) -> ::core::result::Result<
        my::lro_server::__private::Response<
            my::lro_server::__private::Operation<
                <pb::exporter_server::long_running_rpcs::r#type as my::lro_server::__private::LongRunningMethod>::Response,
                <pb::exporter_server::long_running_rpcs::r#type as my::lro_server::__private::LongRunningMethod>::Metadata,
            >,
        >,
        my::lro_server::__private::Status,
    > {
        let __options = {
            let __options = my::lro_server::__private::Prepare::prepare(
                    Self::prepare_export(self, &__request),
                )
                .await?;
            let __options: my::lro_server::__private::StartOptions<
                <pb::exporter_server::long_running_rpcs::r#type as my::lro_server::__private::LongRunningMethod>::Metadata,
            > = __options;
            __options
        };
        my::lro_server::__private::start::<
            pb::exporter_server::long_running_rpcs::r#type,
            Self,
            pb::exporter_server::ExporterServer<Self>,
        >(&self.inner.operations, __request, __options)
            .await
    }
}
#[cfg(feature = "export")]
#[allow(deprecated)]
impl<T: Clone> Exporter<T>
where
    T: Send,
{
    /// Dumps.
    #[cfg(unix)]
    #[tracing::instrument(skip_all)]
    #[expect(unused_mut)]
    #[allow(
        private_interfaces,
        clippy::needless_pass_by_value,
        clippy::unused_async,
        clippy::unused_self
    )]
    pub(crate) async fn r#type(
        &self,
        ExportRequest { tables, .. }: ExportRequest,
        mut operation: Context<ExportMetadata>,
    ) -> tonic::Result<ExportResponse> {
        dump(tables, operation).await
    }
}
#[cfg(feature = "export")]
#[allow(deprecated)]
#[automatically_derived]
impl<T: Clone> my::lro_server::__private::Host<pb::exporter_server::ExporterServer<Self>>
for Exporter<T>
where
    T: Send,
{
    fn register(__registration: &mut my::lro_server::__private::Registration<Self>) {
        #[cfg(unix)] #[allow(unused_mut)]
        {
            _ = <pb::ExportResponse as my::lro_server::__private::ResponseOf<
                pb::exporter_server::long_running_rpcs::r#type,
            >>::DECLARED;
            _ = <ExportMetadata as my::lro_server::__private::MetadataOf<
                pb::exporter_server::long_running_rpcs::r#type,
            >>::DECLARED;
            __registration
                .body::<
                    pb::exporter_server::long_running_rpcs::r#type,
                >(
                    my::lro_server::__private::MethodOptions::new()
                        .timeout(::core::time::Duration::new(5400u64, 0u32))
                        .cancel_grace(::core::time::Duration::new(0u64, 250000000u32))
                        .retain(::core::time::Duration::new(2592000u64, 0u32))
                        .lifetime(::core::time::Duration::new(2592000u64, 0u32))
                        .max_attempts(5u32)
                        .on_crash(my::lro_server::__private::OnCrash::Abort)
                        .concurrency(8)
                        .promise::<pb::Approval>("approved")
                        .promise::<Payment<u32, u64>>("paid")
                        .step_order(my::lro_server::__private::StepOrder::ByName),
                    |
                        __host: my::lro_server::__private::Arc<Self>,
                        mut __attempt: my::lro_server::__private::Attempt|
                    my::lro_server::__private::Box::pin(async move {
                        let __request = match __attempt
                            .request(
                                <ExportRequest as my::lro_server::__private::RequestOf<
                                    pb::exporter_server::long_running_rpcs::r#type,
                                >>::unpack,
                            )
                        {
                            ::core::result::Result::Ok(__request) => __request,
                            ::core::result::Result::Err(__error) => {
                                return ::core::result::Result::Err(__error);
                            }
                        };
                        let __operation = <Context<
                            ExportMetadata,
                        > as my::lro_server::__private::ContextOf<
                            ExportMetadata,
                        >>::of(__attempt);
                        match Self::r#type(&__host, __request, __operation).await {
                            ::core::result::Result::Ok(__response) => {
                                ::core::result::Result::Ok(
                                    <ExportResponse as my::lro_server::__private::ResponseOf<
                                        pb::exporter_server::long_running_rpcs::r#type,
                                    >>::pack(&__response),
                                )
                            }
                            ::core::result::Result::Err(__error) => {
                                ::core::result::Result::Err(
                                    <_ as my::lro_server::__private::IntoHandlerError>::into_handler_error(
                                        __error,
                                    ),
                                )
                            }
                        }
                    }),
                );
        }
    }
}
