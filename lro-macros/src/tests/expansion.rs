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
                        <pb::exporter_server::methods::Export as ::lro_server::__private::LongRunningMethod>::Request,
                    >,
                ) -> ::core::result::Result<
                    ::lro_server::__private::Response<
                        ::lro_server::__private::Operation<
                            <pb::exporter_server::methods::Export as ::lro_server::__private::LongRunningMethod>::Response,
                            <pb::exporter_server::methods::Export as ::lro_server::__private::LongRunningMethod>::Metadata,
                        >,
                    >,
                    ::lro_server::__private::Status,
                > {
                    let __options = ::core::default::Default::default();
                    ::lro_server::__private::start::<
                        pb::exporter_server::methods::Export,
                        Self,
                        pb::exporter_server::ExporterServer<Self>,
                    >(&self.operations, __request, __options)
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
                        __registration
                            .method::<
                                pb::exporter_server::methods::Export,
                                ExportRequest,
                                ExportResponse,
                                ExportMetadata,
                                _,
                                _,
                                Status,
                            >(
                                ::lro_server::__private::MethodOptions::new(),
                                |__host: ::lro_server::__private::Arc<Self>, __request, __operation| async move {
                                    Self::export(&__host, __request, __operation).await
                                },
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
                        <pb::exporter_server::methods::Type as my::lro_server::__private::LongRunningMethod>::Request,
                    >,
                ) -> ::core::result::Result<
                    my::lro_server::__private::Response<
                        my::lro_server::__private::Operation<
                            <pb::exporter_server::methods::Type as my::lro_server::__private::LongRunningMethod>::Response,
                            <pb::exporter_server::methods::Type as my::lro_server::__private::LongRunningMethod>::Metadata,
                        >,
                    >,
                    my::lro_server::__private::Status,
                > {
                    let __options = Self::prepare_export(self, &__request).await?;
                    my::lro_server::__private::start::<
                        pb::exporter_server::methods::Type,
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
                        my::lro_server::__private::assert_response::<
                            pb::exporter_server::methods::Type,
                            pb::ExportResponse,
                        >();
                        __registration
                            .method::<
                                pb::exporter_server::methods::Type,
                                ExportRequest,
                                ExportResponse,
                                ExportMetadata,
                                _,
                                _,
                                _,
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
                                    __request,
                                    __operation|
                                async move { Self::r#type(&__host, __request, __operation).await },
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
                        <pb::exporter_server::methods::Export as ::lro_server::__private::LongRunningMethod>::Request,
                    >,
                ) -> ::core::result::Result<
                    ::lro_server::__private::Response<
                        ::lro_server::__private::Operation<
                            <pb::exporter_server::methods::Export as ::lro_server::__private::LongRunningMethod>::Response,
                            <pb::exporter_server::methods::Export as ::lro_server::__private::LongRunningMethod>::Metadata,
                        >,
                    >,
                    ::lro_server::__private::Status,
                > {
                    let __options = ::core::default::Default::default();
                    ::lro_server::__private::start::<
                        pb::exporter_server::methods::Export,
                        Self,
                        pb::exporter_server::ExporterServer<Self>,
                    >(&self.operations, __request, __options)
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
                        __registration
                            .method::<
                                pb::exporter_server::methods::Export,
                                ExportRequest,
                                ExportResponse,
                                ExportMetadata,
                                _,
                                _,
                                _,
                            >(
                                ::lro_server::__private::MethodOptions::new(),
                                |__host: ::lro_server::__private::Arc<Self>, __request, __operation| async move {
                                    Self::export(&__host, __request, __operation).await
                                },
                            );
                    }
                }
            }
        "#]],
    );
}

