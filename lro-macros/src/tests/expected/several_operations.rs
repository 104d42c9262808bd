#[::lro_server::__private::async_trait]
impl<D> pb::library_server::Library for Service<D>
where
    D: Db,
{
    type ListStream = Shelves;
    async fn purge(
        &self,
        __request: ::lro_server::__private::Request<
            <pb::library_server::long_running_rpcs::purge as ::lro_server::__private::LongRunningMethod>::Request,
        >,
    ) -> ::core::result::Result<
        ::lro_server::__private::Response<
            ::lro_server::__private::Operation<
                <pb::library_server::long_running_rpcs::purge as ::lro_server::__private::LongRunningMethod>::Response,
                <pb::library_server::long_running_rpcs::purge as ::lro_server::__private::LongRunningMethod>::Metadata,
            >,
        >,
        ::lro_server::__private::Status,
    > {
        let __options = ::core::default::Default::default();
        ::lro_server::__private::start::<
            pb::library_server::long_running_rpcs::purge,
            Self,
            pb::library_server::LibraryServer<Self>,
        >(
                &::lro_server::__private::AddTheFieldOrTheArgument::of(self).operations,
                __request,
                __options,
            )
            .await
    }
    async fn r#type(
        &self,
        __request: ::lro_server::__private::Request<
            <pb::library_server::long_running_rpcs::r#type as ::lro_server::__private::LongRunningMethod>::Request,
        >,
    ) -> ::core::result::Result<
        ::lro_server::__private::Response<
            ::lro_server::__private::Operation<
                <pb::library_server::long_running_rpcs::r#type as ::lro_server::__private::LongRunningMethod>::Response,
                <pb::library_server::long_running_rpcs::r#type as ::lro_server::__private::LongRunningMethod>::Metadata,
            >,
        >,
        ::lro_server::__private::Status,
    > {
        let __options = {
            let __options = ::lro_server::__private::Prepare::prepare(
                    Self::prepare(self, &__request),
                )
                .await?;
            let __options: ::lro_server::__private::StartOptions<
                <pb::library_server::long_running_rpcs::r#type as ::lro_server::__private::LongRunningMethod>::Metadata,
            > = __options;
            __options
        };
        ::lro_server::__private::start::<
            pb::library_server::long_running_rpcs::r#type,
            Self,
            pb::library_server::LibraryServer<Self>,
        >(
                &::lro_server::__private::AddTheFieldOrTheArgument::of(self).operations,
                __request,
                __options,
            )
            .await
    }
    async fn list(&self, r: Request<Q>) -> Result<Response<Self::ListStream>, Status> {
        self.all(r)
    }
}
impl<D> Service<D>
where
    D: Db,
{
    #[allow(
        private_interfaces,
        clippy::needless_pass_by_value,
        clippy::unused_async,
        clippy::unused_self
    )]
    pub(crate) async fn purge(
        &self,
        (): (),
        _: OperationContext<Struct>,
    ) -> Result<(), HandlerError> {
        Ok(())
    }
    #[allow(
        private_interfaces,
        clippy::needless_pass_by_value,
        clippy::unused_async,
        clippy::unused_self
    )]
    pub(crate) async fn r#type(&self, shelf: Shelf, it: Context) -> RpcResult<Shelf> {
        Ok(shelf)
    }
}
#[automatically_derived]
impl<D> ::lro_server::__private::Host<pb::library_server::LibraryServer<Self>>
for Service<D>
where
    D: Db,
{
    fn register(__registration: &mut ::lro_server::__private::Registration<Self>) {
        {
            _ = <Struct as ::lro_server::__private::MetadataOf<
                pb::library_server::long_running_rpcs::purge,
            >>::DECLARED;
            __registration
                .body::<
                    pb::library_server::long_running_rpcs::purge,
                >(
                    ::lro_server::__private::MethodOptions::new().standard_fields(false),
                    |
                        __host: ::lro_server::__private::Arc<Self>,
                        mut __attempt: ::lro_server::__private::Attempt|
                    ::lro_server::__private::Box::pin(async move {
                        let __request = match __attempt
                            .request(
                                <() as ::lro_server::__private::RequestOf<
                                    pb::library_server::long_running_rpcs::purge,
                                >>::unpack,
                            )
                        {
                            ::core::result::Result::Ok(__request) => __request,
                            ::core::result::Result::Err(__error) => {
                                return ::core::result::Result::Err(__error);
                            }
                        };
                        let __operation = <OperationContext<
                            Struct,
                        > as ::lro_server::__private::ContextOf<Struct>>::of(__attempt);
                        match Self::purge(&__host, __request, __operation).await {
                            ::core::result::Result::Ok(__response) => {
                                ::core::result::Result::Ok(
                                    <() as ::lro_server::__private::ResponseOf<
                                        pb::library_server::long_running_rpcs::purge,
                                    >>::pack(&__response),
                                )
                            }
                            ::core::result::Result::Err(__error) => {
                                ::core::result::Result::Err(
                                    <HandlerError as ::lro_server::__private::IntoHandlerError>::into_handler_error(
                                        __error,
                                    ),
                                )
                            }
                        }
                    }),
                );
        }
        {
            _ = <Any as ::lro_server::__private::MetadataOf<
                pb::library_server::long_running_rpcs::r#type,
            >>::DECLARED;
            __registration
                .body::<
                    pb::library_server::long_running_rpcs::r#type,
                >(
                    ::lro_server::__private::MethodOptions::new(),
                    |
                        __host: ::lro_server::__private::Arc<Self>,
                        mut __attempt: ::lro_server::__private::Attempt|
                    ::lro_server::__private::Box::pin(async move {
                        let __request = match __attempt
                            .request(
                                <Shelf as ::lro_server::__private::RequestOf<
                                    pb::library_server::long_running_rpcs::r#type,
                                >>::unpack,
                            )
                        {
                            ::core::result::Result::Ok(__request) => __request,
                            ::core::result::Result::Err(__error) => {
                                return ::core::result::Result::Err(__error);
                            }
                        };
                        let __operation = <Context as ::lro_server::__private::ContextOf<
                            Any,
                        >>::of(__attempt);
                        match Self::r#type(&__host, __request, __operation).await {
                            ::core::result::Result::Ok(__response) => {
                                ::core::result::Result::Ok(
                                    <Shelf as ::lro_server::__private::ResponseOf<
                                        pb::library_server::long_running_rpcs::r#type,
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
