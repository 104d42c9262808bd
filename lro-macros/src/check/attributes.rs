//! The user's other attributes, and where they go.

use proc_macro2::Ident;
use syn::{Attribute, Meta, spanned::Spanned as _};

use crate::{errors::Errors, model};

/// The attributes of the impl, by the part of the expansion they go to.
#[derive(Debug)]
pub(crate) struct ImplAttrs {
    /// As written, for the trait's impl.
    pub(crate) all: Vec<Attribute>,
    /// For what is written next to it.
    pub(crate) beside: Vec<Attribute>,
}

impl ImplAttrs {
    pub(super) fn read(attrs: Vec<Attribute>, errors: &mut Errors) -> Self {
        let mut all = Vec::new();
        for attr in attrs {
            if !model::ends_with(attr.path(), "async_trait") {
                all.push(attr);
            } else if !matches!(attr.meta, Meta::Path(_)) {
                errors.at(
                &attr,
                "`#[async_trait]` is not needed here, and takes no arguments: rpc handlers are `Send`",
            );
            }
        }
        Self {
            beside: beside(&all),
            all: all.into_iter().map(soften).collect(),
        }
    }
}

/// The attributes that must be repeated on what is generated beside an item: conditions, and lint
/// levels.
pub(super) fn beside(attrs: &[Attribute]) -> Vec<Attribute> {
    let repeated = ["cfg", "allow", "expect", "warn", "deny", "forbid"];
    attrs
        .iter()
        .filter(|attr| repeated.iter().any(|name| attr.path().is_ident(name)))
        .cloned()
        .map(soften)
        .collect()
}

// Input:  #[expect(deprecated)]
// Output: #[allow(deprecated)], as the part that it expects may be in another item now
fn soften(mut attr: Attribute) -> Attribute {
    if attr.path().is_ident("expect")
        && let Meta::List(list) = &mut attr.meta
    {
        list.path = Ident::new("allow", list.path.span()).into();
    }
    attr
}
