//! Spans for editors: every token that the user wrote keeps its place.

use proc_macro2::{LineColumn, TokenStream, TokenTree};

use super::{service, tokens};

/// Each token with its place, groups taken apart.
fn places(tokens: TokenStream) -> Vec<(String, LineColumn)> {
    let mut places = Vec::new();
    for token in tokens {
        match token {
            TokenTree::Group(group) => {
                places.push(("{".to_owned(), group.span_open().start()));
                places.extend(self::places(group.stream()));
            }
            other => places.push((other.to_string(), other.span().start())),
        }
    }
    places
}

#[test]
fn a_body_keeps_its_tokens_even_if_it_is_half_written() {
    let item = service(
        "#[long_running(response = ExportResponse)]
        async fn export(
            &self,
            request: ExportRequest,
            operation: OperationContext<ExportMetadata>,
        ) -> Result<ExportResponse, Status> {
            let tables = request.tables.iter().map(|table| table.);
            operation.set_metadata()
        }",
    );
    let written = tokens(&item);
    let (errors, expansion) = crate::pass(TokenStream::new(), written.clone());
    assert!(errors.is_empty(), "{errors:?}");

    let expanded = places(expansion);
    let mut checked = 0;
    for (token, place) in places(written) {
        // The expansion removes the method's own attribute, and the impl has three braces now.
        if place.line >= 3 && token != "}" {
            let found = expanded.iter().any(|it| *it == (token.clone(), place));
            assert!(found, "`{token}` at {place:?} has moved");
            checked += 1;
        }
    }
    assert!(checked > 40, "{checked}");
}

#[test]
fn the_name_of_the_method_leads_to_the_rpc_and_to_its_type() {
    let item = service(
        "#[long_running]
        async fn export(&self, request: Q, operation: OperationContext<M>) -> Result<R, Status> { body }",
    );
    let (errors, expansion) = crate::pass(TokenStream::new(), tokens(&item));
    assert!(errors.is_empty(), "{errors:?}");
    let name = places(tokens(&item))
        .into_iter()
        .find(|(token, _)| token == "export");
    let name = name.expect("it is there");
    let expanded = places(expansion);
    // In the trait's impl, in the written one, in the call, and wherever the rpc's type is named.
    let at_the_name = expanded.iter().filter(|it| **it == name).count();
    let all = expanded.iter().filter(|(token, _)| token == "export");
    assert_eq!(at_the_name, all.count());
    assert!(at_the_name > 3, "{at_the_name}");
}
