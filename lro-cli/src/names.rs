//! The operations that arguments stand for: names, suffixes, `@latest`, tokens, and stdin.

use std::collections::HashSet;
use std::io::{BufRead as _, BufReader};
use std::sync::PoisonError;

use lro_core::pb;

use crate::context::Context;
use crate::exit::Exit;
use crate::failure::Failure;

/// How many of the newest operations are looked through for a suffix.
const NEWEST: usize = 1_000;
/// The most names that are read from stdin.
const MAX_NAMES: usize = 1_000_000;

impl Context {
    /// The operations that arguments stand for, each once, in their order.
    pub(crate) async fn names(&self, arguments: &[String]) -> Result<Vec<String>, Failure> {
        let mut wanted = Vec::new();
        for argument in arguments {
            if argument == "-" {
                wanted.extend(self.names_from_stdin()?);
            } else {
                wanted.push(argument.clone());
            }
        }
        let mut newest: Option<Vec<pb::Operation>> = None;
        let mut names = Vec::with_capacity(wanted.len());
        let mut seen = HashSet::new();
        for argument in wanted {
            let name = match NameArgument::of(&argument)? {
                NameArgument::Name(name) => name,
                NameArgument::Suffix(suffix) => {
                    let newest = self.newest(&mut newest).await?;
                    by_suffix(&suffix, newest).map_err(|it| it.server(&self.server()))?
                }
                NameArgument::Latest => {
                    let newest = self.newest(&mut newest).await?;
                    let latest = newest.first().map(|operation| operation.name.clone());
                    latest.ok_or_else(|| {
                        Failure::new(Exit::NotFound, "there is no operation yet")
                            .server(&self.server())
                    })?
                }
            };
            if seen.insert(name.clone()) {
                names.push(name);
            } else {
                self.terminal
                    .note(&format!("note: {name} is given twice and taken once"));
            }
        }
        Ok(names)
    }

    async fn newest<'a>(
        &self,
        kept: &'a mut Option<Vec<pb::Operation>>,
    ) -> Result<&'a [pb::Operation], Failure> {
        if kept.is_none() {
            let (newest, _) = self.first("", NEWEST).await?;
            *kept = Some(newest);
        }
        Ok(kept.as_deref().unwrap_or_default())
    }

    fn names_from_stdin(&self) -> Result<Vec<String>, Failure> {
        let mut stdin = self.stdin.lock().unwrap_or_else(PoisonError::into_inner);
        let mut names = Vec::new();
        for line in BufReader::new(&mut *stdin).lines() {
            let line = line.map_err(|error| {
                Failure::new(
                    Exit::Fault,
                    format!("cannot read names from stdin: {error}"),
                )
            })?;
            let name = line.trim();
            if !name.is_empty() {
                names.push(name.to_owned());
            }
            if names.len() > MAX_NAMES {
                return Err(Failure::usage(format!(
                    "stdin holds more than {MAX_NAMES} names"
                )));
            }
        }
        Ok(names)
    }
}

/// The meaning of an argument NAME.
#[derive(Debug, PartialEq, Eq)]
enum NameArgument {
    Name(String),
    Suffix(String),
    Latest,
}

impl NameArgument {
    fn of(text: &str) -> Result<Self, Failure> {
        if text == "@latest" {
            return Ok(Self::Latest);
        }
        if let Some(suffix) = text.strip_prefix("..").or_else(|| text.strip_prefix('…')) {
            if suffix.is_empty() {
                return Err(Failure::usage(format!("`{text}` has no suffix"))
                    .advise("write the last characters of a name, as in ..e41d"));
            }
            return Ok(Self::Suffix(suffix.to_owned()));
        }
        // As lists show it: `operations/…e41d`.
        if let Some((_, suffix)) = text.split_once("/…").filter(|(_, it)| !it.is_empty()) {
            return Ok(Self::Suffix(suffix.to_owned()));
        }
        if text.starts_with("http://") || text.starts_with("https://") {
            return link(text).map(Self::Name).ok_or_else(|| {
                Failure::usage(format!("`{text}` is no link to an operation")).advise(
                    "write a link such as https://ops.example.com/console/operation?name=operations/42",
                )
            });
        }
        if let Ok(token) = text.parse::<lro_client::ResumeToken>() {
            return Ok(Self::Name(token.name().to_owned()));
        }
        if text.contains('/') {
            return Ok(Self::Name(text.to_owned()));
        }
        let advice = format!("write operations/{text} for the name, or ..{text} for a suffix");
        Err(Failure::usage(format!("`{text}` is no name of an operation")).advise(advice))
    }
}

