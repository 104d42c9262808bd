//! Properties of every text as a name; shared with the fuzz target.

use lro_core::{OperationName, ParentName, ParentPattern};

/// Takes the text for each kind of name, and what stands behind a line break for a name that the
/// first line may be the pattern of.
///
/// # Panics
///
/// When a parser does, or two of them contradict each other.
pub(crate) fn ask(text: &str) {
    operation(text);
    parent(text);
    pattern(text);
    if let Some((one, other)) = text.split_once('\n') {
        [one, other].into_iter().for_each(ask);
        pair(one, other);
        pair(other, one);
    }
}

fn operation(text: &str) {
    let Ok(name) = text.parse::<OperationName>() else {
        return;
    };
    assert_eq!(name.as_str(), text);
    let parent: ParentName = name.parent().parse().expect("the parent of a name is one");
    assert_eq!(parent.as_str(), name.parent());
    let again = OperationName::new(&parent, name.operation_id());
    assert_eq!(again.as_ref(), Ok(&name), "made of its parts");
}

fn parent(text: &str) {
    let Ok(parent) = text.parse::<ParentName>() else {
        return;
    };
    let again: ParentName = parent.as_str().parse().expect("what was parsed parses");
    assert_eq!(again, parent, "of {text:?}");
    assert!(says(text, parent.as_str()), "{text:?} is {parent:?}");
    if let Ok(name) = OperationName::new(&parent, "1") {
        assert_eq!(name.parent(), parent.as_str());
    } else {
        let len = parent.as_str().len() + "/operations/1".len();
        assert!(len > OperationName::MAX_LEN, "{text:?} has no operations");
    }
    let pattern: ParentPattern = text.parse().expect("a parent is a pattern of itself");
    assert_eq!(pattern.exact(), Some(parent));
}

/// Whether the text is that parent, with or without the collection.
fn says(text: &str, parent: &str) -> bool {
    let collection = match parent {
        "" => "operations".to_owned(),
        parent => format!("{parent}/operations"),
    };
    text == parent || text == collection
}

fn pattern(text: &str) {
    let Ok(pattern) = text.parse::<ParentPattern>() else {
        return;
    };
    let again: ParentPattern = pattern.as_str().parse().expect("what was parsed parses");
    assert_eq!(again, pattern, "of {text:?}");
    let segments = text.split('/').map(|it| if it == "-" { "*" } else { it });
    let text = segments.collect::<Vec<_>>().join("/");
    assert!(says(&text, pattern.as_str()), "{text:?} is {pattern:?}");
    assert!(pattern.covers(&pattern) && pattern.overlaps(&pattern));
    let open = pattern.segments().any(|segment| segment.is_none());
    assert_eq!(pattern.exact().is_none(), open);
}

/// A pattern, and a name that it may stand for.
fn pair(pattern: &str, name: &str) {
    let Ok(pattern) = pattern.parse::<ParentPattern>() else {
        return;
    };
    // Names of resources that are not checked yet.
    let start = pattern.start_of(name);
    assert!(start.is_none_or(|start| name.starts_with(start)));
    if let Ok(parent) = name.parse::<ParentName>() {
        let matches = pattern.matches(parent.as_str());
        let exact = ParentPattern::from(parent.clone());
        assert_eq!(pattern.covers(&exact), matches);
        assert_eq!(pattern.overlaps(&exact), matches);
        if matches {
            assert_eq!(pattern.start_of(parent.as_str()), Some(parent.as_str()));
        }
    }
    if let Ok(other) = name.parse::<ParentPattern>() {
        assert_eq!(pattern.overlaps(&other), other.overlaps(&pattern));
        assert!(!pattern.covers(&other) || pattern.overlaps(&other));
    }
}
