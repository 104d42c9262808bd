//! Errors in four parts: what failed, where, what to write instead, and with whom the command spoke.

use std::fmt::{self, Write as _};

use tonic::{Code, Status};
use tonic_types::StatusExt as _;

use crate::connect::ConnectFault;
use crate::exit::{Exit, code_name};
use crate::neutral;

/// Why the command, or one of its calls, failed.
#[derive(Clone, Debug)]
pub(crate) struct Failure(Box<Inner>);

#[derive(Clone, Debug)]
struct Inner {
    exit: Exit,
    what: String,
    caret: Option<Caret>,
    advice: Vec<String>,
    server: String,
    code: String,
    reason: String,
}

/// A place in a text, with what is wrong there.
#[derive(Clone, Debug)]
struct Caret {
    text: String,
    /// In code points.
    offset: usize,
    length: usize,
    advice: String,
}

impl Failure {
    pub(crate) fn new(exit: Exit, what: impl Into<String>) -> Self {
        Self(Box::new(Inner {
            exit,
            what: what.into(),
            caret: None,
            advice: Vec::new(),
            server: String::new(),
            code: String::new(),
            reason: String::new(),
        }))
    }

    /// Wrong usage.
    pub(crate) fn usage(what: impl Into<String>) -> Self {
        Self::new(Exit::Usage, what)
    }

    /// An end of which everything has been said.
    pub(crate) fn silent(exit: Exit) -> Self {
        Self::new(exit, "")
    }

    /// Advice, on a line of its own.
    pub(crate) fn advise(mut self, advice: impl Into<String>) -> Self {
        self.0.advice.push(advice.into());
        self
    }

    /// The place of the fault in a text.
    pub(crate) fn at(mut self, text: &str, offset: usize, length: usize, advice: &str) -> Self {
        self.0.caret = Some(Caret {
            text: text.to_owned(),
            offset,
            length: length.max(1),
            advice: advice.to_owned(),
        });
        self
    }

    pub(crate) fn server(mut self, server: &str) -> Self {
        server.clone_into(&mut self.0.server);
        self
    }

    /// The same with another first line, and without the code and the reason of a call.
    pub(crate) fn saying(mut self, what: &str) -> Self {
        what.clone_into(&mut self.0.what);
        self.0.code.clear();
        self.0.reason.clear();
        self
    }

    pub(crate) fn exit(&self) -> Exit {
        self.0.exit
    }

    pub(crate) fn is_silent(&self) -> bool {
        self.0.what.is_empty()
    }

    /// The first line, for a list of several failures.
    pub(crate) fn summary(&self) -> &str {
        &self.0.what
    }

    /// A failed call. `doing` says what the command was doing, as in `cannot list operations`.
    pub(crate) fn of_call(status: &Status, doing: &str, filter: Option<&str>) -> Self {
        if let Some(fault) = ConnectFault::of(status) {
            let failure = Self::new(Exit::Unknown, format!("{doing}: {}", fault.what));
            return fault.advice.iter().fold(failure, Self::advise);
        }
        let mut failure = match filter.and_then(|filter| refused_filter(status, filter)) {
            Some(failure) => failure,
            None => {
                let message = innermost(status);
                let what = match message {
                    "" => format!("{doing}: {}", code_name(status.code() as i32)),
                    message => format!("{doing}: {message}"),
                };
                Self::new(Exit::of_call(status.code()), what)
            }
        };
        failure.0.code = code_name(status.code() as i32);
        if let Some(info) = status.get_details_error_info() {
            failure.0.reason = info.reason;
        }
        if failure.0.caret.is_none()
            && let Some(request) = status.get_details_bad_request()
        {
            for violation in request.field_violations.iter().take(10) {
                let line = format!("{}: {}", violation.field, violation.description);
                // Our server's message is its first violation.
                if !failure.0.what.ends_with(&line) {
                    failure = failure.advise(line);
                }
            }
        }
        match status.code() {
            Code::Unauthenticated => failure.advise(
                "give a token: --token-file, --token-command, or one of them in the profile",
            ),
            Code::Unimplemented => {
                failure.advise("`lro doctor` shows which calls this server offers")
            }
            _ => failure,
        }
    }
}