/// The name in a link to an operation: of a page of the console (`../operation?name=NAME`), or of a
/// path that ends with the name, behind `console` or the version of an API. The server of the link is
/// not the one that is asked: that is the one of the settings.
fn link(text: &str) -> Option<String> {
    let uri: http::Uri = text.split('#').next()?.parse().ok()?;
    let in_query = uri.query().and_then(|query| {
        let mut pairs = query.split('&').filter_map(|it| it.split_once('='));
        pairs.find(|(key, _)| *key == "name").map(|(_, name)| name)
    });
    let encoded = match in_query {
        Some(name) => name.replace('+', " "),
        None => {
            let segments: Vec<&str> = uri.path().split('/').filter(|it| !it.is_empty()).collect();
            let is_version = |it: &str| {
                let mut chars = it.chars();
                chars.next() == Some('v') && chars.next().is_some_and(|it| it.is_ascii_digit())
            };
            let start = segments
                .iter()
                .rposition(|it| *it == "console" || is_version(it));
            segments[start.map_or(0, |it| it + 1)..].join("/")
        }
    };
    let name = percent_encoding::percent_decode_str(&encoded).decode_utf8();
    let name = name.ok()?.into_owned();
    let (folder, id) = name.rsplit_once('/')?;
    (!folder.is_empty() && !id.is_empty()).then_some(name)
}

fn by_suffix(suffix: &str, newest: &[pb::Operation]) -> Result<String, Failure> {
    let matches = newest
        .iter()
        .filter(|operation| operation.name.ends_with(suffix));
    let matches: Vec<&str> = matches.map(|operation| &*operation.name).collect();
    match *matches {
        [only] => Ok(only.to_owned()),
        [] => Err(Failure::new(
            Exit::NotFound,
            format!(
                "none of the newest {} operations ends in `{suffix}`",
                newest.len()
            ),
        )
        .advise("write the full name of an older one")),
        _ => {
            let shown = matches
                .iter()
                .take(3)
                .copied()
                .collect::<Vec<_>>()
                .join(", ");
            Err(
                Failure::usage(format!("{} operations end in `{suffix}`", matches.len()))
                    .advise(format!("write more of the name: {shown}")),
            )
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_has_five_forms() {
        let read = |text| NameArgument::of(text).unwrap();
        assert_eq!(
            read("operations/42"),
            NameArgument::Name("operations/42".into())
        );
        assert_eq!(read("..e41d"), NameArgument::Suffix("e41d".into()));
        assert_eq!(read("…e41d"), NameArgument::Suffix("e41d".into()));
        assert_eq!(
            read("operations/…e41d"),
            NameArgument::Suffix("e41d".into())
        );
        assert_eq!(read("@latest"), NameArgument::Latest);
        assert_eq!(
            read("1;a.B;c.D;operations/7"),
            NameArgument::Name("operations/7".into())
        );
        for wrong in ["42", "..", ""] {
            let error = NameArgument::of(wrong).unwrap_err();
            assert_eq!(error.exit(), Exit::Usage, "{wrong}");
        }
    }

    #[test]
    fn a_link_of_the_console_or_of_an_api_stands_for_its_operation() {
        for (link, name) in [
            (
                "http://localhost:8080/operation?name=operations%2F42",
                "operations/42",
            ),
            (
                "https://ops.example.com/a/b/operation?tab=1&name=projects/p/operations/42#top",
                "projects/p/operations/42",
            ),
            ("http://host/console/operations/42", "operations/42"),
            (
                "http://host/x/console/projects/p/operations/42",
                "projects/p/operations/42",
            ),
            ("https://host/v1/operations/42", "operations/42"),
            (
                "https://host/v1beta1/projects/p/operations/42",
                "projects/p/operations/42",
            ),
            ("http://host/operations/42", "operations/42"),
        ] {
            assert_eq!(
                NameArgument::of(link).unwrap(),
                NameArgument::Name(name.into())
            );
        }
        for wrong in [
            "http://host",
            "http://host/42",
            "https://host/console/",
            "http://h/%ff/1",
            "https://",
        ] {
            let error = NameArgument::of(wrong).unwrap_err();
            assert_eq!(error.exit(), Exit::Usage, "{wrong}");
        }
    }

    #[test]
    fn a_suffix_stands_for_one_operation() {
        let operation = |name: &str| pb::Operation {
            name: name.to_owned(),
            ..Default::default()
        };
        let newest = ["operations/a1", "operations/b1", "operations/c2"].map(operation);
        assert_eq!(by_suffix("c2", &newest).unwrap(), "operations/c2");
        assert_eq!(by_suffix("1", &newest).unwrap_err().exit(), Exit::Usage);
        assert_eq!(by_suffix("9", &newest).unwrap_err().exit(), Exit::NotFound);
    }
}
