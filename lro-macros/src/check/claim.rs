//! The user's statement about the messages of an rpc.

use syn::Type;

/// A message type that the user wrote, to be proven equal to the rpc's.
#[derive(Debug)]
pub(crate) struct Claim {
    /// The type that the method is registered with.
    pub(crate) ty: Type,
    /// The type in the attribute, when the signature says something else, or the same in other
    /// words.
    pub(crate) also: Option<Type>,
}

impl Claim {
    /// Of the type in the attribute and the type in the signature; `None` when neither is written.
    pub(super) fn new(in_attribute: Option<Type>, in_signature: Option<&Type>) -> Option<Self> {
        match (in_attribute, in_signature) {
            // One claim, so that a wrong type is reported once, and in the attribute.
            (Some(attribute), Some(signature)) if attribute == *signature => Some(Self {
                ty: attribute,
                also: None,
            }),
            // The method is registered with its own types: a wrong attribute is then the only
            // mistake.
            (attribute, Some(signature)) => Some(Self {
                ty: signature.clone(),
                also: attribute,
            }),
            (Some(attribute), None) => Some(Self {
                ty: attribute,
                also: None,
            }),
            (None, None) => None,
        }
    }
}
