use expect_test::expect;

use super::service;

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
            #[automatically_derived]
            impl ::lro_server::__private::Host<()> for Service {
                fn register(_: &mut ::lro_server::__private::Registration<Self>) {}
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
