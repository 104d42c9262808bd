//! In which order a group is inserted.

use std::collections::HashSet;
use std::hash::Hash;

use lro_core::store::NewOperation;

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
