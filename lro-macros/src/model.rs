//! First pass: tokens become the impl as it is written. Nothing is judged here.
//!
//! Bodies stay tokens: they are compiled where they are put, and an editor may hand over half a
//! body.

use proc_macro2::{Delimiter, Group, TokenStream, TokenTree};
use quote::{ToTokens, quote};
use syn::{
    Attribute, FnArg, Generics, ImplItem, ItemImpl, Path, Signature, Token, Type, Visibility,
    parse::{Parse, ParseStream, Parser, discouraged::Speculative},
    token,
};

use crate::types;

/// The item under the attribute.
#[derive(Debug)]
pub(crate) enum Item {
    Impl(Box<Impl>),
    Method(Box<Method>),
    Other(TokenStream),
}

/// An impl as written.
#[derive(Debug)]
pub(crate) struct Impl {
    pub(crate) attrs: Vec<Attribute>,
    pub(crate) unsafety: Option<Token![unsafe]>,
    pub(crate) impl_token: Token![impl],
    pub(crate) generics: Generics,
    pub(crate) trait_path: Option<Path>,
    pub(crate) self_ty: Type,
    pub(crate) members: Vec<Member>,
}

#[derive(Debug)]
pub(crate) enum Member {
    /// A method with at least one `#[long_running]`, or with none where it takes an
    /// `OperationContext`, which no other method does.
    Marked(Box<Method>),
    /// Anything else, to be handed back as it is.
    Kept { tokens: TokenStream, boxed: bool },
}

/// A method as written.
#[derive(Debug)]
pub(crate) struct Method {
    /// The `#[long_running]` attributes; none or more than one is a mistake.
    pub(crate) marks: Vec<Attribute>,
    /// All other attributes.
    pub(crate) attrs: Vec<Attribute>,
    pub(crate) vis: Visibility,
    pub(crate) sig: Signature,
    pub(crate) body: TokenTree,
}

impl Method {
    /// Whether `async_trait` has been over it already.
    pub(crate) fn is_boxed(&self) -> bool {
        let mut lifetimes = self.sig.generics.lifetimes();
        self.sig.asyncness.is_none() && lifetimes.any(|it| it.lifetime.ident == "async_trait")
    }

    fn takes_a_context(&self) -> bool {
        self.sig.inputs.iter().any(|input| match input {
            FnArg::Typed(parameter) => types::is_context(&parameter.ty),
            FnArg::Receiver(_) => false,
        })
    }
}

/// Reads the item below the attribute.
///
/// # Errors
///
/// Returns a syntax error of the item's own.
pub(crate) fn read(item: TokenStream) -> syn::Result<Item> {
    if let Ok(method) = syn::parse2::<Method>(item.clone()) {
        return Ok(Item::Method(Box::new(method)));
    }
    if !starts_as_impl(&item) {
        return Ok(Item::Other(item));
    }
    Ok(Item::Impl(Box::new(read_impl(item)?)))
}

fn starts_as_impl(item: &TokenStream) -> bool {
    let mut tokens = item.clone().into_iter();
    let first = tokens.find(|token| match token {
        TokenTree::Punct(hash) => hash.as_char() != '#',
        TokenTree::Group(attribute) => attribute.delimiter() != Delimiter::Bracket,
        TokenTree::Ident(word) => word != "unsafe",
        TokenTree::Literal(_) => true,
    });
    matches!(first, Some(TokenTree::Ident(word)) if word == "impl")
}

// Input:  #[attribute] impl<T> path::Trait for Type<T> where T: Bound { member member }
// Output: Impl { attrs, generics, trait_path, self_ty, members }
fn read_impl(item: TokenStream) -> syn::Result<Impl> {
    let mut head: Vec<TokenTree> = item.into_iter().collect();
    let content = match head.pop() {
        Some(TokenTree::Group(group)) if group.delimiter() == Delimiter::Brace => group,
        other => return Err(syn::Error::new_spanned(other, "expected an impl")),
    };
    let mut empty = Group::new(Delimiter::Brace, TokenStream::new());
    empty.set_span(content.span());
    head.push(empty.into());

    let ItemImpl {
        mut attrs,
        unsafety,
        impl_token,
        generics,
        trait_,
        self_ty,
        ..
    } = syn::parse2(head.into_iter().collect())?;

    let members = |input: ParseStream<'_>| {
        for mut inner in Attribute::parse_inner(input)? {
            inner.style = syn::AttrStyle::Outer;
            attrs.push(inner);
        }
        let mut members = Vec::new();
        while !input.is_empty() {
            members.push(input.parse()?);
        }
        Ok(members)
    };
    let members = members.parse2(content.stream())?;

    Ok(Impl {
        attrs,
        unsafety,
        impl_token,
        generics,
        trait_path: trait_.map(|(path, _for)| path),
        self_ty: *self_ty,
        members,
    })
}

impl Parse for Member {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        let ahead = input.fork();
        if let Ok(method) = ahead.parse::<Method>() {
            input.advance_to(&ahead);
            return Ok(if method.marks.is_empty() && !method.takes_a_context() {
                Self::Kept {
                    boxed: method.is_boxed(),
                    tokens: method.into_token_stream(),
                }
            } else {
                Self::Marked(Box::new(method))
            });
        }
        let item: ImplItem = input.parse()?;
        Ok(Self::Kept {
            tokens: item.into_token_stream(),
            boxed: false,
        })
    }
}

// Input:  #[attribute] #[long_running(..)] pub async fn name(&self, ..) -> Type { body }
// Output: Method { marks, attrs, vis, sig, body }
impl Parse for Method {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        let attrs = input.call(Attribute::parse_outer)?;
        let (marks, attrs) = attrs
            .into_iter()
            .partition(|attr| ends_with(attr.path(), "long_running"));
        let vis = input.parse()?;
        let sig = input.parse()?;
        if !input.peek(token::Brace) {
            return Err(input.error("expected a body"));
        }
        let body = input.parse()?;
        Ok(Self {
            marks,
            attrs,
            vis,
            sig,
            body,
        })
    }
}

impl ToTokens for Method {
    /// The method without its marks.
    fn to_tokens(&self, tokens: &mut TokenStream) {
        let Self {
            attrs,
            vis,
            sig,
            body,
            ..
        } = self;
        tokens.extend(quote! { #(#attrs)* #vis #sig #body });
    }
}

pub(crate) fn ends_with(path: &Path, name: &str) -> bool {
    path.segments.last().is_some_and(|it| it.ident == name)
}
