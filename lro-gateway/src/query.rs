//! Query strings.

use percent_encoding::percent_decode_str;

use crate::capture::check_escapes;

/// The most parameters of a query.
const MAX_PARAMETERS: usize = 1_000;

/// A query that cannot be split or decoded: the reason.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum BadQuery {
    Escape,
    Text,
    TooMany,
}

impl BadQuery {
    pub(crate) fn reason(self) -> &'static str {
        match self {
            Self::Escape => {
                "the query has a `%` without two hexadecimal digits; write `%25` for a percent sign"
            }
            Self::Text => "the query is not UTF-8 when decoded",
            Self::TooMany => "the query has more than 1,000 parameters",
        }
    }
}

/// The names and values of a query, form-decoded, in their order.
pub(crate) fn parse(query: &str) -> Result<Vec<(String, String)>, BadQuery> {
    let pairs = query.split('&').filter(|pair| !pair.is_empty());
    let mut parsed = Vec::new();
    for pair in pairs {
        if parsed.len() == MAX_PARAMETERS {
            return Err(BadQuery::TooMany);
        }
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        parsed.push((decode(name)?, decode(value)?));
    }
    Ok(parsed)
}

fn decode(text: &str) -> Result<String, BadQuery> {
    check_escapes(text).map_err(|_| BadQuery::Escape)?;
    let text = text.replace('+', " ");
    match percent_decode_str(&text).decode_utf8() {
        Ok(decoded) => Ok(decoded.into_owned()),
        Err(_) => Err(BadQuery::Text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pairs(query: &str) -> Vec<(String, String)> {
        parse(query).unwrap()
    }

    fn pair(name: &str, value: &str) -> (String, String) {
        (name.to_owned(), value.to_owned())
    }

    /// gateway:60 gateway:61 gateway:65
    #[test]
    fn a_query_is_form_decoded() {
        assert_eq!(
            pairs("a=b+c%2B%20d&%61=1"),
            [pair("a", "b c+ d"), pair("a", "1")]
        );
        assert_eq!(pairs("a&&b=&"), [pair("a", ""), pair("b", "")]);
        assert_eq!(
            pairs("$alt=json;enum-encoding=int"),
            [pair("$alt", "json;enum-encoding=int")]
        );
        assert_eq!(pairs("a=b=c"), [pair("a", "b=c")]);
        assert_eq!(parse("a=%4"), Err(BadQuery::Escape));
        assert_eq!(parse("%ff=1"), Err(BadQuery::Text));
        assert_eq!(parse(&"a&".repeat(1_001)), Err(BadQuery::TooMany));
    }
}
