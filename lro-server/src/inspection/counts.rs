//! Numbers of operations.

use std::collections::BTreeMap;

use lro_core::filter::Filter;
use lro_core::inspection as pb;
use lro_core::inspection::count_operations_request::GroupBy;
use lro_core::inspection::operation_record::State;
use lro_core::store::ListQuery;
use lro_core::{ParentPattern, Reason, Timestamp};
use tonic::Status;

use super::InspectionService;
use super::record::{state, time};
use crate::access::Pass;
use crate::rpc::error::store_failed;

/// The most operations that a count looks at.
const MAX_EXAMINED: usize = 10_000;

/// The operations on each page that is counted, and the bytes that it has at most.
const PAGE_LEN: usize = 200;
const PAGE_BYTES: usize = 4 << 20;

impl InspectionService {
    pub(super) async fn count(
        &self,
        pass: &Pass<'_>,
        parent: ParentPattern,
        request: &pb::CountOperationsRequest,
    ) -> Result<pb::CountOperationsResponse, Status> {
        let grouping = Grouping::of(&request.group_by)?;
        let policy = self.operations.gate().services().list_policy(&parent);
        let filter = Filter::parse(&request.filter, &policy.schema).map_err(Status::from)?;
        let mut query = ListQuery::new(parent, PAGE_LEN);
        query.filter = filter;
        query.max_bytes = PAGE_BYTES;
        let max_examined = max_examined(request.max_examined)?;
        let counts = self.counted(query, max_examined).await?;
        Ok(grouped(&counts, grouping, |method| {
            pass.lists_method(method)
        }))
    }

    /// Counts what pages of the list show, until they have looked at so many operations.
    async fn counted(&self, mut query: ListQuery, max_examined: usize) -> Result<Counts, Status> {
        let engine = self.operations.engine();
        let mut counts = Counts {
            groups: BTreeMap::new(),
            is_exact: false,
            as_of: engine.clock().now(),
        };
        let mut left = max_examined;
        while left > 0 {
            query.limit = left.min(PAGE_LEN);
            query.max_examined = query.limit;
            let page = engine.store().list(query.clone()).await;
            let page = page.map_err(|error| store_failed(&error))?;
            for record in page.records {
                let group = (record.method, state(record.state).into());
                *counts.groups.entry(group).or_default() += 1;
            }
            query.after = page.next;
            if query.after.is_none() {
                counts.is_exact = true;
                break;
            }
            left -= query.limit;
        }
        Ok(counts)
    }
}

/// The number of operations by method and state.
#[derive(Debug)]
struct Counts {
    groups: BTreeMap<(String, i32), u64>,
    /// Whether there are no more.
    is_exact: bool,
    as_of: Timestamp,
}

fn max_examined(wanted: i32) -> Result<usize, Status> {
    let most = MAX_EXAMINED;
    match usize::try_from(wanted) {
        Ok(0) => Ok(most),
        Ok(wanted) => Ok(wanted.min(most)),
        Err(_) => {
            let message = "is negative; leave it at 0 for the largest number";
            Err(Reason::InvalidField.field_status("max_examined", message))
        }
    }
}

/// What groups differ in.
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
    let mut groups: BTreeMap<(i32, String), u64> = BTreeMap::new();
    for ((method, state), count) in counts.groups.iter().filter(|((it, _), _)| lists(it)) {
        let state = match grouping.by_state {
            true => *state,
            false => State::Unspecified.into(),
        };
        let method = match grouping.by_method {
            true => method.clone(),
            false => String::new(),
        };
        *groups.entry((state, method)).or_default() += count;
    }
    let number = |count: u64| i64::try_from(count).unwrap_or(i64::MAX);
    let total = groups.values().sum();
    let groups = groups.into_iter();
    pb::CountOperationsResponse {
        counts: groups
            .map(|((state, method), count)| pb::OperationCount {
                state,
                method,
                count: number(count),
                exact: counts.is_exact,
            })
            .collect(),
        total: number(total),
        exact: counts.is_exact,
        as_of: Some(time(counts.as_of)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts() -> Counts {
        let of = |method: &str, state: State| (method.to_owned(), state.into());
        let groups = [
            (of("/s/A", State::Failed), 2),
            (of("/s/A", State::Running), 1_000),
            (of("/s/B", State::Failed), 3),
            (of("/t/C", State::Failed), 50),
        ];
        Counts {
            groups: groups.into(),
            is_exact: false,
            as_of: Timestamp::EPOCH,
        }
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
    fn groups_are_added_up() {
        assert_eq!(
            of(&[GroupBy::State]),
            [
                (State::Running, String::new(), 1_000, false),
                (State::Failed, String::new(), 5, false),
            ]
        );
        assert_eq!(
            of(&[GroupBy::Method]),
            [
                (State::Unspecified, "/s/A".to_owned(), 1_002, false),
                (State::Unspecified, "/s/B".to_owned(), 3, false),
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
