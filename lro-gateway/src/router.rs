//! Finds the binding of a path and a method.

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

#[cfg(test)]
mod tests {
    use super::*;

    const BINDINGS: &[(&str, &str)] = &[
        ("GET", "/v1/{name=depots/*/parcels/*}"),
        ("POST", "/v1/{name=depots/*/parcels/*}:recall"),
        ("GET", "/v1/tree/{path=**}"),
        ("GET", "/v1/tree/{path=**}:stat"),
        ("GET", "/v1/trail/{path=**}/history"),
        ("GET", "/v1/pairs/{a}/{b}"),
        ("POST", "/v1/pairs/{a}/{b}"),
        ("GET", "/v1/pairs/main/{b}"),
        ("GET", "/v1/pairs/{a}/open"),
        ("*", "/v1/echo/{path}"),
        ("GET", "/v1/echo/fixed"),
        ("GET", "/v2/{name=operations/**}"),
        ("GET", "/v2/{name=**/operations/*}"),
    ];

    /// The binding that is found, or the methods that are, or nothing.
    fn find(method: &str, path: &str) -> String {
        let mut router = Router::default();
        for (method, template) in BINDINGS {
            let template_of = Template::parse(template).unwrap();
            assert!(router.add(method, &template_of, *template).is_ok());
        }
        let path = Path::new(path).unwrap();
        match router.find(method, &path) {
            Found::Binding(template, matched) => {
                let matched: Vec<String> = matched.iter().map(|taken| taken.join("+")).collect();
                format!("{template} {}", matched.join(" "))
            }
            Found::OtherMethods(methods) => format!("{methods:?}"),
            Found::Nothing => "nothing".to_owned(),
        }
    }

    /// gateway:13 gateway:14 gateway:15 gateway:16 gateway:18 gateway:19 gateway:20 gateway:21
    #[test]
    fn the_most_specific_binding_is_found() {
        for (method, path, expected) in [
            (
                "GET",
                "/v1/depots/n/parcels/p",
                "/v1/{name=depots/*/parcels/*} v1 depots n parcels p",
            ),
            (
                "POST",
                "/v1/depots/n/parcels/p:recall",
                "/v1/{name=depots/*/parcels/*}:recall v1 depots n parcels p",
            ),
            (
                "POST",
                "/v1/depots/n/parcels/a:b:recall",
                "/v1/{name=depots/*/parcels/*}:recall v1 depots n parcels a:b",
            ),
            (
                "GET",
                "/v1/depots/n/parcels/p:copy",
                "/v1/{name=depots/*/parcels/*} v1 depots n parcels p:copy",
            ),
            (
                "GET",
                "/v1/depots/n/parcels/p:",
                "/v1/{name=depots/*/parcels/*} v1 depots n parcels p:",
            ),
            ("GET", "/v1/tree", "/v1/tree/{path=**} v1 tree "),
            ("GET", "/v1/tree:stat", "/v1/tree/{path=**}:stat v1 tree "),
            ("GET", "/v1/tree/a/b/c", "/v1/tree/{path=**} v1 tree a+b+c"),
            (
                "GET",
                "/v1/tree/a:stat/c",
                "/v1/tree/{path=**} v1 tree a:stat+c",
            ),
            (
                "GET",
                "/v1/trail/a/b/history",
                "/v1/trail/{path=**}/history v1 trail a+b history",
            ),
            (
                "GET",
                "/v1/trail/history/history",
                "/v1/trail/{path=**}/history v1 trail history history",
            ),
            (
                "GET",
                "/v1/pairs/main/x",
                "/v1/pairs/main/{b} v1 pairs main x",
            ),
            (
                "GET",
                "/v1/pairs/main/open",
                "/v1/pairs/main/{b} v1 pairs main open",
            ),
            (
                "GET",
                "/v1/pairs/x/open",
                "/v1/pairs/{a}/open v1 pairs x open",
            ),
            (
                "POST",
                "/v1/pairs/main/x",
                "/v1/pairs/{a}/{b} v1 pairs main x",
            ),
            ("PURGE", "/v1/echo/x", "/v1/echo/{path} v1 echo x"),
            ("PURGE", "/v1/echo/fixed", "/v1/echo/{path} v1 echo fixed"),
            ("GET", "/v1/echo/fixed", "/v1/echo/fixed v1 echo fixed"),
            (
                "GET",
                "/v2/operations/7",
                "/v2/{name=operations/**} v2 operations 7",
            ),
            (
                "GET",
                "/v2/a/b/operations/7",
                "/v2/{name=**/operations/*} v2 a+b operations 7",
            ),
            (
                "GET",
                "/v2/operations/a/operations/7",
                "/v2/{name=operations/**} v2 operations a+operations+7",
            ),
        ] {
            assert_eq!(find(method, path), expected, "{method} {path}");
        }
    }

    /// gateway:22 gateway:26 gateway:27 gateway:30
    #[test]
    fn another_method_of_a_known_path_is_told_from_an_unknown_path() {
        for (method, path, expected) in [
            ("GET", "/v1/depots/n/parcels/p:recall", r#"{"POST"}"#),
            ("POST", "/v1/depots/n/parcels/p:Recall", r#"{"GET"}"#),
            ("POST", "/v1/depots/n/parcels/p%3Arecall", r#"{"GET"}"#),
            ("get", "/v1/tree/a", r#"{"GET"}"#),
            ("PUT", "/v1/pairs/main/x", r#"{"GET", "POST"}"#),
            ("GET", "/v1/Depots/n/parcels/p", "nothing"),
            ("GET", "/v1/depots/n/parcels", "nothing"),
            ("GET", "/v1/trail/history", "nothing"),
            ("GET", "/", "nothing"),
        ] {
            assert_eq!(find(method, path), expected, "{method} {path}");
        }
    }

    /// gateway:17
    #[test]
    fn an_empty_segment_never_matches() {
        for path in [
            "/v1/depots//parcels/p",
            "/v1/depots/n/parcels/p/",
            "//v1/tree",
            "/v1/tree/",
            "/v1/depots/n/parcels/:recall",
            "/v1/tree/:stat",
            "/v1/tree//:stat",
        ] {
            for method in ["GET", "POST"] {
                assert_eq!(find(method, path), "nothing", "{method} {path}");
            }
        }
    }

    /// gateway:10
    #[test]
    fn a_second_binding_of_one_shape_gives_the_first() {
        let template = |text| Template::parse(text).unwrap();
        let mut router = Router::default();
        router
            .add("GET", &template("/v1/{name=depots/*}"), 1)
            .unwrap();
        router
            .add("DELETE", &template("/v1/{name=depots/*}"), 2)
            .unwrap();
        router
            .add("GET", &template("/v1/{name=depots/*}:look"), 3)
            .unwrap();
        assert_eq!(
            router.add("GET", &template("/v1/depots/{depot}"), 4),
            Err(&1)
        );
    }
}
