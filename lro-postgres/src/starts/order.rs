//! In which order a group is inserted.

use std::collections::HashSet;
use std::hash::Hash;

use lro_core::NewOperation;

/// The open places, in the order in which every node inserts what others may insert at the same time:
/// two groups that want the same keys in different orders would wait for each other until one of them
/// is ended, a second each time. Keys that are held on purpose come first.
///
/// Where two of the group want the same, the earlier one is to get it: such a group stays as it is.
pub(super) fn common_order(operations: &[NewOperation], open: &[usize]) -> Vec<usize> {
    let mut places = open.to_vec();
    let are_distinct = distinct(operations, open, |it| Some(it.uid))
        && distinct(operations, open, |it| Some(&it.name))
        && distinct(operations, open, |it| it.exclusive_key.as_ref())
        && distinct(operations, open, request);
    if are_distinct {
        places.sort_by_key(|place| {
            let it = &operations[*place];
            (&it.exclusive_key, request(it), &it.name)
        });
    }
    places
}

fn request(operation: &NewOperation) -> Option<&String> {
    operation.request_id.as_ref().map(|request| &request.id)
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
    use lro_core::RequestId;
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
        let same_key = [new("b", Some("k"), None), new("a", Some("k"), None)];
        let same_request = [new("b", None, Some("r")), new("a", None, Some("r"))];
        for group in [same_name, same_key, same_request] {
            assert_eq!(common_order(&group, &[0, 1]), [0, 1]);
        }
    }
}
