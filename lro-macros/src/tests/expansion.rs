use expect_test::expect;

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
        &expect![[r#"
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
                async fn get_table(
                    &self,
                    r: Request<GetTableRequest>,
                ) -> Result<Response<Table>, Status> {
                    self.table(r)
                }
            }
            impl Exporter {
                #[allow(
                    private_interfaces,
                    clippy::needless_pass_by_value,
                    clippy::unused_async,
                    clippy::unused_self
                )]
                pub(crate) async fn export(
                    &self,
                    request: ExportRequest,
                    operation: OperationContext<ExportMetadata>,
                ) -> Result<ExportResponse, Status> {
                    dump(request, operation).await
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
                                    let __operation = <OperationContext<
                                        ExportMetadata,
                                    > as ::lro_server::__private::ContextOf<
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
                                                <Status as ::lro_server::__private::IntoHandlerError>::into_handler_error(
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
        "#]],
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
                max_attempts = 5,
                on_crash = abort,
                cancel_grace = "250ms",
                retain = "30d",
                concurrency = 8,
            )]
            async fn r#type(
                &self,
                ExportRequest { tables, .. }: ExportRequest,
                mut operation: Context<ExportMetadata>,
            ) -> tonic::Result<ExportResponse> {
                dump(tables, operation).await
            }
        }"#,
        &expect![[r#"
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
                                    .max_attempts(5u32)
                                    .on_crash(my::lro_server::__private::OnCrash::Abort)
                                    .concurrency(8),
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
        "#]],
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
        &expect![[r#"
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
        "#]],
    );
}
