use lro_core::store::{Command, Count, CountQuery, Counts, OperationState};

use crate::store::build::*;
use crate::store::filters::query;
use crate::store::trial::Trial;

async fn count(trial: &Trial, pattern: &str, filter: &str, max_examined: usize) -> Counts {
    let list = query(pattern, filter, 1);
    let mut query = CountQuery::new(list.parent);
    query.filter = list.filter;
    query.max_examined = max_examined;
    trial.store().count(query).await.unwrap()
}

fn exact(method: &str, state: OperationState, count: u64) -> Count {
    Count::new(method, state, count, true)
}

/// Two that wait, one that runs, three that succeeded, of two methods and two parents.
async fn fill(trial: &Trial) {
    for n in 0..2 {
        trial.pending(&numbered("p", n)).await;
    }
    trial.running(&numbered("p", 2)).await;
    for n in 3..6 {
        let below = if n == 5 { "q" } else { "p" };
        let new = trial.operation(&numbered(below, n)).method(OTHER);
        let mut record = trial.running_from(new).await;
        trial.apply(&mut record, succeed(1, "r")).await.unwrap();
    }
}

pub(crate) async fn operations_are_counted_by_method_and_state(trial: Trial) {
    use OperationState::*;
    fill(&trial).await;
    let counts = count(&trial, "p", "", 1_000).await;
    let wanted = [
        exact(METHOD, Pending, 2),
        exact(METHOD, Running, 1),
        exact(OTHER, Succeeded, 2),
    ];
    assert_eq!(counts.groups, wanted);
    assert!(counts.is_exact);
    assert_eq!(counts.as_of, trial.now(), "by the clock of the store");
    let everywhere = count(&trial, "-", "done = true", 1_000).await;
    assert_eq!(everywhere.groups, [exact(OTHER, Succeeded, 3)]);
    let nothing = count(&trial, "none", "", 1_000).await;
    assert_eq!((nothing.total(), nothing.is_exact), (0, true));
}

pub(crate) async fn hidden_and_removed_operations_are_not_counted(trial: Trial) {
    use OperationState::*;
    fill(&trial).await;
    for n in [1, 2, 3] {
        let name = name(&numbered("p", n));
        trial.update(&name, Command::delete()).await.unwrap();
    }
    for filter in ["", "name != \"x\"", "done = true OR done = false"] {
        let counts = count(&trial, "p", filter, 1_000).await;
        let wanted = [exact(METHOD, Pending, 1), exact(OTHER, Succeeded, 1)];
        assert_eq!(counts.groups, wanted, "{filter}");
    }
}

pub(crate) async fn a_count_that_its_bound_stops_says_so(trial: Trial) {
    fill(&trial).await;
    for filter in ["", "done = false", "name != \"operations/x\""] {
        let all = count(&trial, "p", filter, 1_000).await;
        for max_examined in 0..5 {
            let counts = count(&trial, "p", filter, max_examined).await;
            assert!(counts.total() <= max_examined as u64, "{counts:?}");
            let is_all = counts.groups == all.groups;
            assert!(!counts.is_exact || is_all, "{filter}: {counts:?}");
            for group in counts.groups {
                let mut same = all.groups.iter();
                let same = same.find(|it| (&it.method, it.state) == (&group.method, group.state));
                let most = same.map_or(0, |it| it.count);
                let fits = if group.is_exact {
                    group.count == most
                } else {
                    group.count <= most
                };
                assert!(fits, "{filter}: {group:?} of {most}");
            }
        }
    }
    // Not even one of the hundred is missing without a word.
    for n in 100..200 {
        trial.pending(&numbered("many", n)).await;
    }
    let counts = count(&trial, "many", "", 99).await;
    assert!(!counts.is_exact);
    assert!((1..100).contains(&counts.total()), "{counts:?}");
}
