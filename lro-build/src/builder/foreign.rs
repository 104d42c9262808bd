//! Options for protos of others, which their users cannot change.

use super::Builder;
use crate::operations::OperationInfo;

/// Corrections of protos that belong to others.
impl Builder {
    /// Sets the types that the operation of an rpc carries, in place of an `operation_info` that the
    /// proto lacks: for protos of others.
    ///
    /// The names are written as in the option. If the proto has the option, too, both have to say the
    /// same, unless the proto names types that there are not: then this corrects it.
    ///
    /// ```no_run
    /// # fn main() -> Result<(), lro_build::Error> {
    /// lro_build::configure()
    ///     .operation_info("exporter.v1.Exporter.Export", "ExportResponse", "ExportMetadata")
    ///     .compile_protos(&["proto/exporter.proto"], &["proto"])
    /// # }
    /// ```
    pub fn operation_info(
        mut self,
        rpc: impl Into<String>,
        response_type: impl Into<String>,
        metadata_type: impl Into<String>,
    ) -> Self {
        self.operation_infos.push(OperationInfo {
            rpc: rpc.into(),
            response_type: response_type.into(),
            metadata_type: metadata_type.into(),
        });
        self
    }

    /// Reads an rpc as if it had no `operation_info`: for protos of others whose option is wrong.
    ///
    /// An rpc that returns `google.longrunning.Operation` is untyped then, any other one is plain.
    ///
    /// ```no_run
    /// # fn main() -> Result<(), lro_build::Error> {
    /// lro_build::configure()
    ///     .ignore_operation_info("exporter.v1.Exporter.Import")
    ///     .compile_protos(&["proto/exporter.proto"], &["proto"])
    /// # }
    /// ```
    pub fn ignore_operation_info(mut self, rpc: impl Into<String>) -> Self {
        self.ignored_infos.push(rpc.into());
        self
    }

    /// Keeps advice on style to these packages and those below them: your own, of those that are
    /// compiled. An empty list switches it off. By default it is printed for all packages.
    ///
    /// Style is what AIP-133 to 136, 151 and 164 ask of a proto, and what works all the same: a
    /// standard method that responds with something else than its resource, metadata that is
    /// `Empty`, a type whose file is not imported, `Async` in a name. Warnings that concern the generated
    /// code are printed for every package.
    ///
    /// ```no_run
    /// # fn main() -> Result<(), lro_build::Error> {
    /// lro_build::configure()
    ///     .style_warnings_for(["exporter"])
    ///     .compile_protos(&["proto/exporter.proto", "proto/other/v1/other.proto"], &["proto"])
    /// # }
    /// ```
    pub fn style_warnings_for(
        mut self,
        packages: impl IntoIterator<Item = impl Into<String>>,
    ) -> Self {
        self.style_packages
            .get_or_insert_default()
            .extend(packages.into_iter().map(Into::into));
        self
    }
}
