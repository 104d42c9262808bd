//! Path templates of `google.api.http`.

use std::fmt;

use crate::capture::check_escapes;

/// A path template: `/v1/{name=depots/*/parcels/*}:recall`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Template {
    pub(crate) segments: Vec<Segment>,
    pub(crate) variables: Vec<Variable>,
    pub(crate) verb: Option<String>,
}

/// One segment of a template.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Segment {
    /// Matches itself, byte for byte.
    Literal(String),
    /// `*`: matches one segment.
    Single,
    /// `**`: matches any number of segments, at least one if others follow.
    Multi,
}

/// A variable: the field that it sets, and the segments that it captures.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Variable {
    /// The path of the field, by proto names.
    pub(crate) field: Vec<String>,
    /// Its first segment in the template.
    pub(crate) first: usize,
    /// The number of its segments in the template.
    pub(crate) count: usize,
    /// Whether it may hold several segments: encoded slashes stay encoded then.
    pub(crate) multi: bool,
}

/// The reason why a text is no template.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct TemplateError(String);

impl fmt::Display for TemplateError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Template {
    pub(crate) fn parse(text: &str) -> Result<Self, TemplateError> {
        let fault = |reason: &str| TemplateError(format!("{reason} in `{text}`"));
        let Some(rest) = text.strip_prefix('/') else {
            return Err(fault("a path begins with `/`, which is missing"));
        };
        let (path, verb) = split_verb(rest);
        if let Some(verb) = verb
            && (verb.is_empty() || !verb.chars().all(is_literal))
        {
            return Err(fault(
                "a verb is one word behind the last `:`, which is not so",
            ));
        }
        let mut template = Self {
            segments: Vec::new(),
            variables: Vec::new(),
            verb: verb.map(str::to_owned),
        };
        for part in split_segments(path).ok_or_else(|| fault("unbalanced braces"))? {
            match part.strip_prefix('{') {
                Some(variable) => {
                    let Some(variable) = variable.strip_suffix('}') else {
                        return Err(fault("a variable fills its whole segment, which is not so"));
                    };
                    template.variable(variable).map_err(fault)?;
                }
                None => template.segments.push(segment(part).map_err(fault)?),
            }
        }
        let multi = |segment: &&Segment| **segment == Segment::Multi;
        if template.segments.iter().filter(multi).count() > 1 {
            return Err(fault("at most one `**` is possible; there are more"));
        }
        Ok(template)
    }

    fn variable(&mut self, text: &str) -> Result<(), &'static str> {
        let (field, pattern) = text.split_once('=').unwrap_or((text, "*"));
        let field: Vec<String> = field.split('.').map(str::to_owned).collect();
        let is_name = |name: &String| {
            let mut chars = name.chars();
            let first = chars
                .next()
                .is_some_and(|c| c.is_ascii_alphabetic() || c == '_');
            first && chars.all(|c| c.is_ascii_alphanumeric() || c == '_')
        };
        if !field.iter().all(is_name) {
            return Err(
                "a variable names a field, such as `{name}` or `{parcel.name}`, which is not so",
            );
        }
        let first = self.segments.len();
        for part in pattern.split('/') {
            self.segments.push(segment(part)?);
        }
        let segments = &self.segments[first..];
        self.variables.push(Variable {
            field,
            first,
            count: segments.len(),
            multi: segments != [Segment::Single],
        });
        Ok(())
    }
}

impl fmt::Display for Template {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for segment in &self.segments {
            match segment {
                Segment::Literal(literal) => write!(f, "/{literal}")?,
                Segment::Single => f.write_str("/*")?,
                Segment::Multi => f.write_str("/**")?,
            }
        }
        match &self.verb {
            Some(verb) => write!(f, ":{verb}"),
            None => Ok(()),
        }
    }
}

/// Splits at the last colon, if it stands behind every slash and brace.
fn split_verb(text: &str) -> (&str, Option<&str>) {
    match text.rfind([':', '/', '}']) {
        Some(index) if text[index..].starts_with(':') => (&text[..index], Some(&text[index + 1..])),
        _ => (text, None),
    }
}

