use std::env;
use std::path::{Path, PathBuf};

use crate::error::Error;
use crate::extern_paths::{ExternPaths, RPC_MESSAGES};
use crate::generator::{Output, generate};
use crate::operations::Operations;
use crate::protos::Protos;
use crate::{descriptors, options};

/// Options for the generated code, from [`configure`].
///
/// ```no_run
/// fn main() -> Result<(), lro_build::Error> {
///     lro_build::configure()
///         .build_client(false)
///         .type_attribute("exporter.v1.Table", "#[derive(PartialOrd)]")
///         .compile_protos(&["proto/exporter.proto"], &["proto"])
/// }
/// ```
#[derive(Debug, Clone)]
pub struct Builder {
    pub(crate) out_dir: Option<PathBuf>,
    pub(crate) build_client: bool,
    pub(crate) build_server: bool,
    pub(crate) build_transport: bool,
    pub(crate) emit_cargo_lines: Option<bool>,
    pub(crate) extern_paths: ExternPaths,
    pub(crate) type_attributes: Vec<(String, String)>,
    pub(crate) field_attributes: Vec<(String, String)>,
    pub(crate) file_descriptor_set_path: Option<PathBuf>,
    pub(crate) core_path: String,
    pub(crate) codec_path: Option<String>,
    pub(crate) own_types: bool,
}

/// Starts from the defaults: client and server, with tonic's transport, into `OUT_DIR`.
///
/// ```no_run
/// # fn main() -> Result<(), lro_build::Error> {
/// lro_build::configure()
///     .build_server(false)
///     .compile_protos(&["proto/exporter.proto"], &["proto"])
/// # }
/// ```
pub fn configure() -> Builder {
    Builder {
        out_dir: None,
        build_client: true,
        build_server: true,
        build_transport: true,
        emit_cargo_lines: None,
        extern_paths: ExternPaths::default(),
        type_attributes: Vec::new(),
        field_attributes: Vec::new(),
        file_descriptor_set_path: None,
        core_path: "::lro_core".to_owned(),
        codec_path: None,
        own_types: false,
    }
}

impl Builder {
    /// Writes the files into this folder instead of `OUT_DIR`.
    pub fn out_dir(mut self, path: impl AsRef<Path>) -> Self {
        self.out_dir = Some(path.as_ref().to_owned());
        self
    }

    /// Whether to generate `.._client` modules. On by default.
    pub fn build_client(mut self, enable: bool) -> Self {
        self.build_client = enable;
        self
    }

    /// Whether to generate `.._server` modules. On by default.
    pub fn build_server(mut self, enable: bool) -> Self {
        self.build_server = enable;
        self
    }

    /// Whether clients get a `connect` method, which needs tonic's `channel` feature. On by
    /// default.
    pub fn build_transport(mut self, enable: bool) -> Self {
        self.build_transport = enable;
        self
    }

    /// Whether to print `cargo:` lines: which files to watch, and warnings. By default they are
    /// printed in a build script and nowhere else.
    pub fn emit_cargo_lines(mut self, enable: bool) -> Self {
        self.emit_cargo_lines = Some(enable);
        self
    }

    /// Uses Rust types from elsewhere for a proto package or type, written with a leading dot.
    ///
    /// The types have to implement `prost::Name` where they are an operation's request, response
    /// or metadata. Services of such a package are not generated either.
    ///
    /// ```no_run
    /// # fn main() -> Result<(), lro_build::Error> {
    /// lro_build::configure()
    ///     .extern_path(".common.v1", "::common::pb")
    ///     .compile_protos(&["proto/exporter.proto"], &["proto"])
    /// # }
    /// ```
    pub fn extern_path(mut self, proto: impl Into<String>, rust: impl Into<String>) -> Self {
        self.extern_paths.push(proto, rust);
        self
    }

