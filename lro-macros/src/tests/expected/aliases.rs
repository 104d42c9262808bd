#[::lro_server::__private::async_trait]
impl pb::exporter_server::Exporter for Exporter {
    async fn export(
        &self,
        __request: ::lro_server::__private::Request<
            <pb::exporter_server::long_running_rpcs::export as ::lro_server::__private::LongRunningMethod>::Request,
        >,
    ) -> ::core::result::Result<
        ::lro_server::__private::Response<
            ::lro_server::__private::Operation<
                <pb::exporter_server::long_running_rpcs::export as ::lro_server::__private::LongRunningMethod>::Response,
                <pb::exporter_server::long_running_rpcs::export as ::lro_server::__private::LongRunningMethod>::Metadata,
            >,
        >,
        ::lro_server::__private::Status,
    > {
        let __options = ::core::default::Default::default();
        ::lro_server::__private::start::<
            pb::exporter_server::long_running_rpcs::export,
            Self,
            pb::exporter_server::ExporterServer<Self>,
        >(
                &::lro_server::__private::AddTheFieldOrTheArgument::of(self).operations,
                __request,
                __options,
            )
            .await
    }
}
impl Exporter {
    #[allow(
        private_interfaces,
        clippy::needless_pass_by_value,
        clippy::unused_async,
        clippy::unused_self
    )]
    pub(crate) async fn export(&self, _: ExportRequest, _: Context) -> ExportResult {
        todo()
    }
}
#[automatically_derived]
impl ::lro_server::__private::Host<pb::exporter_server::ExporterServer<Self>>
for Exporter {
    fn register(__registration: &mut ::lro_server::__private::Registration<Self>) {
        {
            _ = <ExportMetadata as ::lro_server::__private::MetadataOf<
                pb::exporter_server::long_running_rpcs::export,
            >>::DECLARED;
            __registration
                .body::<
                    pb::exporter_server::long_running_rpcs::export,
                >(
                    ::lro_server::__private::MethodOptions::new(),
                    |
                        __host: ::lro_server::__private::Arc<Self>,
                        mut __attempt: ::lro_server::__private::Attempt|
                    ::lro_server::__private::Box::pin(async move {
                        let __request = match __attempt
                            .request(
                                <ExportRequest as ::lro_server::__private::RequestOf<
                                    pb::exporter_server::long_running_rpcs::export,
                                >>::unpack,
                            )
                        {
                            ::core::result::Result::Ok(__request) => __request,
                            ::core::result::Result::Err(__error) => {
                                return ::core::result::Result::Err(__error);
                            }
                        };
                        let __operation = <Context as ::lro_server::__private::ContextOf<
                            ExportMetadata,
                        >>::of(__attempt);
                        match Self::export(&__host, __request, __operation).await {
                            ::core::result::Result::Ok(__response) => {
                                ::core::result::Result::Ok(
                                    <ExportResponse as ::lro_server::__private::ResponseOf<
                                        pb::exporter_server::long_running_rpcs::export,
                                    >>::pack(&__response),
                                )
                            }
                            ::core::result::Result::Err(__error) => {
                                ::core::result::Result::Err(
                                    <_ as ::lro_server::__private::IntoHandlerError>::into_handler_error(
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
