//! Numbers of operations.

use std::collections::BTreeMap;

use lro_core::filter::Filter;
use lro_core::inspection as pb;
use lro_core::inspection::count_operations_request::GroupBy;
use lro_core::inspection::operation_record::State;
use lro_core::store::{CountQuery, Counts};
use lro_core::{ParentPattern, Reason};
use tonic::Status;

use super::InspectionService;
use super::record::{state, time};
use crate::access::Grant;
use crate::rpc::error::store_failed;

impl InspectionService {
    pub(super) async fn count(
        &self,
        grant: &Grant<'_>,
        parent: ParentPattern,
        request: &pb::CountOperationsRequest,
    ) -> Result<pb::CountOperationsResponse, Status> {
        let grouping = Grouping::of(&request.group_by)?;
        let query = self.count_query(parent, request)?;
        let counts = self.operations.engine().store().count(query).await;
        let counts = counts.map_err(|error| store_failed(&error))?;
        Ok(grouped(&counts, grouping, |method| {
            grant.lists_method(method)
        }))
    }

    /// The same, of counts that are a few seconds old at most and that all callers share.
    pub(super) async fn count_recent(
        &self,
        grant: &Grant<'_>,
        parent: ParentPattern,
        request: &pb::CountOperationsRequest,
    ) -> Result<pb::CountOperationsResponse, Status> {
        let grouping = Grouping::of(&request.group_by)?;
        let key = (parent.as_str().to_owned(), request.filter.clone());
        let query = self.count_query(parent, request)?;
        let store = self.operations.engine().store();
        let counts = self.recent.get(key, || store.count(query)).await;
        let counts = counts.map_err(|error| store_failed(&error))?;
        Ok(grouped(&counts, grouping, |method| {
            grant.lists_method(method)
        }))
    }

    fn count_query(
        &self,
        parent: ParentPattern,
        request: &pb::CountOperationsRequest,
    ) -> Result<CountQuery, Status> {
        let policy = self.operations.gate().services().list_policy(&parent);
        let filter = Filter::parse(&request.filter, &policy.schema).map_err(Status::from)?;
        let mut query = CountQuery::new(parent);
        query.filter = filter;
        query.max_examined = max_examined(request.max_examined)?;
        Ok(query)
    }
}

fn max_examined(wanted: i32) -> Result<usize, Status> {
    let most = CountQuery::DEFAULT_MAX_EXAMINED;
    match usize::try_from(wanted) {
        Ok(0) => Ok(most),
        Ok(wanted) => Ok(wanted.min(most)),
        Err(_) => {
            let message = "is negative; leave it at 0 for the largest number";
            Err(Reason::InvalidField.field_status("max_examined", message))
        }
    }
}

/// The properties that groups differ in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Grouping {
    by_state: bool,
    by_method: bool,
}

impl Grouping {
    fn of(wanted: &[i32]) -> Result<Self, Status> {
        let mut grouping = Self {
            by_state: wanted.is_empty(),
            by_method: wanted.is_empty(),
        };
        for property in wanted {
            match GroupBy::try_from(*property) {
                Ok(GroupBy::State) => grouping.by_state = true,
                Ok(GroupBy::Method) => grouping.by_method = true,
                Ok(GroupBy::Unspecified) | Err(_) => {
                    let message = format!("{property} is no property; give STATE or METHOD");
                    return Err(Reason::InvalidField.field_status("group_by", message));
                }
            }
        }
        Ok(grouping)
    }
}

/// The groups of those methods that the caller may list.
fn grouped(
    counts: &Counts,
    grouping: Grouping,
    lists: impl Fn(&str) -> bool,
) -> pb::CountOperationsResponse {
    let mut groups: BTreeMap<(i32, String), (u64, bool)> = BTreeMap::new();
    for count in counts.groups.iter().filter(|it| lists(&it.method)) {
        let state = if grouping.by_state {
            state(count.state)
        } else {
            State::Unspecified
        };
        let method = if grouping.by_method {
            count.method.clone()
        } else {
            String::new()
        };
        let (number, exact) = groups.entry((state.into(), method)).or_insert((0, true));
        *number = number.saturating_add(count.count);
        *exact &= count.is_exact;
    }
    let number = |count: u64| i64::try_from(count).unwrap_or(i64::MAX);
    let total = groups.values().map(|(count, _)| count).sum();
    let groups = groups.into_iter();
    pb::CountOperationsResponse {
        counts: groups
            .map(|((state, method), (count, exact))| pb::OperationCount {
                state,
                method,
                count: number(count),
                exact,
            })
            .collect(),
        total: number(total),
        exact: counts.is_exact,
        as_of: Some(time(counts.as_of)),
    }
}

#[cfg(test)]
mod tests {
    use lro_core::Timestamp;
    use lro_core::store::{Count, OperationState};

    use super::*;

    fn counts() -> Counts {
        let groups = vec![
            Count::new("/s/A", OperationState::Failed, 2, true),
            Count::new("/s/A", OperationState::Running, 1_000, false),
            Count::new("/s/B", OperationState::Failed, 3, true),
            Count::new("/t/C", OperationState::Failed, 50, true),
        ];
        Counts::new(groups, false, Timestamp::EPOCH)
    }

    fn of(group_by: &[GroupBy]) -> Vec<(State, String, i64, bool)> {
        let wanted: Vec<i32> = group_by.iter().map(|it| (*it).into()).collect();
        let grouping = Grouping::of(&wanted).unwrap();
        let response = grouped(&counts(), grouping, |method| method.starts_with("/s/"));
        assert_eq!(response.total, 1_005, "without those of another service");
        assert!(!response.exact);
        let counts = response.counts.into_iter();
        counts
            .map(|it| (it.state(), it.method.clone(), it.count, it.exact))
            .collect()
    }

    #[test]
    fn groups_are_added_up_and_exact_if_all_their_parts_are() {
        assert_eq!(
            of(&[GroupBy::State]),
            [
                (State::Running, String::new(), 1_000, false),
                (State::Failed, String::new(), 5, true),
            ]
        );
        assert_eq!(
            of(&[GroupBy::Method]),
            [
                (State::Unspecified, "/s/A".to_owned(), 1_002, false),
                (State::Unspecified, "/s/B".to_owned(), 3, true),
            ]
        );
        assert_eq!(of(&[]).len(), 3);
        assert_eq!(of(&[GroupBy::Method, GroupBy::State]), of(&[]));
    }

    #[test]
    fn malformed_requests_name_the_field() {
        for wanted in [0, 7] {
            let error = Grouping::of(&[wanted]).unwrap_err();
            assert!(error.message().starts_with("group_by: "), "{error}");
        }
        let error = max_examined(-1).unwrap_err();
        assert!(error.message().starts_with("max_examined: "), "{error}");
        assert_eq!(max_examined(7).unwrap(), 7);
        assert_eq!(max_examined(i32::MAX).unwrap(), max_examined(0).unwrap());
    }
}
