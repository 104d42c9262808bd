//! `name = value, name(values), name = value`, split before any value is read, so that one bad argument does not
//! hide the next.

use proc_macro2::{Ident, Spacing, TokenStream, TokenTree};
use syn::{
    Token,
    ext::IdentExt,
    parse::{ParseStream, Parser},
    token::Paren,
};

use crate::errors::Errors;

/// One argument. The value is absent when a mistake about it has been reported.
#[derive(Debug)]
pub(super) struct Argument {
    pub(super) name: Ident,
    pub(super) value: Option<TokenStream>,
}

// Input:  response = Wrapper<A, B>, retain = "30d"
// Output: [response: Wrapper<A, B>], [retain: "30d"]
pub(super) fn read(
    args: TokenStream,
    known: &[(&str, &str)],
    errors: &mut Errors,
) -> Vec<Argument> {
    split(args)
        .into_iter()
        .filter_map(|piece| match argument(piece.clone(), known) {
            Ok(argument) => Some(argument),
            Err(Mistake { name, message }) => {
                errors.at(&piece, message);
                let name = name?;
                Some(Argument { name, value: None })
            }
        })
        .collect()
}

/// Splits at commas outside of `<..>`. An empty piece stands for its comma.
fn split(args: TokenStream) -> Vec<TokenStream> {
    let mut pieces = Vec::new();
    let mut piece = TokenStream::new();
    let mut angles = 0_u32;
    let mut arrow = false;
    for token in args {
        let mut arrow_next = false;
        if let TokenTree::Punct(punct) = &token {
            match punct.as_char() {
                ',' if angles == 0 => {
                    if piece.is_empty() {
                        piece.extend([token.clone()]);
                    }
                    pieces.push(std::mem::take(&mut piece));
                    continue;
                }
                '<' => angles += 1,
                '>' if !arrow => angles = angles.saturating_sub(1),
                '-' | '=' => arrow_next = punct.spacing() == Spacing::Joint,
                _ => {}
            }
        }
        arrow = arrow_next;
        piece.extend([token]);
    }
    if !piece.is_empty() {
        pieces.push(piece);
    }
    pieces
}

struct Mistake {
    /// The argument that was meant, as far as that is clear.
    name: Option<Ident>,
    message: String,
}

/// Whether the argument takes a list in parentheses.
fn is_list(example: &str) -> bool {
    example.starts_with('(')
}

fn argument(piece: TokenStream, known: &[(&str, &str)]) -> Result<Argument, Mistake> {
    let parts = |input: ParseStream<'_>| {
        let name = input.call(Ident::parse_any)?;
        let has_value = match known
            .iter()
            .any(|known| name == known.0 && is_list(known.1))
        {
            true => input.peek(Paren),
            false => input.parse::<Option<Token![=]>>()?.is_some(),
        };
        let value: TokenStream = input.parse()?;
        Ok((name, has_value, value))
    };
    let Ok((name, has_value, value)) = parts.parse2(piece) else {
        let (name, example) = known[0];
        return Err(Mistake {
            name: None,
            message: format!("arguments are written `name = value`, as in `{name} = {example}`"),
        });
    };
    let example = known.iter().find(|(known, _)| name == known);
    match example {
        Some((_, example)) if is_list(example) && !has_value => Err(Mistake {
            message: format!("`{name}` takes a list, as in `{name}{example}`"),
            name: Some(name),
        }),
        Some((_, example)) if !has_value || value.is_empty() => Err(Mistake {
            message: format!("`{name}` needs a value, as in `{name} = {example}`"),
            name: Some(name),
        }),
        _ => Ok(Argument {
            name,
            value: Some(value),
        }),
    }
}
