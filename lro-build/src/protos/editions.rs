//! Files with an edition, which neither the compiler nor prost knows.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use prost_types::FileDescriptorProto;
use protox::Error;
use protox::file::{File, FileResolver};

/// Opens files with an edition as empty ones, and remembers them: an import that no generated code
/// needs is no reason to fail.
#[derive(Debug)]
pub(super) struct WithoutEditions<R> {
    pub(super) inner: R,
    pub(super) stubs: Stubs,
}

/// The names of files that were opened as empty ones.
#[derive(Debug, Clone, Default)]
pub(super) struct Stubs(Arc<Mutex<Vec<String>>>);

impl Stubs {
    pub(super) fn names(&self) -> Vec<String> {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }
}

impl<R: FileResolver> FileResolver for WithoutEditions<R> {
    fn resolve_path(&self, path: &Path) -> Option<String> {
        self.inner.resolve_path(path)
    }

    fn open_file(&self, name: &str) -> Result<File, Error> {
        match self.inner.open_file(name) {
            Err(error) if is_edition(&error) => {
                let mut stubs = self.stubs.0.lock().unwrap_or_else(PoisonError::into_inner);
                stubs.push(name.to_owned());
                Ok(File::from_file_descriptor_proto(stub(name)))
            }
            result => result,
        }
    }
}

/// A file of this name without content.
pub(super) fn stub(name: &str) -> FileDescriptorProto {
    FileDescriptorProto {
        name: Some(name.to_owned()),
        syntax: Some("proto3".to_owned()),
        ..Default::default()
    }
}

fn is_edition(error: &Error) -> bool {
    error.is_parse() && error.to_string().ends_with("found 'edition'")
}
