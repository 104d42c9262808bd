//! The promises of a method: `promise("approved" = Approval, "paid" = Payment)`.

use proc_macro2::TokenStream;
use syn::{
    LitStr, Token, Type, parenthesized,
    parse::{Parse, ParseStream, Parser},
    punctuated::Punctuated,
};

/// The longest name, in bytes.
const MAX_LEN: usize = 128;

/// A promise that a method declares.
#[derive(Clone, Debug)]
pub(crate) struct Promise {
    pub(crate) name: LitStr,
    pub(crate) ty: Type,
}

impl Parse for Promise {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        let name = input.parse()?;
        input.parse::<Token![=]>()?;
        let ty = input.parse()?;
        Ok(Self { name, ty })
    }
}

// Input:  ("approved" = Approval, "paid" = Payment)
// Output: [Promise { approved, Approval }, Promise { paid, Payment }]
pub(super) fn list(value: TokenStream) -> Result<Vec<Promise>, String> {
    let list = |input: ParseStream<'_>| {
        let content;
        parenthesized!(content in input);
        Punctuated::<Promise, Token![,]>::parse_terminated(&content)
    };
    let list = list.parse2(value).map_err(|_| {
        "`promise` gives the name and type of each promise, as in `promise(\"approved\" = Approval)`"
    })?;
    let promises: Vec<_> = list.into_iter().collect();
    if promises.is_empty() {
        return Err("`promise` is empty: leave it out".to_owned());
    }
    for (at, promise) in promises.iter().enumerate() {
        let name = promise.name.value();
        let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"._-/".contains(&byte);
        if name.is_empty() || name.len() > MAX_LEN || !name.bytes().all(is_allowed) {
            return Err(format!(
                "the name of a promise has 1 to {MAX_LEN} letters, digits, `.`, `_`, `-` and `/`, unlike {name:?}"
            ));
        }
        if promises[..at].iter().any(|it| it.name.value() == name) {
            return Err(format!("the promise `{name}` is given twice"));
        }
    }
    Ok(promises)
}
