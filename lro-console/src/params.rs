//! Parameters of queries and forms, and the queries of links.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};

/// All characters but those that a query may have unencoded.
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'_')
    .remove(b'.')
    .remove(b'~')
    .remove(b'/');

/// The decoded pairs of a query or a form, in their order.
#[derive(Clone, Debug, Default)]
pub(crate) struct Params(Vec<(String, String)>);

impl Params {
    /// Reads `application/x-www-form-urlencoded`. Invalid UTF-8 becomes replacement characters.
    pub(crate) fn parse(text: &str) -> Self {
        let pairs = text.split('&').filter(|pair| !pair.is_empty());
        let pairs = pairs.map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            (decode(name), decode(value))
        });
        Self(pairs.collect())
    }

    /// The first value of this name; empty without one.
    pub(crate) fn get(&self, name: &str) -> &str {
        let found = self.0.iter().find(|(it, _)| it == name);
        found.map_or("", |(_, value)| value)
    }

    /// All values of this name.
    pub(crate) fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        let pairs = self.0.iter().filter(move |(it, _)| it == name);
        pairs.map(|(_, value)| &**value)
    }
}

fn decode(text: &str) -> String {
    let text = text.replace('+', " ");
    percent_decode_str(&text).decode_utf8_lossy().into_owned()
}

/// A relative link: a page of the console and the parameters that are not empty.
pub(crate) fn link(page: &str, params: &[(&str, &str)]) -> String {
    let mut link = format!("./{page}");
    let mut separator = '?';
    for (name, value) in params.iter().filter(|(_, value)| !value.is_empty()) {
        link.push(separator);
        separator = '&';
        link.push_str(name);
        link.push('=');
        link.extend(utf8_percent_encode(value, ENCODED));
    }
    link
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_reads_back() {
        let filter = "labels.team = \"a&b=c+d\" AND name:é";
        let made = link("", &[("filter", filter), ("state", ""), ("page", "x/y")]);
        let query = made.strip_prefix("./?").unwrap();
        let params = Params::parse(query);
        assert_eq!(params.get("filter"), filter);
        assert_eq!(params.get("page"), "x/y");
        assert!(!made.contains("state"));
        let params = Params::parse("name=a+b&name=c%2Fd&&x");
        assert_eq!(params.all("name").collect::<Vec<_>>(), ["a b", "c/d"]);
        assert_eq!(params.get("x"), "");
    }
}
