//! The types of a method, from the descriptor sets that the server was given.

use prost_reflect::{DescriptorPool, MethodDescriptor};

const OPERATION_INFO: &str = "google.longrunning.operation_info";

/// The full names of a method's types. Empty ones are not known.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct MethodTypes {
    pub(super) request: String,
    pub(super) response: String,
    pub(super) metadata: String,
}

/// The types of the method at this path, if a pool describes it.
pub(super) fn find(pools: &[DescriptorPool], path: &str) -> Option<MethodTypes> {
    let (service, name) = path.strip_prefix('/')?.split_once('/')?;
    let services = pools
        .iter()
        .filter_map(|pool| pool.get_service_by_name(service));
    let mut methods = services.flat_map(|service| service.methods().collect::<Vec<_>>());
    let method = methods.find(|method| method.name() == name)?;
    let (response, metadata) = operation_info(&method).unwrap_or_default();
    Some(MethodTypes {
        request: method.input().full_name().to_owned(),
        response,
        metadata,
    })
}

fn operation_info(method: &MethodDescriptor) -> Option<(String, String)> {
    let extension = method.parent_pool().get_extension_by_name(OPERATION_INFO)?;
    let options = method.options();
    let info = options.get_extension(&extension);
    let info = info.as_message()?;
    let text = |field: &str| {
        let value = info.get_field_by_name(field);
        let name = value
            .as_deref()
            .and_then(|it| it.as_str())
            .unwrap_or_default();
        full_name(method, name)
    };
    Some((text("response_type"), text("metadata_type")))
}

/// A name without a dot is one of the method's own package.
fn full_name(method: &MethodDescriptor, name: &str) -> String {
    let file = method.parent_file();
    match file.package_name() {
        package if !name.is_empty() && !name.contains('.') && !package.is_empty() => {
            format!("{package}.{name}")
        }
        _ => name.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_types_of_a_method_are_found_by_its_path() {
        let pool = DescriptorPool::decode(exporter::pb::FILE_DESCRIPTOR_SET).unwrap();
        let pools = [DescriptorPool::new(), pool];
        let types = find(&pools, "/exporter.v1.Exporter/Export").unwrap();
        assert_eq!(types.request, "exporter.v1.ExportRequest");
        assert_eq!(types.response, "exporter.v1.ExportResponse");
        assert_eq!(types.metadata, "exporter.v1.ExportMetadata");
        let plain = find(&pools, "/exporter.v1.Exporter/GetTable").unwrap();
        assert_eq!((&*plain.response, &*plain.metadata), ("", ""));
        for path in ["/exporter.v1.Exporter/None", "/none/Export", "Export", ""] {
            assert_eq!(find(&pools, path), None, "{path}");
        }
    }
}
