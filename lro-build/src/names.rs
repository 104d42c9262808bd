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

/// The module of a service's markers, named the way tonic names `.._client` and `.._server`.
pub(crate) fn methods_module(service: &str) -> String {
    let mut name = String::new();
    for (index, letter) in service.chars().enumerate() {
        if index > 0 && letter.is_uppercase() {
            name.push('_');
        }
        name.push(letter.to_ascii_lowercase());
    }
    name + "_methods"
}