/// Splits at the slashes outside of braces. `None` when braces are nested or unbalanced.
fn split_segments(path: &str) -> Option<Vec<&str>> {
    let (mut parts, mut begin, mut inside) = (Vec::new(), 0, false);
    for (index, c) in path.char_indices() {
        match c {
            '{' if inside => return None,
            '{' => inside = true,
            '}' if !inside => return None,
            '}' => inside = false,
            '/' if !inside => {
                parts.push(&path[begin..index]);
                begin = index + 1;
            }
            _ => {}
        }
    }
    parts.push(&path[begin..]);
    (!inside).then_some(parts)
}

fn segment(text: &str) -> Result<Segment, &'static str> {
    match text {
        "*" => Ok(Segment::Single),
        "**" => Ok(Segment::Multi),
        "" => Err("a segment is empty"),
        "." | ".." => Err("a segment of dots never matches"),
        text if text.contains(':') => Err("a verb stands at the end, behind the only `:`"),
        text if check_escapes(text).is_err() => Err("a `%` without two hexadecimal digits"),
        text if text.chars().all(is_literal) => Ok(Segment::Literal(text.to_owned())),
        _ => Err("a segment is a literal, `*`, `**` or one variable in braces, which is not so"),
    }
}

/// Characters that stand for themselves in a path.
fn is_literal(c: char) -> bool {
    c.is_ascii_alphanumeric() || "-._~%!$&'()+,;=@".contains(c)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Template {
        Template::parse(text).unwrap_or_else(|error| panic!("{text}: {error}"))
    }

    /// gateway:1 gateway:2 gateway:3 gateway:4
    #[test]
    fn a_template_is_segments_variables_and_a_verb() {
        let template = parse("/v1/{name=depots/*/parcels/*}:recall");
        assert_eq!(template.to_string(), "/v1/depots/*/parcels/*:recall");
        assert_eq!(
            template.variables,
            [Variable {
                field: vec!["name".into()],
                first: 1,
                count: 4,
                multi: true,
            }]
        );
        assert!(!parse("/v1/{name}").variables[0].multi);
        assert!(!parse("/v1/{name=*}").variables[0].multi);
        assert!(parse("/v1/{name=a/*}").variables[0].multi);
        assert!(parse("/v1/{name=a}").variables[0].multi);
        assert!(parse("/v1/{name=**}").variables[0].multi);
        assert_eq!(parse("/v1/{a.b.c}").variables[0].field, ["a", "b", "c"]);
        assert_eq!(parse("/v1/a:b").verb.as_deref(), Some("b"));
        assert_eq!(
            parse("/v1/{name=**}/operations/*").to_string(),
            "/v1/**/operations/*"
        );
    }

    /// gateway:1 gateway:2 gateway:4
    #[test]
    fn other_texts_are_refused_with_the_reason() {
        for (text, reason) in [
            ("", "begins with `/`"),
            ("v1/x", "begins with `/`"),
            ("/", "a segment is empty"),
            ("/v1/x/", "a segment is empty"),
            ("/v1//x", "a segment is empty"),
            ("/v1/ext-{id}", "a segment is a literal"),
            ("/v1/{id}-ext", "a variable fills its whole segment"),
            ("/v1/{a}{b}", "a variable names a field"),
            ("/v1/{a={b}}", "unbalanced braces"),
            ("/v1/{a", "unbalanced braces"),
            ("/v1/a}", "unbalanced braces"),
            ("/v1/{a=}", "a segment is empty"),
            ("/v1/{=*}", "a variable names a field"),
            ("/v1/{}", "a variable names a field"),
            ("/v1/{a..b}", "a variable names a field"),
            ("/v1/{1a}", "a variable names a field"),
            ("/v1/{x=**}/{y=**}", "at most one `**`"),
            ("/v1/***", "a segment is a literal"),
            ("/v1/a b", "a segment is a literal"),
            ("/v1/a?b", "a segment is a literal"),
            ("/v1/..", "never matches"),
            ("/v1/x:", "a verb is one word"),
            ("/v1/x:a*", "a verb is one word"),
            ("/v1/a:b:c", "a verb stands at the end"),
            ("/v1/a:b/c", "a verb stands at the end"),
            ("/v1/{x=a:b}", "a verb stands at the end"),
            ("/v1/{x=a:b/*}:go", "a verb stands at the end"),
            ("/v1/%zz", "without two hexadecimal digits"),
        ] {
            let error = Template::parse(text).expect_err(text).to_string();
            assert!(error.contains(reason), "{text}: {error}");
        }
    }
}
