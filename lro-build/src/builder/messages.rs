//! Options about the shape of the generated types.

use super::Builder;
use crate::options::{Attribute, Place};

/// How messages, enums, clients and servers look in Rust.
///
/// A path without a leading dot matches at any depth, as in prost-build and tonic-build; `.` is
/// everything.
impl Builder {
    /// Puts an attribute on the matching messages, enums and oneofs.
    pub fn type_attribute(self, path: impl Into<String>, attribute: impl Into<String>) -> Self {
        self.attribute(Place::Type, path, attribute)
    }

    /// Puts an attribute on the matching messages.
    pub fn message_attribute(self, path: impl Into<String>, attribute: impl Into<String>) -> Self {
        self.attribute(Place::Message, path, attribute)
    }

    /// Puts an attribute on the matching enums and oneofs.
    pub fn enum_attribute(self, path: impl Into<String>, attribute: impl Into<String>) -> Self {
        self.attribute(Place::Enum, path, attribute)
    }

    /// Puts an attribute on the matching fields.
    pub fn field_attribute(self, path: impl Into<String>, attribute: impl Into<String>) -> Self {
        self.attribute(Place::Field, path, attribute)
    }

    /// Puts an attribute on the client modules of the matching packages.
    pub fn client_mod_attribute(
        self,
        package: impl Into<String>,
        attribute: impl Into<String>,
    ) -> Self {
        self.attribute(Place::ClientMod, package, attribute)
    }

    /// Puts an attribute on the client types of the matching services.
    pub fn client_attribute(
        self,
        service: impl Into<String>,
        attribute: impl Into<String>,
    ) -> Self {
        self.attribute(Place::Client, service, attribute)
    }

    /// Puts an attribute on the server modules of the matching packages.
    pub fn server_mod_attribute(
        self,
        package: impl Into<String>,
        attribute: impl Into<String>,
    ) -> Self {
        self.attribute(Place::ServerMod, package, attribute)
    }

    /// Puts an attribute on the server types of the matching services.
    pub fn server_attribute(
        self,
        service: impl Into<String>,
        attribute: impl Into<String>,
    ) -> Self {
        self.attribute(Place::Server, service, attribute)
    }

    /// Puts an attribute on the server traits with this name.
    pub fn trait_attribute(self, name: impl Into<String>, attribute: impl Into<String>) -> Self {
        self.attribute(Place::Trait, name, attribute)
    }

    /// Puts the matching fields into a `Box`, which prost-build does by itself where a type
    /// contains itself.
    pub fn boxed(mut self, path: impl Into<String>) -> Self {
        self.boxed.push(path.into());
        self
    }

    /// Makes the matching map fields a `BTreeMap`, as all of them are already: a request that is
    /// repeated with the same `request_id` is known by its bytes, which a `HashMap` would shuffle.
    pub fn btree_map(mut self, path: impl Into<String>) -> Self {
        self.btree_map.push(path.into());
        self
    }

    /// Makes the matching `bytes` fields a `prost::bytes::Bytes`.
    pub fn bytes(mut self, path: impl Into<String>) -> Self {
        self.bytes.push(path.into());
        self
    }

    /// Leaves out the comments of what matches.
    pub fn disable_comments(mut self, paths: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.disable_comments
            .extend(paths.into_iter().map(Into::into));
        self
    }

    /// Keeps the comments of requests in the descriptor set of the generated code: those of rpcs that
    /// start operations, and of all messages and enums that their requests hold. Off by default.
    ///
    /// Server reflection then explains each field, as in `lro start METHOD --edit`. Every program
    /// that serves the rpcs carries these comments, and every caller may read them.
    ///
    /// ```no_run
    /// # fn main() -> Result<(), lro_build::Error> {
    /// lro_build::configure()
    ///     .request_comments(true)
    ///     .compile_protos(&["proto/exporter.proto"], &["proto"])
    /// # }
    /// ```
    pub fn request_comments(mut self, enable: bool) -> Self {
        self.request_comments = enable;
        self
    }

    /// Leaves out `Debug` for the matching messages.
    pub fn skip_debug(mut self, paths: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.skip_debug.extend(paths.into_iter().map(Into::into));
        self
    }

    fn attribute(mut self, place: Place, path: impl Into<String>, text: impl Into<String>) -> Self {
        self.attributes.push(Attribute {
            place,
            path: path.into(),
            text: text.into(),
        });
        self
    }
}
