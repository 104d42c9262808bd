//! The types of metadata and responses, from what `lro_build` generates.

use prost_reflect::{DescriptorPool, ExtensionDescriptor, MessageDescriptor, MethodDescriptor};

use super::schema::SchemaBuilder;

const OPERATION: &str = "google.longrunning.Operation";
const OPERATION_INFO: &str = "google.longrunning.operation_info";
const ANY: &str = "google.protobuf.Any";
const STRUCT: &str = "google.protobuf.Struct";

/// The bytes are no encoded `google.protobuf.FileDescriptorSet`, or one with a file missing.
///
/// ```
/// use lro_core::filter::Schema;
///
/// let error = Schema::builder().file_descriptor_set(b"no descriptor set").unwrap_err();
/// assert!(error.to_string().starts_with("not a whole file descriptor set"));
/// ```
#[derive(Debug, thiserror::Error)]
#[error("not a whole file descriptor set: {0}")]
pub struct InvalidDescriptorSet(prost_reflect::DescriptorError);

impl From<prost_reflect::DescriptorError> for InvalidDescriptorSet {
    fn from(error: prost_reflect::DescriptorError) -> Self {
        Self(error)
    }
}

impl SchemaBuilder {
    /// Adds the metadata and response types of all long-running rpcs of the set, as their
    /// `operation_info` names them, to [`metadata`](Self::metadata) and
    /// [`response`](Self::response). The set is the constant `FILE_DESCRIPTOR_SET` in the code that
    /// `lro_build` generates, or any other that holds all imports.
    ///
    /// Where the type is `google.protobuf.Any`, or the rpc has no `operation_info`, an operation
    /// may carry what it likes: then the messages of the rpc's package and of the files that its
    /// file imports are added, of google's own only `Struct`. A type that the set does not have is
    /// passed over.
    ///
    /// ```
    /// use lro_core::filter::{Filter, Schema};
    /// use lro_core::pb;
    ///
    /// // The proto of google.longrunning itself: there is no long-running rpc in it.
    /// let schema = Schema::builder().file_descriptor_set(pb::FILE_DESCRIPTOR_SET)?.build();
    /// assert!(Filter::parse("metadata.progress > 5", &schema).is_err());
    /// # Ok::<(), lro_core::filter::InvalidDescriptorSet>(())
    /// ```
    ///
    /// # Errors
    ///
    /// When the bytes are no such set, or one of its files is missing.
    pub fn file_descriptor_set(mut self, encoded: &[u8]) -> Result<Self, InvalidDescriptorSet> {
        let pool = DescriptorPool::decode(encoded)?;
        let extension = pool.get_extension_by_name(OPERATION_INFO);
        for service in pool.services() {
            for method in service.methods() {
                if method.output().full_name() != OPERATION {
                    continue;
                }
                let extension = extension.as_ref();
                for message in carried(&method, extension, "metadata_type") {
                    self = self.metadata(message);
                }
                for message in carried(&method, extension, "response_type") {
                    self = self.response(message);
                }
            }
        }
        Ok(self)
    }
}

/// The messages that may be in this place of the rpc's operations.
fn carried(
    method: &MethodDescriptor,
    extension: Option<&ExtensionDescriptor>,
    field: &str,
) -> Vec<MessageDescriptor> {
    let file = method.parent_file();
    let name = type_name(method, extension, field);
    let pool = method.parent_pool();
    match name.as_deref() {
        None | Some(ANY) => {
            let near = |message: &MessageDescriptor| {
                let other = message.parent_file();
                other.package_name() == file.package_name()
                    || file.dependencies().any(|import| import == other)
            };
            let fits = |message: &MessageDescriptor| {
                let name = message.full_name();
                let named = name == STRUCT || !name.starts_with("google.");
                named && !message.is_map_entry() && near(message)
            };
            pool.all_messages().filter(fits).collect()
        }
        // A name without a dot belongs to the package.
        Some(name) => {
            let full_name = match file.package_name() {
                "" => name.to_owned(),
                _ if name.contains('.') => name.to_owned(),
                package => format!("{package}.{name}"),
            };
            pool.get_message_by_name(&full_name).into_iter().collect()
        }
    }
}

fn type_name(
    method: &MethodDescriptor,
    extension: Option<&ExtensionDescriptor>,
    field: &str,
) -> Option<String> {
    let options = method.options();
    let extension = extension.filter(|extension| options.has_extension(extension))?;
    let info = options.get_extension(extension);
    let name = info.as_message()?.get_field_by_name(field)?;
    let name = name.as_str()?;
    (!name.is_empty()).then(|| name.to_owned())
}
