use std::env;
use std::path::{Path, PathBuf};

use prost::Message as _;

use crate::error::Error;
use crate::extern_paths::{ExternPaths, RPC_MESSAGES};
use crate::generator::{Output, generate};
use crate::manifest::Manifest;
use crate::operations::{Given, OperationInfo, Operations};
use crate::options::Attribute;
use crate::protos::Protos;
use crate::{descriptors, options, request_comments, rust_names};

mod foreign;
mod messages;

/// The path of lro-core where no manifest says another.
const CORE_PATH: &str = "::lro_core";
/// The name of the file that includes all others.
const INCLUDE_FILE: &str = "protos.rs";

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
    pub(crate) emit_rerun_if_changed: bool,
    pub(crate) extern_paths: ExternPaths,
    pub(crate) attributes: Vec<Attribute>,
    pub(crate) boxed: Vec<String>,
    pub(crate) btree_map: Vec<String>,
    pub(crate) bytes: Vec<String>,
    pub(crate) disable_comments: Vec<String>,
    pub(crate) skip_debug: Vec<String>,
    pub(crate) generate_default_stubs: bool,
    pub(crate) operation_infos: Vec<OperationInfo>,
    pub(crate) ignored_infos: Vec<String>,
    /// The packages that get style warnings; all, if there is no list.
    pub(crate) style_packages: Option<Vec<String>>,
    pub(crate) build_descriptors: bool,
    pub(crate) file_descriptor_set_path: Option<PathBuf>,
    pub(crate) comments_path: Option<PathBuf>,
    pub(crate) request_comments: bool,
    pub(crate) include_file: Option<PathBuf>,
    pub(crate) core_path: Option<String>,
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
        emit_rerun_if_changed: true,
        extern_paths: ExternPaths::default(),
        attributes: Vec::new(),
        boxed: Vec::new(),
        // Equal messages have to encode to equal bytes: a repeated request is known by them.
        btree_map: vec![".".to_owned()],
        bytes: Vec::new(),
        disable_comments: Vec::new(),
        skip_debug: Vec::new(),
        generate_default_stubs: false,
        operation_infos: Vec::new(),
        ignored_infos: Vec::new(),
        style_packages: None,
        build_descriptors: true,
        file_descriptor_set_path: None,
        comments_path: None,
        request_comments: false,
        include_file: Some(INCLUDE_FILE.into()),
        core_path: None,
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

    /// Whether to tell cargo to run the build script again when a proto changes. On by default;
    /// off, cargo does that when any file of the crate changes.
    pub fn emit_rerun_if_changed(mut self, enable: bool) -> Self {
        self.emit_rerun_if_changed = enable;
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

    /// Whether server traits answer `UNIMPLEMENTED` for the rpcs that an `impl` leaves out. Off by
    /// default, as a forgotten rpc is then a compile error.
    pub fn generate_default_stubs(mut self, enable: bool) -> Self {
        self.generate_default_stubs = enable;
        self
    }

    /// Whether the code of a package with services has the constant `FILE_DESCRIPTOR_SET`. On by
    /// default; it costs nothing in a program that does not use it.
    pub fn build_descriptors(mut self, enable: bool) -> Self {
        self.build_descriptors = enable;
        self
    }

    /// The name of the file that includes all others in modules named after their packages;
    /// `protos.rs` by default.
    ///
    /// A build script that compiles several times writes several such files, and has to name them:
    ///
    /// ```no_run
    /// // build.rs
    /// fn main() -> Result<(), lro_build::Error> {
    ///     lro_build::compile_protos(&["proto/exporter.proto"], &["proto"])?;
    ///     lro_build::configure()
    ///         .build_server(false)
    ///         .include_file("clients.rs")
    ///         .compile_protos(&["proto/importer.proto"], &["proto"])
    /// }
    /// // lib.rs
    /// # const _: &str = stringify! {
    /// lro_server::include_protos!();
    /// lro_server::include_protos!("clients.rs");
    /// # };
    /// ```
    pub fn include_file(mut self, path: impl AsRef<Path>) -> Self {
        self.include_file = Some(path.as_ref().to_owned());
        self
    }

    /// Writes the encoded descriptor set to this file, too.
    ///
    /// The generated code has it anyway, as `FILE_DESCRIPTOR_SET` beside every service.
    pub fn file_descriptor_set_path(mut self, path: impl AsRef<Path>) -> Self {
        self.file_descriptor_set_path = Some(path.as_ref().to_owned());
        self
    }

    /// Writes the descriptor set with the comments of the protos to this file, too: for the OpenAPI document
    /// of `lro-gateway`. The set in the generated code has no comments, because every program would carry
    /// them.
    pub fn comments_path(mut self, path: impl AsRef<Path>) -> Self {
        self.comments_path = Some(path.as_ref().to_owned());
        self
    }

    /// The path by which the generated code reaches lro-core.
    ///
    /// In a build script the default is what `Cargo.toml` says: lro-core by the name that it has
    /// there, or as `lro_core` in lro-server or lro-client. Elsewhere it is `::lro_core`.
    pub fn core_path(mut self, path: impl Into<String>) -> Self {
        self.core_path = Some(path.into());
        self
    }

    /// The path of the codec in clients and servers; lro-core's by default.
    pub fn codec_path(mut self, path: impl Into<String>) -> Self {
        self.codec_path = Some(path.into());
        self
    }

    /// Compiles the protos and writes a file for each package, and `protos.rs`, which includes all
    /// of them:
    ///
    /// ```no_run
    /// # const _: &str = stringify! {
    /// mod pb {
    ///     lro_server::include_protos!(); // or lro_client, or lro_core
    /// }
    /// # };
    /// ```
    ///
    /// Types that an `operation_info` names and no file imports are looked for in the files below
    /// the include paths.
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
        let protos = Protos::compile(protos, includes, &self.operation_infos)?;
        self.generate(protos, out_dir)
    }

    /// As [`compile_protos`](Self::compile_protos), for protos that another compiler has compiled:
    /// `set` is an encoded `google.protobuf.FileDescriptorSet` with all imports.
    ///
    /// ```text
    /// protoc --include_imports --include_source_info --descriptor_set_out=protos.binpb \
    ///     -I proto exporter.proto
    /// buf build -o protos.binpb
    /// ```
    ///
    /// ```no_run
    /// // build.rs
    /// fn main() -> Result<(), Box<dyn std::error::Error>> {
    ///     println!("cargo:rerun-if-changed=protos.binpb");
    ///     lro_build::configure().compile_fds(std::fs::read("protos.binpb")?)?;
    ///     Ok(())
    /// }
    /// ```
    ///
    /// It takes bytes, because a `prost_types::FileDescriptorSet` has lost the extensions, and
    /// with them every `operation_info`. Without `--include_source_info` there are no comments in
    /// the code, and no lines in the errors.
    ///
    /// # Errors
    ///
    /// As [`compile_protos`](Self::compile_protos), and if the bytes are no such set, or a set
    /// without its imports.
    pub fn compile_fds(self, set: impl AsRef<[u8]>) -> Result<(), Error> {
        options::check(&self)?;
        let out_dir = self.find_out_dir()?;
        self.generate(Protos::decode(set.as_ref())?, out_dir)
    }

    fn generate(mut self, mut protos: Protos, out_dir: PathBuf) -> Result<(), Error> {
        let own_paths = self.extern_paths.clone();
        let is_build_script = is_build_script();
        let manifest = is_build_script
            .then(Manifest::of_build_script)
            .flatten()
            .filter(|_| self.core_path.is_none());
        let found = manifest.as_ref().and_then(Manifest::core_path);
        let lacks_core = manifest.is_some() && found.is_none();
        self.core_path = self.core_path.or(found);
        if !self.own_types {
            self.extern_google_types();
        }
        let emit = self.emit_cargo_lines.unwrap_or(is_build_script);
        if emit && self.emit_rerun_if_changed {
            for path in protos.paths() {
                println!("cargo:rerun-if-changed={}", path.display());
            }
        }
        let generated = descriptors::generated(&protos, &self.extern_paths);
        let is_generated = |file: &str| generated.contains(file);
        rust_names::check(&protos, is_generated, &self)?;
        let given = Given {
            infos: &self.operation_infos,
            ignored: &self.ignored_infos,
        };
        let operations = Operations::find(&protos, is_generated, &own_paths, given)?;
        let (files, comments) = descriptors::prepare(&protos, &generated, &operations.methods);
        if self.request_comments {
            protos.encoded = request_comments::keep(&protos, &operations.methods);
        }
        let mut output = Output::new(out_dir);
        let encoded = &protos.encoded;
        generate(
            &self,
            files,
            &comments,
            &operations.methods,
            encoded,
            &mut output,
        )?;
        let mut warnings = protos.warnings.clone();
        warnings.extend(operations.shown(self.style_packages.as_deref()));
        if let Some(manifest) = manifest
            && let Some(warning) = manifest.check(lacks_core, output.code())?
        {
            warnings.push(warning);
            if emit && self.emit_rerun_if_changed {
                // So that the warning disappears once the dependency is there.
                println!("cargo:rerun-if-changed={}", manifest.path().display());
            }
        }
        if emit {
            for warning in warnings {
                println!("cargo:warning={warning}");
            }
        }
        if let Some(path) = self.file_descriptor_set_path {
            output.push(path, protos.encoded);
        }
        if let Some(path) = self.comments_path {
            output.push(path, protos.typed.encode_to_vec());
        }
        output.write()
    }

    pub(crate) fn path_of_core(&self) -> &str {
        self.core_path.as_deref().unwrap_or(CORE_PATH)
    }

    fn find_out_dir(&self) -> Result<PathBuf, Error> {
        match &self.out_dir {
            Some(path) => Ok(path.clone()),
            None => env::var_os("OUT_DIR").map(PathBuf::from).ok_or_else(|| {
                Error::option(
                    "OUT_DIR is not set, which cargo does for build scripts; call this from \
                     `build.rs` beside Cargo.toml, or say where to write with `.out_dir(\"..\")`",
                )
            }),
        }
    }

    fn extern_google_types(&mut self) {
        let pb = format!("{}::pb", self.path_of_core());
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
