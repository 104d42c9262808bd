//! Descriptors: the standard ones, those of files, and those that the server reflects.

mod pool;
mod reflection;

use std::collections::HashSet;
use std::fmt;
use std::sync::Mutex;
use std::sync::PoisonError;

use prost_reflect::{DescriptorPool, MethodDescriptor};

use crate::config::Settings;
use crate::connect::Service;
use crate::exit::Exit;
use crate::failure::Failure;
use reflection::{Reflection, Version};

/// The most files that one server's reflection may bring.
const MAX_FILES: usize = 2_000;

/// The descriptors that are known, which grow by reflection.
pub(crate) struct Types {
    pool: Mutex<DescriptorPool>,
    reflection: Option<Reflection>,
    /// Symbols that the server does not know.
    unknown: Mutex<HashSet<String>>,
}

impl Types {
    /// The standard types and those of the files of the settings.
    ///
    /// # Errors
    ///
    /// When a file cannot be read, or does not fit.
    pub(crate) fn new(settings: &Settings, service: &Service) -> Result<Self, Failure> {
        let mut pool = pool::standard()?;
        for path in settings.list("descriptor_sets") {
            let fault = |error: &dyn fmt::Display| {
                Failure::new(
                    Exit::Fault,
                    format!("cannot use the descriptor set {path}: {error}"),
                )
            };
            let bytes = std::fs::read(path).map_err(|error| fault(&error))?;
            pool::add(&mut pool, &bytes).map_err(|error| {
                fault(&error)
                    .advise("make it with `protoc --include_imports --descriptor_set_out=FILE`")
            })?;
        }
        let words = ["auto", "off", "v1", "v1alpha"];
        let versions: &[Version] = match settings.word("reflection", &words)? {
            "off" => &[],
            "v1" => &[Version::V1],
            "v1alpha" => &[Version::V1Alpha],
            _ => &[Version::V1, Version::V1Alpha],
        };
        let reflection = (!versions.is_empty()).then(|| {
            let limit = settings.duration("rpc_timeout");
            Reflection::new(service.clone(), versions, limit.unwrap_or_default())
        });
        Ok(Self {
            pool: Mutex::new(pool),
            reflection,
            unknown: Mutex::default(),
        })
    }

    /// The pool as it is now.
    pub(crate) fn pool(&self) -> DescriptorPool {
        self.pool
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// Asks the server for the file of a symbol, once.
    pub(crate) async fn load(&self, symbol: &str) -> Result<bool, Failure> {
        let Some(reflection) = &self.reflection else {
            return Ok(false);
        };
        let is_new = {
            let mut unknown = self.unknown.lock().unwrap_or_else(PoisonError::into_inner);
            unknown.insert(symbol.to_owned())
        };
        if !is_new {
            return Ok(false);
        }
        let mut files = reflection.files_of(symbol).await?;
        if files.is_empty() {
            return Ok(false);
        }
        // Their imports, unless the server has sent them along.
        loop {
            let missing = pool::missing(&self.pool(), &files);
            if missing.is_empty() {
                break;
            }
            if files.len() > MAX_FILES {
                return Err(Failure::new(
                    Exit::Unknown,
                    format!("the server reflects more than {MAX_FILES} files for {symbol}"),
                ));
            }
            let mut found = false;
            for name in missing {
                for file in reflection.file(&name).await? {
                    found |= pool::push(&mut files, file);
                }
            }
            if !found {
                // A file imports what the server does not have: the type stays unknown.
                return Ok(false);
            }
        }
        let mut pool = self.pool.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(pool::extend(&mut pool, files))
    }

    /// The services of the server; `None` without reflection.
    pub(crate) async fn services(&self) -> Result<Option<Vec<String>>, Failure> {
        match &self.reflection {
            Some(reflection) => reflection.services().await,
            None => Ok(None),
        }
    }

    /// Which version of reflection the server answered, as far as it was asked.
    pub(crate) fn reflection_version(&self) -> Option<&'static str> {
        self.reflection.as_ref()?.version()
    }

    /// Every method that is known, after the server's services are loaded. The second value says
    /// whether the server has reflection.
    pub(crate) async fn methods(&self) -> Result<(Vec<MethodDescriptor>, bool), Failure> {
        let services = self.services().await?;
        for service in services.iter().flatten() {
            if self.pool().get_service_by_name(service).is_none() {
                self.load(service).await?;
            }
        }
        let pool = self.pool();
        let methods = pool
            .services()
            .flat_map(|service| service.methods().collect::<Vec<_>>());
        Ok((methods.collect(), services.is_some()))
    }
}

impl fmt::Debug for Types {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The Debug of a recursive descriptor does not end.
        f.debug_struct("Types").finish_non_exhaustive()
    }
}

/// The types of an operation's response and metadata, by the option of its method
/// (`google.longrunning.operation_info`).
pub(crate) fn operation_info(method: &MethodDescriptor) -> (String, String) {
    let pool = method.parent_pool();
    let options = method.options();
    let package = method.parent_service().package_name();
    let info = pool
        .get_extension_by_name("google.longrunning.operation_info")
        .filter(|extension| options.has_extension(extension))
        .map(|extension| options.get_extension(&extension).into_owned());
    let info = info.as_ref().and_then(|it| it.as_message());
    let read = |number| {
        let value = info.map(|info| info.get_field_by_number(number));
        let text = value
            .flatten()
            .and_then(|it| it.as_str().map(str::to_owned));
        let text = text.unwrap_or_default();
        // A name without a package is one of the method's own package.
        let is_short = !text.is_empty() && !text.contains('.') && !package.is_empty();
        if is_short {
            format!("{package}.{text}")
        } else {
            text
        }
    };
    (read(1), read(2))
}

/// Whether a method starts an operation.
pub(crate) fn starts_operation(method: &MethodDescriptor) -> bool {
    method.output().full_name() == "google.longrunning.Operation"
        && !method.is_server_streaming()
        && !method.is_client_streaming()
        && method.parent_service().full_name() != "google.longrunning.Operations"
}
