//! The two names of an `operation_info`, from the proto or from the build script.

use prost_reflect::{ExtensionDescriptor, MethodDescriptor};

use super::type_name::{full_name, nearest};
use crate::error::Error;
use crate::protos::Protos;

/// What an rpc's operation carries, as it was written.
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
pub(super) fn check_rpcs(protos: &Protos, given: &[OperationInfo]) -> Result<(), Error> {
    let all: Vec<MethodDescriptor> = protos
        .pool
        .services()
        .flat_map(|service| service.methods().collect::<Vec<_>>())
        .collect();
    for info in given {
        if all.iter().all(|method| method.full_name() != info.rpc) {
            let near = nearest(&info.rpc, all.iter().map(MethodDescriptor::full_name));
            return Err(Error::option(format!(
                "operation_info: \"{}\" is not an rpc of these protos{near}; write the full name of \
                 one, such as \"exporter.v1.Exporter.Export\"",
                info.rpc,
            )));
        }
    }
    Ok(())
}
