//! Content types of requests, and the quality of those that a client accepts.

use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderValue};

use crate::fault::Fault;

/// Whether the body is a form.
pub(crate) fn is_form(content_type: Option<&str>) -> bool {
    let media_type = content_type.and_then(|value| value.split(';').next());
    media_type.is_some_and(|value| {
        value
            .trim()
            .eq_ignore_ascii_case("application/x-www-form-urlencoded")
    })
}

/// Refuses a body that is not JSON in UTF-8 by its content type.
pub(crate) fn check(request: &HeaderMap) -> Result<(), Fault> {
    let mut values = request.get_all(CONTENT_TYPE).iter();
    let Some(value) = values.next() else {
        return Ok(());
    };
    if values.next().is_some() {
        return Err(Fault::unsupported("content-type", "given twice"));
    }
    let refused = || Fault::unsupported("content-type", "expected application/json, in UTF-8");
    let value = value.to_str().map_err(|_| refused())?.to_ascii_lowercase();
    let mut parts = value.split(';').map(str::trim);
    let media_type = parts.next().unwrap_or_default();
    let subtype = media_type.strip_prefix("application/");
    let is_json = subtype.is_some_and(|subtype| {
        subtype == "json" || (subtype.len() > 5 && subtype.ends_with("+json"))
    });
    let charsets = parts.filter_map(|parameter| parameter.strip_prefix("charset="));
    let mut charsets = charsets.map(|charset| charset.trim_matches('"'));
    let is_utf8 = charsets.all(|charset| matches!(charset, "utf-8" | "utf8"));
    if is_json && is_utf8 {
        Ok(())
    } else {
        Err(refused())
    }
}

/// Whether a value is `type/subtype`, with or without parameters.
pub(crate) fn is_well_formed(value: &HeaderValue) -> bool {
    let is_token = |text: &str| {
        let is_part = |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(c);
        !text.is_empty() && text.chars().all(is_part)
    };
    let media_type = value
        .to_str()
        .ok()
        .and_then(|value| value.split(';').next());
    let parts = media_type.and_then(|media_type| media_type.trim().split_once('/'));
    parts.is_some_and(|(kind, subtype)| is_token(kind) && is_token(subtype))
}

/// The quality that a client gives one of the values that it accepts: 1 unless a parameter `q` says less.
pub(crate) fn quality(range: &str) -> f32 {
    let mut parameters = range.split(';').skip(1).map(str::trim);
    let quality = parameters.find_map(|parameter| {
        let (name, value) = parameter.split_once('=')?;
        name.eq_ignore_ascii_case("q").then_some(value)
    });
    quality.map_or(1.0, |quality| quality.parse().unwrap_or(0.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_without_a_quality_is_wanted_most() {
        for (range, expected) in [
            ("gzip", 1.0),
            ("gzip;q=0.5", 0.5),
            ("gzip ; Q=0", 0.0),
            ("text/plain;charset=utf-8; q=0.25", 0.25),
            ("gzip;q=much", 0.0),
        ] {
            assert_eq!(quality(range), expected, "{range}");
        }
    }
}
