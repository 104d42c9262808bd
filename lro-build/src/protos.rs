//! Compiled protos: descriptors with their options, and where each file came from.

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};

use prost::Message as _;
use prost_reflect::{DescriptorPool, FileDescriptor, MethodDescriptor};
use prost_types::{FileDescriptorSet, SourceCodeInfo};
use protox::Compiler;
use protox::file::{ChainFileResolver, GoogleFileResolver, IncludeFileResolver};

use crate::error::{Error, Place};
use crate::imports::GoogleProtos;
use crate::operations::{self, OperationInfo};

use self::declarations::Declarations;
use self::editions::{Stubs, WithoutEditions};

mod declarations;
mod descriptor_set;
mod editions;

/// The protos of one build and everything they import.
pub(crate) struct Protos {
    /// Keeps the extensions, which is where `operation_info` is.
    pub(crate) pool: DescriptorPool,
    /// For prost-build; has comments, has lost the extensions.
    pub(crate) typed: FileDescriptorSet,
    /// For programs at run time; has the extensions, no comments.
    pub(crate) encoded: Vec<u8>,
    /// For the user to see; the build continues.
    pub(crate) warnings: Vec<String>,
    sources: HashMap<String, Source>,
    /// Files with an edition, which have no content here.
    stubs: Vec<String>,
    /// Where types are that the protos do not import, and that were compiled for that.
    found: HashSet<String>,
    /// Messages whose files were found and do not compile, and what is wrong.
    pub(crate) unusable: HashMap<String, String>,
    is_set: bool,
}

struct Source {
    path: Option<PathBuf>,
    is_import: bool,
}

impl Protos {
    pub(crate) fn compile(
        protos: &[impl AsRef<Path>],
        includes: &[impl AsRef<Path>],
        given: &[OperationInfo],
    ) -> Result<Self, Error> {
        let mut resolver = ChainFileResolver::new();
        // The Rust types are those of prost-types whatever the file says, and a newer
        // descriptor.proto may use syntax that the compiler does not know.
        resolver.add(GoogleFileResolver::new());
        for include in includes {
            resolver.add(IncludeFileResolver::new(include.as_ref().to_owned()));
        }
        resolver.add(GoogleProtos);

        let stubs = Stubs::default();
        let mut compiler = Compiler::with_file_resolver(WithoutEditions {
            inner: resolver,
            stubs: stubs.clone(),
        });
        compiler.include_imports(true);
        for proto in protos {
            let opened = compiler.open_file(proto);
            opened.map_err(|error| match missing(proto.as_ref(), includes) {
                Some(missing) if error.is_file_not_found() => missing,
                _ => Error::proto(error, &stubs.names()),
            })?;
        }
        let stubs = stubs.names();
        let asked = compiler
            .files()
            .find(|file| !file.is_import() && stubs.iter().any(|stub| stub == file.name()));
        if let Some(file) = asked {
            return Err(Error::edition(file.name()));
        }
        let (found, unusable) = open_declarations(&mut compiler, includes, given);

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
            sources: sources.collect(),
            pool: compiler.descriptor_pool(),
            typed,
            encoded,
            warnings: edition_warnings(&stubs),
            stubs,
            found,
            unusable,
            is_set: false,
        })
    }

    /// Takes what protoc or buf has compiled.
    pub(crate) fn decode(set: &[u8]) -> Result<Self, Error> {
        let (set, stubs) = descriptor_set::check(set)?;
        let set = set.as_slice();
        let pool = DescriptorPool::decode(set)
            .map_err(|error| descriptor_set::pool_error(&error, &stubs))?;
        let typed =
            FileDescriptorSet::decode(set).map_err(|error| descriptor_set::decode_error(&error))?;
        // Nothing says which files were asked for, but an import is one that another file names.
        let imports: HashSet<&String> = typed
            .file
            .iter()
            .flat_map(|file| &file.dependency)
            .collect();
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
            warnings: edition_warnings(&stubs),
            stubs,
            found: HashSet::new(),
            unusable: HashMap::new(),
            is_set: true,
        })
    }

    /// The set for programs at run time, with these places of its files.
    pub(crate) fn with_source_info(&self, infos: &HashMap<String, SourceCodeInfo>) -> Vec<u8> {
        let with_infos = descriptor_set::with_source_info(&self.encoded, infos);
        // It was encoded here.
        with_infos.unwrap_or_else(|_| self.encoded.clone())
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

    /// Whether the file has an edition, and so no content here.
    pub(crate) fn is_stub(&self, file_name: &str) -> bool {
        self.stubs.iter().any(|stub| stub == file_name)
    }

    /// Whether no file imports it; it was found because a type of it was needed.
    pub(crate) fn is_found(&self, file_name: &str) -> bool {
        self.found.contains(file_name)
    }

    /// Whether another compiler has compiled the protos.
    pub(crate) fn is_set(&self) -> bool {
        self.is_set
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

/// The error about a proto that is not there, if it is not: the compiler does not say which of its
/// two ways to not find a file it means.
fn missing(proto: &Path, includes: &[impl AsRef<Path>]) -> Option<Error> {
    let is_there = proto.exists()
        || includes
            .iter()
            .any(|include| include.as_ref().join(proto).exists());
    (!is_there).then(|| Error::missing(proto, includes))
}

/// Compiles the files with the types that operations need and nothing imports. Returns their names,
/// and why a type stays unknown whose file does not compile.
fn open_declarations(
    compiler: &mut Compiler,
    includes: &[impl AsRef<Path>],
    given: &[OperationInfo],
) -> (HashSet<String>, HashMap<String, String>) {
    let mut declarations = Declarations::new(includes);
    let mut found = HashSet::new();
    let mut unusable = HashMap::new();
    loop {
        let before = found.len();
        for (message, user) in operations::missing(&compiler.descriptor_pool(), given) {
            let Some(file) = declarations.find(&message, &user) else {
                continue;
            };
            if found.contains(&file) || unusable.contains_key(&message) {
                continue;
            }
            match compiler.open_file(&file) {
                Ok(_) => {
                    found.insert(file);
                }
                Err(error) => {
                    let reason =
                        format!("is declared in {file}, which does not compile: {error:?}");
                    unusable.insert(message, reason);
                }
            }
        }
        if found.len() == before {
            return (found, unusable);
        }
    }
}

fn edition_warnings(stubs: &[String]) -> Vec<String> {
    stubs
        .iter()
        .map(|stub| format!("{stub}: has an edition, so no code is generated for it"))
        .collect()
}

fn line(file: &FileDescriptor, path: &[i32]) -> Option<i32> {
    let info = file.file_descriptor_proto().source_code_info.as_ref()?;
    let location = info
        .location
        .iter()
        .find(|location| location.path.starts_with(path))?;
    location.span.first().map(|line| line + 1)
}
