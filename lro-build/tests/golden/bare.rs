pub mod bare_server {
    use tonic::codegen::*;
    /// Generated trait containing gRPC methods that should be implemented for use with BareServer.
    #[async_trait]
    pub trait Bare: std::marker::Send + std::marker::Sync + 'static {
        async fn run(
            &self,
            request: tonic::Request<super::Request>,
        ) -> std::result::Result<
            tonic::Response<::lro_core::Operation<super::Response, super::Metadata>>,
            tonic::Status,
        >;
    }
    #[allow(unused_imports)]
    pub use super::bare_methods as methods;
}
/// Long-running methods of `Bare`.
pub mod bare_methods {
    #![allow(dead_code)]
    /// `Run` of `Bare`.
    #[derive(Debug, Clone, Copy)]
    pub enum Run {}
    impl ::lro_core::LongRunningMethod for Run {
        type Request = super::Request;
        type Response = super::Response;
        type Metadata = super::Metadata;
        const PATH: &'static str = "/Bare/Run";
        const VERB: &'static str = "run";
    }
    #[diagnostic::do_not_recommend]
    impl ::lro_core::RequestOf<Run> for super::Request {}
    #[diagnostic::do_not_recommend]
    impl ::lro_core::ResponseOf<Run> for super::Response {}
    #[diagnostic::do_not_recommend]
    impl ::lro_core::MetadataOf<Run> for super::Metadata {}
}
/// The descriptors of this build, imports and options included, as an encoded
/// `google.protobuf.FileDescriptorSet`.
#[allow(dead_code)]
pub const FILE_DESCRIPTOR_SET: &[u8] = ::core::include_bytes!("_.descriptor.bin");
