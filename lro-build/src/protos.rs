//! Compiled protos: descriptors with their options, and where each file came from.

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};

use prost::Message as _;
use prost_reflect::{DescriptorPool, FileDescriptor, MethodDescriptor};
use prost_types::FileDescriptorSet;
use protox::Compiler;
use protox::file::{ChainFileResolver, GoogleFileResolver, IncludeFileResolver};

use crate::error::{Error, Place};
use crate::imports::GoogleProtos;

mod descriptor_set;

/// The protos of one build and everything they import.
pub(crate) struct Protos {
    /// Keeps the extensions, which is where `operation_info` is.
    pub(crate) pool: DescriptorPool,
    /// For prost-build; has comments, has lost the extensions.
    pub(crate) typed: FileDescriptorSet,
    /// For programs at run time; has the extensions, no comments.
    pub(crate) encoded: Vec<u8>,
    sources: HashMap<String, Source>,
}

struct Source {
    path: Option<PathBuf>,
    is_import: bool,
}

impl Protos {
    pub(crate) fn compile(
        protos: &[impl AsRef<Path>],
        includes: &[impl AsRef<Path>],
    ) -> Result<Self, Error> {
        let mut resolver = ChainFileResolver::new();
        // The Rust types are those of prost-types whatever the file says, and a newer
        // descriptor.proto may use syntax that the compiler does not know.
        resolver.add(GoogleFileResolver::new());
        for include in includes {
            resolver.add(IncludeFileResolver::new(include.as_ref().to_owned()));
        }
        resolver.add(GoogleProtos);

        let mut compiler = Compiler::with_file_resolver(resolver);
        compiler
            .include_imports(true)
            .open_files(protos)
            .map_err(Error::proto)?;

        let encoded = compiler
            .include_source_info(false)
            .encode_file_descriptor_set();
        let typed = compiler.include_source_info(true).file_descriptor_set();
        let sources = compiler.files().map(|file| {
            let path = file.path().map(Path::to_owned);
            (
                file.name().to_owned(),
                Source {
                    path,
                    is_import: file.is_import(),
                },
            )
        });
        Ok(Self {
            pool: compiler.descriptor_pool(),
            typed,
            encoded,
            sources: sources.collect(),
        })
    }

    /// Takes what protoc or buf has compiled.
    pub(crate) fn decode(set: &[u8]) -> Result<Self, Error> {
        descriptor_set::check(set)?;
        let pool =
            DescriptorPool::decode(set).map_err(|error| descriptor_set::pool_error(&error))?;
        let typed =
            FileDescriptorSet::decode(set).map_err(|error| descriptor_set::decode_error(&error))?;
        // Nothing says which files were asked for, but an import is one that another file names.
        let imports: HashSet<&String> = typed.file.iter().flat_map(|it| &it.dependency).collect();
        let sources = typed.file.iter().map(|file| {
            let source = Source {
                path: None,
                is_import: imports.contains(&file.name().to_owned()),
            };
            (file.name().to_owned(), source)
        });
        Ok(Self {
            encoded: descriptor_set::without_source_info(set)
                .map_err(|error| descriptor_set::decode_error(&error))?,
            sources: sources.collect(),
            pool,
            typed,
        })
    }

    /// The files on disk that went in.
    pub(crate) fn paths(&self) -> impl Iterator<Item = &Path> {
        let mut paths: Vec<&Path> = self
            .sources
            .values()
            .filter_map(|source| source.path.as_deref())
            .collect();
        paths.sort_unstable();
        paths.into_iter()
    }

    /// Whether the file was not asked for itself.
    pub(crate) fn is_import(&self, file_name: &str) -> bool {
        self.sources
            .get(file_name)
            .is_some_and(|source| source.is_import)
    }

    /// Where the option with this number stands on the rpc, or else the rpc.
    pub(crate) fn place(&self, method: &MethodDescriptor, option: Option<i32>) -> Place {
        let file = method.parent_file();
        let subject = format!("rpc {}", method.full_name());
        let option = option.map(|number| [method.path(), &[4, number]].concat());
        let mut place = self.place_of(&file, method.path(), subject);
        if let Some(line) = option.and_then(|path| line(&file, &path)) {
            place.line = Some(line);
        }
        place
    }

    /// Where the declaration with this path stands.
    pub(crate) fn place_of(&self, file: &FileDescriptor, path: &[i32], subject: String) -> Place {
        Place {
            file: self.display_name(file),
            line: line(file, path),
            subject,
        }
    }

    fn display_name(&self, file: &FileDescriptor) -> String {
        let source = self.sources.get(file.name());
        match source.and_then(|source| source.path.as_deref()) {
            Some(path) => path.display().to_string(),
            None => file.name().to_owned(),
        }
    }
}

fn line(file: &FileDescriptor, path: &[i32]) -> Option<i32> {
    let info = file.file_descriptor_proto().source_code_info.as_ref()?;
    let location = info
        .location
        .iter()
        .find(|location| location.path.starts_with(path))?;
    location.span.first().map(|line| line + 1)
}
