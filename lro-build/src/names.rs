//! The Rust names that the macro, tonic and this crate have to agree on.

use heck::{ToSnakeCase, ToUpperCamelCase};

/// The handler's name in the server trait, without the `r#` of a keyword.
pub(crate) fn handler(rpc: &str) -> String {
    rpc.to_snake_case()
}

/// The type that stands for an rpc: the handler's name in upper camel case, so that who knows the
/// one knows the other.
pub(crate) fn marker(rpc: &str) -> String {
    let name = handler(rpc).to_upper_camel_case();
    // The one word in upper camel case that cannot be an identifier, not even a raw one.
    if name == "Self" {
        "Self_".to_owned()
    } else {
        name
    }
}

/// The names that a client has taken for itself: those of its own methods, and of the traits that
/// it implements, whose methods win over an rpc of the same name.
const CLIENT_METHODS: [&str; 12] = [
    "accept_compressed",
    "clone",
    "connect",
    "into",
    "max_decoding_message_size",
    "max_encoding_message_size",
    "new",
    "send_compressed",
    "to_owned",
    "try_into",
    "with_interceptor",
    "with_origin",
];

/// The client's method for an rpc, of which the server trait has this handler: `connect_rpc` for
/// `connect`, which every client has already.
///
/// `is_taken` knows the other handlers. The name depends on the proto alone, not on the options of a
/// build.
pub(crate) fn client_method(handler: &str, is_taken: impl Fn(&str) -> bool) -> String {
    if !CLIENT_METHODS.contains(&handler) {
        return handler.to_owned();
    }
    let mut name = format!("{handler}_rpc");
    while is_taken(&name) {
        name.push('_');
    }
    name
}

/// The module of a service's markers.
pub(crate) fn methods_module(service: &str) -> String {
    service_module(service, "methods")
}

/// A module beside a service, named the way tonic names `.._client` and `.._server`.
pub(crate) fn service_module(service: &str, suffix: &str) -> String {
    let mut name = String::new();
    for (index, letter) in service.chars().enumerate() {
        if index > 0 && letter.is_uppercase() {
            name.push('_');
        }
        name.push(letter.to_ascii_lowercase());
    }
    name + "_" + suffix
}
