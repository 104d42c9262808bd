pub mod shapes_server {
    use tonic::codegen::*;
    /// Generated trait containing gRPC methods that should be implemented for use with ShapesServer.
    #[async_trait]
    pub trait Shapes: std::marker::Send + std::marker::Sync + 'static {
        /// Types of this package, by their bare names.
        async fn same_package(
            &self,
            request: tonic::Request<super::Request>,
        ) -> std::result::Result<
            tonic::Response<
                ::lro_server::lro_core::Operation<super::Response, super::Metadata>,
            >,
            tonic::Status,
        >;
        /// Types of another package.
        async fn other_package(
            &self,
            request: tonic::Request<super::Request>,
        ) -> std::result::Result<
            tonic::Response<
                ::lro_server::lro_core::Operation<
                    ::other::pb::Response,
                    ::other::pb::outer::Metadata,
                >,
            >,
            tonic::Status,
        >;
        /// A type within a type, written in full.
        async fn nested(
            &self,
            request: tonic::Request<super::outer::Request>,
        ) -> std::result::Result<
            tonic::Response<
                ::lro_server::lro_core::Operation<
                    super::outer::middle::Response,
                    super::Metadata,
                >,
            >,
            tonic::Status,
        >;
        async fn no_comment(
            &self,
            request: tonic::Request<()>,
        ) -> std::result::Result<
            tonic::Response<::lro_server::lro_core::Operation<(), ()>>,
            tonic::Status,
        >;
        /// Types that every protobuf library has.
        async fn well_known(
            &self,
            request: tonic::Request<::prost::alloc::string::String>,
        ) -> std::result::Result<
            tonic::Response<
                ::lro_server::lro_core::Operation<
                    ::lro_server::lro_core::wkt::Timestamp,
                    ::lro_server::lro_core::wkt::Any,
                >,
            >,
            tonic::Status,
        >;
        /// A word that Rust keeps for itself.
        async fn r#move(
            &self,
            request: tonic::Request<super::Request>,
        ) -> std::result::Result<
            tonic::Response<
                ::lro_server::lro_core::Operation<super::Response, super::Metadata>,
            >,
            tonic::Status,
        >;
        /// Not long-running.
        async fn plain(
            &self,
            request: tonic::Request<super::Request>,
        ) -> std::result::Result<tonic::Response<super::Response>, tonic::Status>;
        /// Server streaming response type for the Stream method.
        type StreamStream: tonic::codegen::tokio_stream::Stream<
                Item = std::result::Result<::other::pb::Response, tonic::Status>,
            >
            + std::marker::Send
            + 'static;
        /// Not long-running either.
        async fn stream(
            &self,
            request: tonic::Request<tonic::Streaming<super::Request>>,
        ) -> std::result::Result<tonic::Response<Self::StreamStream>, tonic::Status>;
        /// Long-running, and says nothing about its types.
        async fn raw(
            &self,
            request: tonic::Request<super::Request>,
        ) -> std::result::Result<
            tonic::Response<
                ::lro_server::lro_core::Operation<
                    ::lro_server::lro_core::wkt::Any,
                    ::lro_server::lro_core::wkt::Any,
                >,
            >,
            tonic::Status,
        >;
    }
    #[allow(unused_imports)]
    pub use super::shapes_methods as methods;
}
/// Long-running methods of `shapes.v1.Shapes`.
pub mod shapes_methods {
    #![allow(dead_code)]
    /// Types of this package, by their bare names.
    #[derive(Debug, Clone, Copy)]
    pub enum SamePackage {}
    impl ::lro_server::lro_core::LongRunningMethod for SamePackage {
        type Request = super::Request;
        type Response = super::Response;
        type Metadata = super::Metadata;
        const PATH: &'static str = "/shapes.v1.Shapes/SamePackage";
        const VERB: &'static str = "same";
        const API_VERSION: &'static str = "v1";
    }
    #[diagnostic::do_not_recommend]
    impl ::lro_server::lro_core::RequestOf<SamePackage> for super::Request {}
    #[diagnostic::do_not_recommend]
    impl ::lro_server::lro_core::ResponseOf<SamePackage> for super::Response {}
    #[diagnostic::do_not_recommend]
    impl ::lro_server::lro_core::MetadataOf<SamePackage> for super::Metadata {}
    /// Types of another package.
    #[derive(Debug, Clone, Copy)]
    pub enum OtherPackage {}
    impl ::lro_server::lro_core::LongRunningMethod for OtherPackage {
        type Request = super::Request;
        type Response = ::other::pb::Response;
        type Metadata = ::other::pb::outer::Metadata;
        const PATH: &'static str = "/shapes.v1.Shapes/OtherPackage";
        const VERB: &'static str = "other";
        const API_VERSION: &'static str = "v1";
    }
    #[diagnostic::do_not_recommend]
    impl ::lro_server::lro_core::RequestOf<OtherPackage> for super::Request {}
    #[diagnostic::do_not_recommend]
    impl ::lro_server::lro_core::ResponseOf<OtherPackage> for ::other::pb::Response {}
    #[diagnostic::do_not_recommend]
    impl ::lro_server::lro_core::MetadataOf<OtherPackage>
    for ::other::pb::outer::Metadata {}
    /// A type within a type, written in full.
    #[derive(Debug, Clone, Copy)]
    pub enum Nested {}
    impl ::lro_server::lro_core::LongRunningMethod for Nested {
        type Request = super::outer::Request;
        type Response = super::outer::middle::Response;
        type Metadata = super::Metadata;
        const PATH: &'static str = "/shapes.v1.Shapes/Nested";
        const VERB: &'static str = "nested";
        const API_VERSION: &'static str = "v1";
    }
    #[diagnostic::do_not_recommend]
    impl ::lro_server::lro_core::RequestOf<Nested> for super::outer::Request {}
    #[diagnostic::do_not_recommend]
    impl ::lro_server::lro_core::ResponseOf<Nested> for super::outer::middle::Response {}
    #[diagnostic::do_not_recommend]
    impl ::lro_server::lro_core::MetadataOf<Nested> for super::Metadata {}
    /// `NoComment` of `shapes.v1.Shapes`.
    #[derive(Debug, Clone, Copy)]
    pub enum NoComment {}
    impl ::lro_server::lro_core::LongRunningMethod for NoComment {
        type Request = ();
        type Response = ();
        type Metadata = ();
        const PATH: &'static str = "/shapes.v1.Shapes/NoComment";
        const VERB: &'static str = "no";
        const API_VERSION: &'static str = "v1";
    }
    #[diagnostic::do_not_recommend]
    impl ::lro_server::lro_core::RequestOf<NoComment> for () {}
    #[diagnostic::do_not_recommend]
    impl ::lro_server::lro_core::ResponseOf<NoComment> for () {}
    #[diagnostic::do_not_recommend]
    impl ::lro_server::lro_core::MetadataOf<NoComment> for () {}
    /// Types that every protobuf library has.
    #[derive(Debug, Clone, Copy)]
    pub enum WellKnown {}
    impl ::lro_server::lro_core::LongRunningMethod for WellKnown {
        type Request = ::prost::alloc::string::String;
        type Response = ::lro_server::lro_core::wkt::Timestamp;
        type Metadata = ::lro_server::lro_core::wkt::Any;
        const PATH: &'static str = "/shapes.v1.Shapes/WellKnown";
        const VERB: &'static str = "well";
        const API_VERSION: &'static str = "v1";
    }
    #[diagnostic::do_not_recommend]
    impl ::lro_server::lro_core::RequestOf<WellKnown>
    for ::prost::alloc::string::String {}
    #[diagnostic::do_not_recommend]
    impl ::lro_server::lro_core::ResponseOf<WellKnown>
    for ::lro_server::lro_core::wkt::Timestamp {}
    #[diagnostic::do_not_recommend]
    impl ::lro_server::lro_core::MetadataOf<WellKnown>
    for ::lro_server::lro_core::wkt::Any {}
    /// A word that Rust keeps for itself.
    #[derive(Debug, Clone, Copy)]
    pub enum Move {}
    impl ::lro_server::lro_core::LongRunningMethod for Move {
        type Request = super::Request;
        type Response = super::Response;
        type Metadata = super::Metadata;
        const PATH: &'static str = "/shapes.v1.Shapes/Move";
        const VERB: &'static str = "move";
        const API_VERSION: &'static str = "v1";
    }
    #[diagnostic::do_not_recommend]
    impl ::lro_server::lro_core::RequestOf<Move> for super::Request {}
    #[diagnostic::do_not_recommend]
    impl ::lro_server::lro_core::ResponseOf<Move> for super::Response {}
    #[diagnostic::do_not_recommend]
    impl ::lro_server::lro_core::MetadataOf<Move> for super::Metadata {}
    /// Long-running, and says nothing about its types.
    #[derive(Debug, Clone, Copy)]
    pub enum Raw {}
    impl ::lro_server::lro_core::LongRunningMethod for Raw {
        type Request = super::Request;
        type Response = ::lro_server::lro_core::wkt::Any;
        type Metadata = ::lro_server::lro_core::wkt::Any;
        const PATH: &'static str = "/shapes.v1.Shapes/Raw";
        const VERB: &'static str = "raw";
        const API_VERSION: &'static str = "v1";
    }
    #[diagnostic::do_not_recommend]
    impl ::lro_server::lro_core::RequestOf<Raw> for super::Request {}
    #[diagnostic::do_not_recommend]
    impl ::lro_server::lro_core::ResponseOf<Raw> for ::lro_server::lro_core::wkt::Any {}
    #[diagnostic::do_not_recommend]
    impl ::lro_server::lro_core::MetadataOf<Raw> for ::lro_server::lro_core::wkt::Any {}
    impl ::lro_server::lro_core::ResponseOf<Raw> for () {}
    impl ::lro_server::lro_core::MetadataOf<Raw> for () {}
    impl ::lro_server::lro_core::ResponseOf<Raw>
    for ::lro_server::lro_core::wkt::Status {}
    impl ::lro_server::lro_core::MetadataOf<Raw>
    for ::lro_server::lro_core::wkt::Status {}
    impl ::lro_server::lro_core::ResponseOf<Raw> for super::Metadata {}
    impl ::lro_server::lro_core::MetadataOf<Raw> for super::Metadata {}
    impl ::lro_server::lro_core::ResponseOf<Raw> for super::Outer {}
    impl ::lro_server::lro_core::MetadataOf<Raw> for super::Outer {}
    impl ::lro_server::lro_core::ResponseOf<Raw> for super::Request {}
    impl ::lro_server::lro_core::MetadataOf<Raw> for super::Request {}
    impl ::lro_server::lro_core::ResponseOf<Raw> for super::Response {}
    impl ::lro_server::lro_core::MetadataOf<Raw> for super::Response {}
    impl ::lro_server::lro_core::ResponseOf<Raw> for super::outer::Middle {}
    impl ::lro_server::lro_core::MetadataOf<Raw> for super::outer::Middle {}
    impl ::lro_server::lro_core::ResponseOf<Raw> for super::outer::Request {}
    impl ::lro_server::lro_core::MetadataOf<Raw> for super::outer::Request {}
    impl ::lro_server::lro_core::ResponseOf<Raw> for super::outer::middle::Response {}
    impl ::lro_server::lro_core::MetadataOf<Raw> for super::outer::middle::Response {}
}
pub mod http_shapes_server {
    use tonic::codegen::*;
    /// Generated trait containing gRPC methods that should be implemented for use with HttpShapesServer.
    #[async_trait]
    pub trait HttpShapes: std::marker::Send + std::marker::Sync + 'static {
        /// Not long-running.
        async fn get_sha256(
            &self,
            request: tonic::Request<super::Request>,
        ) -> std::result::Result<tonic::Response<()>, tonic::Status>;
    }
}
/// The descriptors of this build, imports and options included, as an encoded
/// `google.protobuf.FileDescriptorSet`.
#[allow(dead_code)]
pub const FILE_DESCRIPTOR_SET: &[u8] = ::core::include_bytes!(
    "shapes.v1.descriptor.bin"
);
