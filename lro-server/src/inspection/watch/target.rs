//! The target of a watch, and how it is read. Each look is authorized anew.

use std::collections::BTreeSet;

use lro_core::inspection as pb;
use lro_core::{OperationName, OperationsRpc, ParentPattern, Reason, pb as longrunning};
use tonic::{Code, Status};

use super::{Found, Watch};
use crate::access::InspectionPermission;
use crate::changes::Changes;
use crate::inspection::service::{parse, parse_parent};

/// How many operations a watch of a filter begins with.
const MAX_SNAPSHOT: usize = 1_000;

pub(super) enum Target {
    /// Those of these operations that have not ended.
    Names { open: BTreeSet<OperationName> },
    /// The operations below a parent that match.
    Filter {
        parent: ParentPattern,
        filter: String,
    },
}

impl Target {
    /// # Errors
    ///
    /// INVALID_ARGUMENT for a malformed name or parent, for names beside a filter, and for too many
    /// names.
    pub(super) fn of(request: pb::WatchOperationsRequest) -> Result<Self, Status> {
        if request.names.is_empty() {
            return Ok(Self::Filter {
                parent: parse_parent(&request.parent)?,
                filter: request.filter,
            });
        }
        let invalid = |text: String| Reason::InvalidField.field_status("names", text);
        if !request.parent.is_empty() || !request.filter.is_empty() || request.only_changes {
            let message = "stand beside a parent, a filter or `only_changes`; give either names, or \
                           a parent and a filter";
            return Err(invalid(message.to_owned()));
        }
        let max = Changes::MAX_FOLLOWED;
        if request.names.len() > max {
            let count = request.names.len();
            return Err(invalid(format!(
                "are {count}, more than the {max} of a watch"
            )));
        }
        let names = request.names.iter().map(|name| parse(name));
        Ok(Self::Names {
            open: names.collect::<Result<_, _>>()?,
        })
    }

    /// Whether no operation is left that can change.
    pub(super) fn is_over(&self) -> bool {
        matches!(self, Self::Names { open } if open.is_empty())
    }
}

impl Watch {
    pub(super) async fn named(&self, names: &[OperationName]) -> Result<Found, Status> {
        let service = &self.service;
        let visit = service.enter(OperationsRpc::Get, self.caller()).await?;
        let around = service.surroundings(visit.sight().await?);
        let mut found = Found::default();
        for name in names {
            let grant = visit.clone().operation(name).await?;
            match service.operations.record(&grant, name).await {
                Ok(record) => {
                    grant
                        .inspects(InspectionPermission::Inspect, &record)
                        .await?;
                    let shown = service.show(&record, self.view, &around);
                    found.records.push((name.clone(), shown));
                }
                Err(error) if error.code() == Code::NotFound => found.removed.push(name.clone()),
                Err(error) => return Err(error),
            }
        }
        Ok(found)
    }

    /// The newest operations that match.
    pub(super) async fn newest(
        &self,
        parent: &ParentPattern,
        filter: &str,
        only_changes: bool,
    ) -> Result<Found, Status> {
        let service = &self.service;
        let visit = service.enter(OperationsRpc::List, self.caller()).await?;
        let around = service.surroundings(visit.sight().await?);
        let grant = visit.list(parent).await?;
        grant.inspects_list(InspectionPermission::Inspect).await?;
        let mut listing = service
            .operations
            .listing(&grant, parent.clone(), &request(filter), None, None)
            .await?;
        let mut found = Found::default();
        while !only_changes && found.records.len() < MAX_SNAPSHOT {
            let page = service.operations.page_of(&listing).await?;
            let left = MAX_SNAPSHOT - found.records.len();
            let records = page.records.iter().filter(|record| grant.lists(record));
            found.records.extend(records.take(left).map(|record| {
                let shown = service.show(record, self.view, &around);
                (record.name.clone(), shown)
            }));
            match page.next {
                Some(next) => listing.continue_behind(next),
                None => break,
            }
        }
        Ok(found)
    }

    /// Those of the named operations that match, and those of the known ones that do no more.
    pub(super) async fn matching(
        &self,
        parent: &ParentPattern,
        filter: &str,
        names: &[OperationName],
        known: &BTreeSet<OperationName>,
    ) -> Result<Found, Status> {
        let service = &self.service;
        let visit = service.enter(OperationsRpc::List, self.caller()).await?;
        let around = service.surroundings(visit.sight().await?);
        let grant = visit.list(parent).await?;
        grant.inspects_list(InspectionPermission::Inspect).await?;
        let listing = service
            .operations
            .listing(&grant, parent.clone(), &request(filter), None, None)
            .await?;
        let mut found = Found::default();
        for name in names.iter().filter(|name| parent.matches(name.parent())) {
            let record = service.operations.find(name).await?;
            match record.filter(|it| listing.matches(it) && grant.lists(it)) {
                Some(record) => {
                    let shown = service.show(&record, self.view, &around);
                    found.records.push((name.clone(), shown));
                }
                // The caller hears nothing of operations that it was not sent.
                None if known.contains(name) => found.removed.push(name.clone()),
                None => {}
            }
        }
        Ok(found)
    }
}

fn request(filter: &str) -> longrunning::ListOperationsRequest {
    longrunning::ListOperationsRequest {
        filter: filter.to_owned(),
        ..Default::default()
    }
}