/// A stub stands in for the rpc, and the method is kept, so that its body is compiled.
#[test]
fn stub() {
    check_stub(
        &service("#[long_running] fn export(self, request: ExportRequest) { request.await }"),
        &expect![[r#"
            #[::lro_server::__private::async_trait]
            impl pb::exporter_server::Exporter for Exporter {
                async fn export(
                    &self,
                    __request: ::lro_server::__private::Request<
                        <pb::exporter_server::methods::Export as ::lro_server::__private::LongRunningMethod>::Request,
                    >,
                ) -> ::core::result::Result<
                    ::lro_server::__private::Response<
                        ::lro_server::__private::Operation<
                            <pb::exporter_server::methods::Export as ::lro_server::__private::LongRunningMethod>::Response,
                            <pb::exporter_server::methods::Export as ::lro_server::__private::LongRunningMethod>::Metadata,
                        >,
                    >,
                    ::lro_server::__private::Status,
                > {
                    loop {}
                }
            }
            impl Exporter {
                #[allow(dead_code)]
                #[allow(
                    private_interfaces,
                    clippy::needless_pass_by_value,
                    clippy::unused_async,
                    clippy::unused_self
                )]
                pub(crate) async fn export(self, request: ExportRequest) {
                    request.await
                }
            }
            #[automatically_derived]
            impl ::lro_server::__private::Host<pb::exporter_server::ExporterServer<Self>>
            for Exporter {
                fn register(__registration: &mut ::lro_server::__private::Registration<Self>) {}
            }
        "#]],
    );
}

/// Without the trait's module, the user's own types are the best guess.
#[test]
fn stub_without_a_module() {
    check_stub(
        "impl Exporter for Service {
            #[long_running]
            async fn export(&self, request: Q, operation: OperationContext<M>) -> Result<R, Status> { body }
        }",
        &expect![[r#"
            #[::lro_server::__private::async_trait]
            impl Exporter for Service {
                async fn export(
                    &self,
                    __request: ::lro_server::__private::Request<Q>,
                ) -> ::core::result::Result<
                    ::lro_server::__private::Response<::lro_server::__private::Operation<R, M>>,
                    ::lro_server::__private::Status,
                > {
                    loop {}
                }
            }
            impl Service {
                #[allow(dead_code)]
                #[allow(
                    private_interfaces,
                    clippy::needless_pass_by_value,
                    clippy::unused_async,
                    clippy::unused_self
                )]
                pub(crate) async fn export(
                    &self,
                    request: Q,
                    operation: OperationContext<M>,
                ) -> Result<R, Status> {
                    body
                }
            }
        "#]],
    );
}

#[test]
fn stub_of_a_lone_method() {
    check_stub(
        "fn export<'life0, 'async_trait>(&'life0 self, request: Q, operation: OperationContext<M>)
            -> ::core::pin::Pin<Box<dyn ::core::future::Future<Output = Result<R, Status>> + Send + 'async_trait>>
        where 'life0: 'async_trait, Self: 'async_trait
        { body }",
        &expect![[r#"
            impl Service {
                fn export<'life0, 'async_trait>(
                    &'life0 self,
                    __request: ::lro_server::__private::Request<Q>,
                ) -> ::core::pin::Pin<
                    Box<
                        dyn ::core::future::Future<
                            Output = ::core::result::Result<
                                ::lro_server::__private::Response<
                                    ::lro_server::__private::Operation<R, M>,
                                >,
                                ::lro_server::__private::Status,
                            >,
                        > + Send + 'async_trait,
                    >,
                >
                where
                    'life0: 'async_trait,
                    Self: 'async_trait,
                {
                    let _ = ::core::marker::PhantomData::<OperationContext<M>>;
                    loop {}
                }
            }
        "#]],
    );
}

fn check_stub(item: &str, expect: &expect_test::Expect) {
    let (errors, expansion) = crate::pass(super::tokens(""), super::tokens(item));
    assert!(!errors.is_empty());
    // A method is no item of a file by itself.
    let expansion = match syn::parse2::<syn::ImplItemFn>(expansion.clone()) {
        Ok(method) => quote::quote! { impl Service { #method } },
        Err(_) => expansion,
    };
    expect.assert_eq(&super::pretty(expansion));
}
