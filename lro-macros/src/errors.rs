//! Collects all errors of an expansion.

use std::fmt::Display;

use proc_macro2::Span;
use quote::ToTokens;

/// Collects mistakes, so that all are reported at once.
///
/// It panics when it is dropped before [`Errors::take`]: a mistake must not get lost.
#[derive(Debug)]
pub(crate) struct Errors {
    found: Vec<syn::Error>,
    taken: bool,
}

impl Errors {
    pub(crate) fn new() -> Self {
        Self {
            found: Vec::new(),
            taken: false,
        }
    }

    /// Reports a mistake at the tokens that the user must change.
    pub(crate) fn at(&mut self, tokens: impl ToTokens, message: impl Display) {
        self.found.push(syn::Error::new_spanned(tokens, message));
    }

    /// Reports a mistake of the attribute as a whole.
    pub(crate) fn here(&mut self, message: impl Display) {
        self.found.push(syn::Error::new(Span::call_site(), message));
    }

    pub(crate) fn add(&mut self, error: syn::Error) {
        self.found.push(error);
    }

    pub(crate) fn take(mut self) -> Vec<syn::Error> {
        self.taken = true;
        std::mem::take(&mut self.found)
    }
}

impl Drop for Errors {
    fn drop(&mut self) {
        if !self.taken && !std::thread::panicking() {
            panic!("errors were collected and never reported");
        }
    }
}
