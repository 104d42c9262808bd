//! In which order a group is inserted.

use std::collections::HashSet;
use std::hash::Hash;

use lro_core::OperationName;
use lro_core::store::{NewOperation, StepKey};
use uuid::Uuid;

/// The open places, in the order in which every node inserts what others may insert at the same time:
/// two groups that want the same keys in different orders would wait for each other until one of them
/// is ended, a second each time. By exclusive keys, which are wanted by many on purpose; without one by
/// request ids and names.
///
/// Where two of the group want the same, the earlier one is to get it. So those with one exclusive key
/// stay in their order, and so does a whole group in which two have a name, a request id or a uid in
/// common.
pub(super) fn common_order(operations: &[NewOperation], open: &[usize]) -> Vec<usize> {
    let mut places = open.to_vec();
    let are_distinct = distinct(operations, open, |it| Some(it.uid))
        && distinct(operations, open, |it| Some(&it.name))
        && distinct(operations, open, request);
    if are_distinct {
        places.sort_by_key(|place| {
            let it = &operations[*place];
            match &it.exclusive_key {
                Some(key) => (Some(key), None, None),
                None => (None, request(it), Some(&it.name)),
            }
        });
    }
    places
}

/// Children in groups, of each of which no two want the same, and none is the parent of another.
pub(super) fn apart(operations: &[NewOperation]) -> Vec<&[NewOperation]> {
    let mut groups = Vec::new();
    let (mut wanted, mut first) = (HashSet::new(), 0);
    for (at, operation) in operations.iter().enumerate() {
        let parent = operation.child_of.as_deref().map(|it| Want::Uid(it.uid));
        let is_child = parent.is_some_and(|parent| wanted.contains(&parent));
        if is_child || !wants(operation).all(|want| wanted.insert(want)) {
            groups.push(&operations[first..at]);
            first = at;
            wanted = wants(operation).collect();
        }
    }
    groups.push(&operations[first..]);
    groups.retain(|group| !group.is_empty());
    groups
}

/// A property that at most one of a group may have.
#[derive(PartialEq, Eq, Hash)]
enum Want<'o> {
    Uid(Uuid),
    Name(&'o OperationName),
    Request(&'o str, &'o str, &'o str),
    ExclusiveKey(&'o str),
    Step(Uuid, &'o StepKey),
}

fn wants(operation: &NewOperation) -> impl Iterator<Item = Want<'_>> {
    let request = request(operation);
    let key = operation.exclusive_key.as_deref();
    let child_of = operation.child_of.as_deref();
    let wants = [
        Some(Want::Uid(operation.uid)),
        Some(Want::Name(&operation.name)),
        request.map(|(method, parent, id)| Want::Request(method, parent, id)),
        key.map(Want::ExclusiveKey),
        child_of.map(|it| Want::Step(it.uid, &it.step.key)),
    ];
    wants.into_iter().flatten()
}

/// The scope in which a request id is unique.
fn request(operation: &NewOperation) -> Option<(&str, &str, &str)> {
    let id = &operation.request_id.as_ref()?.id;
    Some((&operation.method, operation.name.parent(), id))
}

fn distinct<'o, K: Hash + Eq>(
    operations: &'o [NewOperation],
    open: &[usize],
    key: impl Fn(&'o NewOperation) -> Option<K>,
) -> bool {
    let mut seen = HashSet::with_capacity(open.len());
    let mut keys = open.iter().filter_map(|place| key(&operations[*place]));
    keys.all(|key| seen.insert(key))
}

#[cfg(test)]
mod tests {
    use lro_core::store::RequestId;
    use prost_types::Any;
    use uuid::Uuid;

    use lro_core::store::{ChildOf, StepKind, StepWrite};

    use super::*;

    fn new(name: &str, exclusive_key: Option<&str>, request: Option<&str>) -> NewOperation {
        let name = format!("operations/{name}").parse().unwrap();
        let mut operation = NewOperation::new(Uuid::now_v7(), name, "/s.S/M", Any::default());
        operation.exclusive_key = exclusive_key.map(str::to_owned);
        operation.request_id = request.map(|id| RequestId {
            id: id.to_owned(),
            fingerprint: [0; 32],
        });
        operation
    }

    #[test]
    fn every_node_has_the_same() {
        let group = [
            new("c", None, Some("r2")),
            new("d", Some("k2"), None),
            new("b", None, None),
            new("e", Some("k1"), Some("r1")),
            new("a", None, None),
        ];
        assert_eq!(common_order(&group, &[0, 1, 2, 3, 4]), [4, 2, 0, 3, 1]);
        assert_eq!(common_order(&group, &[3, 1, 0]), [0, 3, 1]);
    }

    #[test]
    fn children_that_want_the_same_are_stored_one_after_the_other() {
        let child_of = |parent, step: &str, mut operation: NewOperation| {
            operation.child_of = Some(Box::new(ChildOf {
                operation: "operations/parent".parse().unwrap(),
                uid: parent,
                fence: 1,
                step: StepWrite::begun(step.parse().unwrap(), StepKind::Child),
                is_left: false,
            }));
            operation
        };
        let parent = Uuid::now_v7();
        let first = child_of(parent, "a", new("a", Some("k"), Some("r")));
        let other = child_of(parent, "b", new("b", None, None));
        let mut twin = other.clone();
        twin.uid = first.uid;
        let lens = |operations: &[NewOperation]| {
            let groups = apart(operations).into_iter();
            groups.map(<[_]>::len).collect::<Vec<_>>()
        };
        assert_eq!(lens(&[]), []);
        assert_eq!(lens(&[first.clone(), other.clone()]), [2]);
        for same in [
            child_of(parent, "b", new("a", None, None)),
            child_of(parent, "b", new("b", None, Some("r"))),
            child_of(parent, "b", new("b", Some("k"), None)),
            child_of(parent, "a", new("b", None, None)),
            child_of(first.uid, "a", new("b", None, None)),
            twin,
        ] {
            let distinct = child_of(parent, "c", new("c", None, None));
            let all = [first.clone(), same, distinct];
            assert_eq!(lens(&all), [1, 2], "{all:?}");
        }
    }

    #[test]
    fn the_earlier_of_two_that_want_the_same_stays_the_earlier() {
        let same_name = [new("a", Some("k"), None), new("a", None, None)];
        let same_request = [new("b", None, Some("r")), new("a", None, Some("r"))];
        for group in [same_name, same_request] {
            assert_eq!(common_order(&group, &[0, 1]), [0, 1]);
        }
        let same_key = [
            new("c", Some("k2"), Some("r")),
            new("b", Some("k1"), None),
            new("a", Some("k2"), None),
        ];
        assert_eq!(common_order(&same_key, &[0, 1, 2]), [1, 0, 2]);
    }
}