/// The message of the first status of a chain: those around it quote it.
fn innermost(status: &Status) -> &str {
    let first = std::error::Error::source(status);
    let chain = std::iter::successors(first, |error| (*error).source());
    let inner = chain
        .filter_map(|error| error.downcast_ref::<Status>())
        .last();
    inner.unwrap_or(status).message()
}

/// A refused filter, with the place of its fault where the server says it.
fn refused_filter(status: &Status, filter: &str) -> Option<Failure> {
    if status.code() != Code::InvalidArgument || filter.is_empty() {
        return None;
    }
    let info = status.get_details_error_info();
    let metadata = info.map(|info| info.metadata).unwrap_or_default();
    let violation = status.get_details_bad_request().and_then(|request| {
        let mut violations = request.field_violations.into_iter();
        violations.find(|it| it.field == "filter")
    });
    let is_filter = metadata.get("field").is_some_and(|it| it == "filter")
        || violation.is_some()
        || status.message().contains("filter");
    if !is_filter {
        return None;
    }
    let failure = Failure::usage("the server refused the filter");
    let description = violation.map_or_else(|| status.message().to_owned(), |it| it.description);
    let offset = metadata
        .get("offset")
        .and_then(|it| it.parse::<usize>().ok());
    Some(match offset {
        Some(offset) if offset <= filter.chars().count() => {
            let found = metadata.get("found").map_or(1, |it| it.chars().count());
            let advice = description.replace(&format!(" (at offset {offset})"), "");
            failure.at(filter, offset, found, &advice)
        }
        _ => failure
            .advise(format!("filter: {filter}"))
            .advise(description),
    })
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let this = &self.0;
        write!(f, "error: {}", neutral::line(&this.what))?;
        if let Some(caret) = &this.caret {
            write!(f, "{caret}")?;
        }
        for advice in &this.advice {
            write!(f, "\n  {}", neutral::line(advice))?;
        }
        let mut last = String::new();
        for (label, value) in [
            ("server", &this.server),
            ("code", &this.code),
            ("reason", &this.reason),
        ] {
            if !value.is_empty() {
                let gap = if last.is_empty() { "" } else { "   " };
                write!(last, "{gap}{label}: {}", neutral::line(value))?;
            }
        }
        if !last.is_empty() {
            write!(f, "\n{last}")?;
        }
        Ok(())
    }
}

impl fmt::Display for Caret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        use unicode_width::UnicodeWidthStr as _;
        let width = |text: &str| neutral::line(text).width();
        let split = |at: usize| {
            let mut indices = self.text.char_indices().map(|(index, _)| index);
            indices.nth(at).unwrap_or(self.text.len())
        };
        let (start, end) = (split(self.offset), split(self.offset + self.length));
        let marked = width(&self.text[start..end]).max(1);
        let indent = width(&self.text[..start]);
        write!(
            f,
            "\n  {}\n  {:indent$}{} {}",
            neutral::line(&self.text),
            "",
            "^".repeat(marked),
            neutral::line(&self.advice),
        )
    }
}

/// The name among these that is meant by one that is not.
pub(crate) fn nearest<'a>(name: &str, names: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let scored = names
        .into_iter()
        .map(|it| (strsim::jaro_winkler(name, it), it));
    let best = scored.max_by(|(left, _), (right, _)| left.total_cmp(right));
    best.filter(|(score, _)| *score > 0.75).map(|(_, it)| it)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_has_four_parts() {
        let failure = Failure::usage("the server refused the filter")
            .at("done = flase", 7, 5, "`done` is a boolean")
            .server("https://ops.example.com (profile prod)");
        assert_eq!(
            failure.to_string(),
            "error: the server refused the filter\n  done = flase\n         ^^^^^ `done` is a \
             boolean\nserver: https://ops.example.com (profile prod)"
        );
    }

    #[test]
    fn the_caret_stands_under_wide_and_hostile_text() {
        let failure = Failure::usage("x").at("表\u{7} = b", 4, 9, "here");
        assert_eq!(
            failure.to_string(),
            "error: x\n  表\\u{7} = b\n           ^^ here"
        );
    }

    #[test]
    fn the_nearest_name_is_named_and_a_far_one_is_not() {
        let names = ["tables", "rows", "format"];
        assert_eq!(nearest("tabels", names), Some("tables"));
        assert_eq!(nearest("zzz", names), None);
    }
}
