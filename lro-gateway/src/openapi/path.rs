//! Paths of the document: templates whose variables are split into one parameter a segment.

use std::sync::Arc;

use prost_reflect::FieldDescriptor;

use crate::router::Entry;
use crate::rules::{Binding, Capture};
use crate::template::Segment;

/// A path: `/v1/archives/{archive}:verify`, and the names of its parameters.
pub(super) struct PathText {
    pub(super) text: String,
    /// By the wildcards of the template, from the left.
    pub(super) parameters: Vec<String>,
}

/// The part of a path that OpenAPI compares: literals, verb, and the places of parameters.
pub(super) fn shape(entry: &Entry<'_, Arc<Binding>>) -> String {
    write(entry, |_| String::new())
}

impl PathText {
    pub(super) fn new(entry: &Entry<'_, Arc<Binding>>) -> Self {
        let mut parameters: Vec<String> = Vec::new();
        for (index, segment) in entry.segments.iter().enumerate() {
            if matches!(segment, Segment::Literal(_)) {
                continue;
            }
            let name = name(entry, index);
            let mut unique = name.clone();
            let mut number = 2;
            while parameters.contains(&unique) {
                unique = format!("{name}_{number}");
                number += 1;
            }
            parameters.push(unique);
        }
        let text = write(entry, |index| parameters[index].clone());
        Self { text, parameters }
    }

    /// A variable of a binding as its field's value looks: `archives/{archive}`.
    pub(super) fn pattern(&self, entry: &Entry<'_, Arc<Binding>>, variable: &Capture) -> String {
        let range = variable.first..variable.first + variable.count;
        let parts = range.map(|index| match &entry.segments[index] {
            Segment::Literal(literal) => literal.clone(),
            _ => format!("{{{}}}", self.parameters[wildcard(entry, index)]),
        });
        parts.collect::<Vec<_>>().join("/")
    }
}

/// The number of wildcards before a segment.
pub(super) fn wildcard(entry: &Entry<'_, Arc<Binding>>, index: usize) -> usize {
    let is_wildcard = |segment: &&Segment| !matches!(segment, Segment::Literal(_));
    entry.segments[..index].iter().filter(is_wildcard).count()
}

/// The variable that a segment belongs to.
pub(super) fn variable<'b>(entry: &Entry<'b, Arc<Binding>>, index: usize) -> Option<&'b Capture> {
    let covers =
        |variable: &&Capture| (variable.first..variable.first + variable.count).contains(&index);
    entry.binding.variables.iter().find(covers)
}

fn write(entry: &Entry<'_, Arc<Binding>>, name: impl Fn(usize) -> String) -> String {
    let mut text = String::new();
    let mut wildcards = 0;
    for segment in &entry.segments {
        text.push('/');
        if let Segment::Literal(literal) = segment {
            text.push_str(literal);
        } else {
            text.push('{');
            text.push_str(&name(wildcards));
            text.push('}');
            wildcards += 1;
        }
    }
    if !entry.verb.is_empty() {
        text.push(':');
        text.push_str(entry.verb);
    }
    text
}

/// A name for the parameter of a wildcard: its field if that is all of it, or else the singular of the
/// collection before it.
fn name(entry: &Entry<'_, Arc<Binding>>, index: usize) -> String {
    let before = index.checked_sub(1).map(|before| &entry.segments[before]);
    let Some(variable) = variable(entry, index) else {
        return match before {
            Some(Segment::Literal(literal)) => singular(literal),
            _ => "segment".to_owned(),
        };
    };
    if variable.count == 1 {
        let names: Vec<&str> = variable.field.iter().map(FieldDescriptor::name).collect();
        return names.join("_");
    }
    match before {
        Some(Segment::Literal(literal)) if index > variable.first => singular(literal),
        _ if entry.segments[index] == Segment::Multi => "parent".to_owned(),
        _ => "segment".to_owned(),
    }
}

fn singular(collection: &str) -> String {
    let word: String = collection
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() { c } else { '_' })
        .collect();
    if let Some(stem) = word.strip_suffix("ies") {
        return format!("{stem}y");
    }
    for ending in ["sses", "xes", "ches", "shes"] {
        if word.ends_with(ending) {
            return word[..word.len() - 2].to_owned();
        }
    }
    match word.strip_suffix('s') {
        Some(stem) if !stem.is_empty() && !stem.ends_with('s') => stem.to_owned(),
        _ => format!("{word}_id"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_parameter_is_named_after_its_collection() {
        for (collection, name) in [
            ("operations", "operation"),
            ("libraries", "library"),
            ("addresses", "address"),
            ("boxes", "box"),
            ("class", "class_id"),
            ("v1", "v1_id"),
            ("s", "s_id"),
            ("a.b-cs", "a_b_c"),
        ] {
            assert_eq!(singular(collection), name, "{collection}");
        }
    }
}
