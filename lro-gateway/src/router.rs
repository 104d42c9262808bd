//! Finds the binding of a path and a method.

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet, HashMap};

use crate::path::Path;
use crate::template::{Segment, Template};

/// All templates of a gateway, as a tree of segments. `T` is what a template leads to.
#[derive(Debug)]
pub(crate) struct Router<T> {
    root: Node<T>,
}

#[derive(Debug)]
struct Node<T> {
    literals: HashMap<String, Node<T>>,
    single: Option<Box<Node<T>>>,
    multi: Option<Box<Node<T>>>,
    /// The bindings that end here: by verb, empty for none, then by method.
    bindings: HashMap<String, BTreeMap<String, T>>,
}

impl<T> Default for Node<T> {
    fn default() -> Self {
        Self {
            literals: HashMap::new(),
            single: None,
            multi: None,
            bindings: HashMap::new(),
        }
    }
}

/// The method of a binding that serves every method without a binding of its own.
pub(crate) const EVERY_METHOD: &str = "*";

/// The result of a look-up.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Found<'r, 'p, T> {
    /// A binding, and the path segments that each segment of its template has matched.
    Binding(&'r T, Vec<&'p [&'p str]>),
    /// The path has bindings, but none of this method: the methods that it has.
    OtherMethods(BTreeSet<&'r str>),
    /// The path has no binding.
    Nothing,
}

/// A binding with what its template says, names of variables aside.
#[derive(Debug)]
pub(crate) struct Entry<'r, T> {
    pub(crate) segments: Vec<Segment>,
    /// Empty for none.
    pub(crate) verb: &'r str,
    pub(crate) method: &'r str,
    pub(crate) binding: &'r T,
}

impl<T> Default for Router<T> {
    fn default() -> Self {
        Self {
            root: Node::default(),
        }
    }
}

impl<T> Router<T> {
    /// Adds a binding. The error is the one that has the same method, verb and shape, if there is one.
    pub(crate) fn add(&mut self, method: &str, template: &Template, binding: T) -> Result<(), &T> {
        let mut node = &mut self.root;
        for segment in &template.segments {
            node = match segment {
                Segment::Literal(literal) => node.literals.entry(literal.clone()).or_default(),
                Segment::Single => node.single.get_or_insert_default(),
                Segment::Multi => node.multi.get_or_insert_default(),
            };
        }
        let verb = template.verb.clone().unwrap_or_default();
        let methods = node.bindings.entry(verb).or_default();
        match methods.entry(method.to_owned()) {
            std::collections::btree_map::Entry::Vacant(vacant) => {
                vacant.insert(binding);
                Ok(())
            }
            std::collections::btree_map::Entry::Occupied(occupied) => Err(occupied.into_mut()),
        }
    }

    /// All bindings, the most specific first.
    pub(crate) fn entries(&self) -> Vec<Entry<'_, T>> {
        let mut entries = Vec::new();
        self.root.collect(&mut Vec::new(), &mut entries);
        entries
    }

    /// Finds the most specific binding: segment by segment from the left, a literal before `*` before
    /// `**`. The segments are the raw ones of the path, without its first slash.
    pub(crate) fn find<'r, 'p>(&'r self, method: &str, path: &'p Path<'p>) -> Found<'r, 'p, T> {
        let whole = &path.whole[..];
        if let Some((stripped, verb)) = &path.with_verb {
            // A verb that some binding of this path has takes the colon, whatever the method.
            let methods = self.methods(stripped, verb);
            if !methods.is_empty() {
                if stripped.iter().any(|segment| segment.is_empty()) {
                    return Found::Nothing;
                }
                return self.find_with(method, stripped, verb, methods);
            }
        }
        if whole.iter().any(|segment| segment.is_empty()) {
            return Found::Nothing;
        }
        let methods = self.methods(whole, "");
        self.find_with(method, whole, "", methods)
    }

    /// The methods that the path has, whether or not with a verb.
    pub(crate) fn methods_of(&self, path: &Path<'_>) -> BTreeSet<&str> {
        match self.find("", path) {
            Found::OtherMethods(methods) => methods,
            Found::Binding(..) => BTreeSet::from([EVERY_METHOD]),
            Found::Nothing => BTreeSet::new(),
        }
    }

    fn find_with<'r, 'p>(
        &'r self,
        method: &str,
        segments: &'p [&'p str],
        verb: &str,
        methods: BTreeSet<&'r str>,
    ) -> Found<'r, 'p, T> {
        if methods.is_empty() {
            return Found::Nothing;
        }
        let mut found = None;
        let mut matched = Vec::new();
        self.root
            .walk(segments, &mut matched, &mut |node, matched| {
                let by_method = node.bindings.get(verb)?;
                let binding = by_method
                    .get(method)
                    .or_else(|| by_method.get(EVERY_METHOD))?;
                found = Some((binding, matched.to_vec()));
                Some(())
            });
        match found {
            Some((binding, matched)) => Found::Binding(binding, matched),
            None => Found::OtherMethods(methods),
        }
    }

    /// The methods that have a binding of this path and verb.
    fn methods(&self, segments: &[&str], verb: &str) -> BTreeSet<&str> {
        let mut methods = BTreeSet::new();
        let mut matched = Vec::new();
        self.root.walk(segments, &mut matched, &mut |node, _| {
            let by_method = node.bindings.get(verb);
            methods.extend(by_method.into_iter().flatten().map(|(method, _)| &**method));
            None
        });
        methods
    }
}

