//! The attribute as a pure function of tokens.

mod declarations;
mod expansion;
mod expansion_of_several;
mod misplaced;
mod mistakes;
mod parents;
mod spans;
mod stubs;

use std::fmt::Write as _;

use expect_test::{Expect, ExpectFile};
use proc_macro2::TokenStream;

/// Checks an expansion without mistakes.
fn check(args: &str, item: &str, expect: &ExpectFile) {
    let (errors, expansion) = crate::pass(tokens(args), tokens(item));
    assert!(errors.is_empty(), "{errors:?}");
    expect.assert_eq(&pretty(expansion));
}

/// Checks the mistakes, each after the tokens that it stands on, and that what is left compiles as
/// Rust.
fn check_mistakes(args: &str, item: &str, expect: &Expect) {
    let (errors, expansion) = crate::pass(tokens(args), tokens(item));
    pretty(expansion);
    let mut printed = String::new();
    for error in errors {
        let place = error.span().source_text();
        let place = place.as_deref().unwrap_or("(the attribute)");
        writeln!(printed, "{place}\n    {error}").unwrap();
    }
    expect.assert_eq(&printed);
}

/// Checks mistakes of one marked method, in a service that is right otherwise.
fn check_method(method: &str, expect: &Expect) {
    check_mistakes("", &service(method), expect);
}

fn service(members: &str) -> String {
    format!("impl pb::exporter_server::Exporter for Exporter {{ {members} }}")
}

fn tokens(text: &str) -> TokenStream {
    text.parse().unwrap()
}

fn pretty(tokens: TokenStream) -> String {
    let text = tokens.to_string();
    let file = syn::parse2(tokens).unwrap_or_else(|error| panic!("{error}: {text}"));
    prettyplease::unparse(&file)
}
