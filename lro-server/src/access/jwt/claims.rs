use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;
use serde::de::IgnoredAny;

/// The claims of a token.
#[derive(Deserialize)]
#[serde(transparent)]
pub(super) struct Claims(BTreeMap<String, Claim>);

#[derive(Deserialize)]
#[serde(untagged)]
enum Claim {
    Text(String),
    Number(f64),
    Texts(Vec<String>),
    Other(IgnoredAny),
}

impl Claims {
    /// A claim that is one text, and not empty.
    pub(super) fn text(&self, claim: &str) -> Option<&str> {
        match self.0.get(claim) {
            Some(Claim::Text(text)) if !text.is_empty() => Some(text),
            _ => None,
        }
    }

    /// A claim that is one text or several.
    pub(super) fn texts(&self, claim: &str) -> &[String] {
        match self.0.get(claim) {
            Some(Claim::Text(text)) => std::slice::from_ref(text),
            Some(Claim::Texts(texts)) => texts,
            _ => &[],
        }
    }

    /// A claim that is a time, in seconds. `Err` when there is one that is none.
    pub(super) fn time(&self, claim: &str) -> Result<Option<f64>, ()> {
        match self.0.get(claim) {
            None => Ok(None),
            Some(Claim::Number(seconds)) if seconds.is_finite() => Ok(Some(*seconds)),
            Some(
                Claim::Number(_) | Claim::Text(_) | Claim::Texts(_) | Claim::Other(IgnoredAny),
            ) => Err(()),
        }
    }

    /// Words of a claim that is one text with spaces in it, or several texts.
    pub(super) fn words(&self, claim: &str) -> impl Iterator<Item = &str> {
        let texts = self.texts(claim).iter();
        texts
            .flat_map(|text| text.split(' '))
            .filter(|it| !it.is_empty())
    }

    /// The scopes: `scope` (RFC 8693), or `scp`, as other issuers call it.
    pub(super) fn scopes(&self) -> BTreeSet<String> {
        let scopes = self.words("scope").chain(self.words("scp"));
        scopes.map(str::to_owned).collect()
    }
}
