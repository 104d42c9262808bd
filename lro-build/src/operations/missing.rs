//! Types that operations need and that no compiled file has.

use prost_reflect::DescriptorPool;

use super::{OPERATION_INFO, OperationInfo, returns_operation, type_name};

/// The messages that operations carry by the options of their rpcs and that are not there, each with
/// the file that needs it.
pub(crate) fn missing(pool: &DescriptorPool, given: &[OperationInfo]) -> Vec<(String, String)> {
    let extension = pool.get_extension_by_name(OPERATION_INFO);
    let mut missing = vec![];
    for method in pool
        .services()
        .flat_map(|service| service.methods().collect::<Vec<_>>())
    {
        if !returns_operation(&method) {
            continue;
        }
        let declared = extension
            .as_ref()
            .and_then(|extension| OperationInfo::read(&method, extension));
        let given = given.iter().find(|info| info.rpc == method.full_name());
        let file = method.parent_file();
        for info in declared.iter().chain(given) {
            for name in [&info.response_type, &info.metadata_type] {
                let is_name = !name.is_empty() && !name.starts_with('.');
                let full = type_name::full_name(file.package_name(), name);
                if is_name && pool.get_message_by_name(&full).is_none() {
                    missing.push((full, file.name().to_owned()));
                }
            }
        }
    }
    missing
}
