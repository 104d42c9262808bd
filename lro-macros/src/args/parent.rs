//! `"projects/*/locations/*"`: which part of the request's `parent` or `name` is the operation's.

use proc_macro2::TokenStream;
use syn::LitStr;

/// Reads a pattern. The empty one has no segments.
pub(super) fn pattern(value: TokenStream) -> Result<LitStr, String> {
    let literal: LitStr = syn::parse2(value).map_err(|_| {
        "`parent` is a pattern in quotes, as in `parent = \"projects/*/locations/*\"`".to_owned()
    })?;
    let text = literal.value();
    if text.is_empty() {
        return Ok(literal);
    }
    if text == "operations" || text.ends_with("/operations") {
        return Err("`parent`: leave `operations` out, it is added to every name".to_owned());
    }
    match text.split('/').find(|segment| !is_segment(segment)) {
        None => Ok(literal),
        Some(wrong) => Err(format!(
            "`parent`: `{wrong}` is no segment of a pattern; write names and `*` with `/` between \
             them, as in \"projects/*/locations/*\""
        )),
    }
}

fn is_segment(segment: &str) -> bool {
    let foreign = |c: char| c.is_control() || c.is_whitespace() || "*{}".contains(c);
    segment == "*" || !(matches!(segment, "" | "." | ".." | "-") || segment.contains(foreign))
}

#[cfg(test)]
mod tests {
    use quote::quote;

    use super::*;

    #[test]
    fn patterns() {
        for text in ["", "projects/*", "*", "projects/*/locations/eu-1"] {
            assert_eq!(pattern(quote!(#text)).unwrap().value(), text);
        }
    }

    #[test]
    fn not_patterns() {
        for (text, says) in [
            ("projects/*/operations", "leave `operations` out"),
            ("operations", "leave `operations` out"),
            ("/projects/*", "`` is no segment"),
            ("projects/", "`` is no segment"),
            ("projects/**", "`**` is no segment"),
            ("projects/{project}", "`{project}` is no segment"),
            ("projects/-", "`-` is no segment"),
            ("a b", "`a b` is no segment"),
        ] {
            let message = pattern(quote!(#text)).unwrap_err();
            assert!(message.contains(says), "{text}: {message}");
        }
        assert!(pattern(quote!(5)).unwrap_err().contains("in quotes"));
    }
}
