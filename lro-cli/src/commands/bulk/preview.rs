//! The preview of a bulk action.

use std::collections::{BTreeMap, HashMap};

use lro_core::inspection::{ListOperationsRequest, OperationRecord, RecordView, operation_record};
use lro_core::pb;

use crate::commands::count::number;
use crate::context::Context;
use crate::failure::Failure;
use crate::inspection::{Inspection, short_method};
use crate::shown::State;

/// How many pages of records are asked for at most.
const MAX_PAGES: usize = 20;

/// The records of the operations that match, by name, as far as the server tells them. They only
/// describe: what is changed is what the list of the standard has shown.
pub(super) async fn records(
    context: &Context,
    filter: &str,
    count: usize,
) -> Result<HashMap<String, OperationRecord>, Failure> {
    let mut records = HashMap::new();
    let Some(inspection) = Inspection::of(context).await? else {
        return Ok(records);
    };
    let mut page_token = String::new();
    for _ in 0..MAX_PAGES {
        let request = ListOperationsRequest {
            parent: context.parent(),
            filter: filter.to_owned(),
            page_size: i32::try_from(count.clamp(1, 1_000)).unwrap_or(1_000),
            page_token,
            view: RecordView::Summary.into(),
        };
        // Without them the types of the metadata are shown.
        let Ok(page) = inspection.list(request).await else {
            break;
        };
        for record in page.operations {
            let name = record.operation.as_ref().map(|it| it.name.clone());
            records.insert(name.unwrap_or_default(), record);
        }
        page_token = page.next_page_token;
        if page_token.is_empty() || records.len() >= count {
            break;
        }
    }
    Ok(records)
}

/// The matches, by state and method, or by the type of the metadata where the method is not told.
pub(super) fn lines(
    found: &[pb::Operation],
    records: &HashMap<String, OperationRecord>,
    at: &str,
    more: bool,
    ellipsis: &str,
) -> Vec<String> {
    let newest = found
        .first()
        .map(|it| crate::neutral::line(&crate::output::middle(&it.name, ellipsis)).into_owned());
    let newest = newest.unwrap_or_default();
    let verb = if found.len() == 1 {
        "operation matches"
    } else {
        "operations match"
    };
    let count = number(found.len(), more);
    let mut lines = vec![format!("{count} {verb} (snapshot {at}, newest {newest}):")];
    if more {
        lines.push(format!("  only the newest {} are changed", found.len()));
    }
    let mut groups: BTreeMap<(State, &str, String), usize> = BTreeMap::new();
    for operation in found {
        let state = State::of(operation);
        let record = records.get(&operation.name);
        let told = record.map(OperationRecord::state);
        let told = told.filter(|it| *it != operation_record::State::Unspecified);
        let name = told.map_or(state.name(), |it| it.as_str_name());
        let kind = match record {
            Some(record) => short_method(&record.method),
            None => kind(operation),
        };
        let group = (state, name, crate::neutral::line(kind).into_owned());
        *groups.entry(group).or_default() += 1;
    }
    // The largest first.
    let mut groups: Vec<_> = groups.into_iter().collect();
    groups.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    let groups: Vec<String> = groups
        .into_iter()
        .map(|((_, state, kind), count)| format!("{count} {state}  {kind}"))
        .collect();
    for pair in groups.chunks(2) {
        lines.push(format!("  {}", pair.join("     ")));
    }
    lines
}

fn kind(operation: &pb::Operation) -> &str {
    let url = operation.metadata.as_ref().map_or("", |it| &*it.type_url);
    let kind = lro_core::type_name(url).rsplit('.').next();
    kind.filter(|it| !it.is_empty()).unwrap_or("-")
}
