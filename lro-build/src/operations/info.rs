//! The two names of an `operation_info`, from the proto or from the build script.

use prost_reflect::{ExtensionDescriptor, MethodDescriptor};

use super::type_name::{self, full_name, nearest};
use crate::error::Error;
use crate::protos::Protos;

/// The options of the build script that concern rpcs.
#[derive(Clone, Copy)]
pub(crate) struct Given<'a> {
    pub(crate) infos: &'a [OperationInfo],
    /// Rpcs whose `operation_info` is as if it were not there.
    pub(crate) ignored: &'a [String],
}

/// The names of what an rpc's operation carries, as they were written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct OperationInfo {
    /// The full name of the rpc.
    pub(crate) rpc: String,
    pub(crate) response_type: String,
    pub(crate) metadata_type: String,
}

impl OperationInfo {
    /// Reads the option of an rpc.
    pub(super) fn read(method: &MethodDescriptor, extension: &ExtensionDescriptor) -> Option<Self> {
        let options = method.options();
        if !options.has_extension(extension) {
            return None;
        }
        let info = options.get_extension(extension);
        let text = |field| {
            let value = info.as_message()?.get_field_by_name(field)?;
            value.as_str().map(str::to_owned)
        };
        Some(Self {
            rpc: method.full_name().to_owned(),
            response_type: text("response_type").unwrap_or_default(),
            metadata_type: text("metadata_type").unwrap_or_default(),
        })
    }

    /// Whether there are such messages.
    pub(super) fn names_messages(&self, method: &MethodDescriptor) -> bool {
        let file = method.parent_file();
        [&self.response_type, &self.metadata_type]
            .iter()
            .all(|name| type_name::resolve(file.parent_pool(), file.package_name(), name).is_some())
    }

    /// Whether both mean the same messages.
    pub(super) fn agrees_with(&self, other: &Self, method: &MethodDescriptor) -> bool {
        let file = method.parent_file();
        let names = |info: &Self| {
            [&info.response_type, &info.metadata_type]
                .map(|name| full_name(file.package_name(), name))
        };
        names(self) == names(other)
    }
}

/// The build script can only speak about rpcs that there are.
pub(super) fn check_rpcs(protos: &Protos, given: Given<'_>) -> Result<(), Error> {
    let all: Vec<MethodDescriptor> = protos
        .pool
        .services()
        .flat_map(|service| service.methods().collect::<Vec<_>>())
        .collect();
    let infos = given.infos.iter().map(|info| ("operation_info", &info.rpc));
    let ignored = given
        .ignored
        .iter()
        .map(|rpc| ("ignore_operation_info", rpc));
    for (option, rpc) in infos.chain(ignored) {
        if all.iter().all(|method| method.full_name() != rpc) {
            let near = nearest(rpc, all.iter().map(MethodDescriptor::full_name));
            return Err(Error::option(format!(
                "{option}: \"{rpc}\" is not an rpc of these protos{near}; write the full name of \
                 one, such as \"exporter.v1.Exporter.Export\"",
            )));
        }
    }
    Ok(())
}