impl<T> Node<T> {
    fn collect<'r>(&'r self, above: &mut Vec<Segment>, entries: &mut Vec<Entry<'r, T>>) {
        let verbs: BTreeMap<&String, _> = self.bindings.iter().collect();
        for (verb, methods) in verbs {
            entries.extend(methods.iter().map(|(method, binding)| Entry {
                segments: above.clone(),
                verb,
                method,
                binding,
            }));
        }
        let literals: BTreeMap<&String, _> = self.literals.iter().collect();
        let literals = literals
            .into_iter()
            .map(|(literal, node)| (Segment::Literal(literal.clone()), node));
        let single = self.single.iter().map(|node| (Segment::Single, &**node));
        let multi = self.multi.iter().map(|node| (Segment::Multi, &**node));
        for (segment, node) in literals.chain(single).chain(multi) {
            above.push(segment);
            node.collect(above, entries);
            above.pop();
        }
    }

    /// Visits the ends of all templates that match, the most specific first, until the visitor has
    /// found what it looks for.
    fn walk<'r, 'p>(
        &'r self,
        rest: &'p [&'p str],
        matched: &mut Vec<&'p [&'p str]>,
        visit: &mut impl FnMut(&'r Node<T>, &[&'p [&'p str]]) -> Option<()>,
    ) -> Option<()> {
        if rest.is_empty() {
            if let Some(found) = visit(self, matched) {
                return Some(found);
            }
        } else {
            let (first, behind) = rest.split_at(1);
            let literal = self.literals.get(first[0]);
            for node in literal.into_iter().chain(self.single.as_deref()) {
                matched.push(first);
                let found = node.walk(behind, matched, visit);
                matched.pop();
                if found.is_some() {
                    return found;
                }
            }
        }
        let multi = self.multi.as_deref()?;
        for taken in 0..=rest.len() {
            let (taken, behind) = rest.split_at(taken);
            // Nothing may be taken only at the end of a template.
            if taken.is_empty() && !behind.is_empty() {
                continue;
            }
            matched.push(taken);
            let found = if taken.is_empty() {
                visit(multi, matched)
            } else {
                multi.walk(behind, matched, visit)
            };
            matched.pop();
            if found.is_some() {
                return found;
            }
        }
        None
    }
}