    /// Puts an attribute on the matching messages, enums and oneofs.
    ///
    /// A path without a leading dot matches at any depth, as in prost-build.
    pub fn type_attribute(mut self, path: impl Into<String>, attribute: impl Into<String>) -> Self {
        self.type_attributes.push((path.into(), attribute.into()));
        self
    }

    /// Puts an attribute on the matching fields.
    pub fn field_attribute(
        mut self,
        path: impl Into<String>,
        attribute: impl Into<String>,
    ) -> Self {
        self.field_attributes.push((path.into(), attribute.into()));
        self
    }

    /// Writes the encoded descriptor set to this file, too.
    ///
    /// The generated code has it anyway, as `FILE_DESCRIPTOR_SET` beside every service.
    pub fn file_descriptor_set_path(mut self, path: impl AsRef<Path>) -> Self {
        self.file_descriptor_set_path = Some(path.as_ref().to_owned());
        self
    }

    /// The path by which the generated code reaches lro-core; `::lro_core` by default.
    ///
    /// A crate that depends on lro-server only writes `::lro_server::lro_core`.
    pub fn core_path(mut self, path: impl Into<String>) -> Self {
        self.core_path = path.into();
        self
    }

    /// The path of the codec in clients and servers; lro-core's by default.
    pub fn codec_path(mut self, path: impl Into<String>) -> Self {
        self.codec_path = Some(path.into());
        self
    }

    /// Compiles the protos and writes a file for each package, to be included with
    /// `tonic::include_proto!`.
    ///
    /// # Errors
    ///
    /// If a proto does not compile, if an rpc and its `operation_info` do not go together, if an
    /// option of the builder is not Rust code, or if a file cannot be written.
    pub fn compile_protos(
        self,
        protos: &[impl AsRef<Path>],
        includes: &[impl AsRef<Path>],
    ) -> Result<(), Error> {
        options::check(&self)?;
        let out_dir = self.find_out_dir()?;
        self.generate(Protos::compile(protos, includes)?, out_dir)
    }

    fn generate(mut self, protos: Protos, out_dir: PathBuf) -> Result<(), Error> {
        let own_paths = self.extern_paths.clone();
        if !self.own_types {
            self.extern_google_types();
        }
        let emit = self.emit_cargo_lines.unwrap_or_else(is_build_script);
        if emit {
            for path in protos.paths() {
                println!("cargo:rerun-if-changed={}", path.display());
            }
        }
        let generated = descriptors::generated(&protos, &self.extern_paths);
        let operations = Operations::find(&protos, |file| generated.contains(file), &own_paths)?;
        if emit {
            for warning in &operations.warnings {
                println!("cargo:warning={warning}");
            }
        }
        let files = descriptors::prepare(&protos, &generated, &operations.methods);
        let mut output = Output::new(out_dir);
        generate(&self, files, &protos.encoded, &mut output)?;
        if let Some(path) = self.file_descriptor_set_path {
            output.push(path, protos.encoded);
        }
        output.write()
    }

    fn find_out_dir(&self) -> Result<PathBuf, Error> {
        match &self.out_dir {
            Some(path) => Ok(path.clone()),
            None => env::var_os("OUT_DIR").map(PathBuf::from).ok_or_else(|| {
                Error::option(
                    "OUT_DIR is not set; call this from a build script, or say where to write \
                     with `out_dir`",
                )
            }),
        }
    }

    fn extern_google_types(&mut self) {
        let pb = format!("{}::pb", self.core_path);
        self.extern_paths.push_default(".google.longrunning", &pb);
        for name in RPC_MESSAGES.iter().chain(&["Code"]) {
            let rust = format!("{pb}::rpc::{name}");
            self.extern_paths
                .push_default(&format!(".google.rpc.{name}"), &rust);
        }
    }
}

/// Cargo tells a build script, and nothing else it runs, both of these.
fn is_build_script() -> bool {
    env::var_os("OUT_DIR").is_some() && env::var_os("HOST").is_some()
}
