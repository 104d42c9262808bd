use std::borrow::Borrow;

use lro_core::store::OperationRecord;
use lro_core::{OperationName, ParentPattern, Reason};
use tonic::Status;

use super::gate::{Visit, yes_or_no};
use super::refusal::{denied, unimplemented};
use super::{Access, OperationFacts, OperationsRpc};
use crate::remote::Remote;
use crate::rpc::error::not_found;
use crate::services::ServiceSettings;

/// The permission of an admitted call, with the store it may use.
#[derive(Debug)]
pub(crate) struct Grant<'a> {
    pub(super) kind: Kind<'a>,
}

#[derive(Debug)]
pub(super) enum Kind<'a> {
    /// The server itself, or anybody where nothing is asked.
    Trusted { name: Option<&'a OperationName> },
    /// One operation, of one of these services, each with whether it is allowed.
    Operation {
        visit: Visit<'a>,
        name: &'a OperationName,
        parent: ParentPattern,
        services: Vec<(&'a ServiceSettings, bool)>,
    },
    /// The operations of these services.
    List {
        visit: Visit<'a>,
        #[cfg_attr(
            not(feature = "inspection"),
            expect(dead_code, reason = "only the inspection service asks for it")
        )]
        parent: ParentPattern,
        services: Vec<&'a ServiceSettings>,
    },
}

impl<'a> Grant<'a> {
    /// To do everything: with one operation, or a list.
    pub(crate) fn trusted(name: Option<&'a OperationName>) -> Self {
        Self {
            kind: Kind::Trusted { name },
        }
    }

    pub(super) fn operation(
        visit: Visit<'a>,
        name: &'a OperationName,
        parent: ParentPattern,
        services: Vec<(&'a ServiceSettings, bool)>,
    ) -> Self {
        Self {
            kind: Kind::Operation {
                visit,
                name,
                parent,
                services,
            },
        }
    }

    pub(super) fn list(
        visit: Visit<'a>,
        parent: ParentPattern,
        services: Vec<&'a ServiceSettings>,
    ) -> Self {
        Self {
            kind: Kind::List {
                visit,
                parent,
                services,
            },
        }
    }

    /// Whether what is found needs no further look.
    pub(crate) fn is_open(&self) -> bool {
        matches!(self.kind, Kind::Trusted { .. })
    }

    /// The operation that was looked for, if the caller may have it.
    pub(crate) async fn admit<R: Borrow<OperationRecord>>(
        &self,
        record: Option<R>,
    ) -> Result<R, Status> {
        let (visit, name, parent, services) = match &self.kind {
            Kind::Operation {
                visit,
                name,
                parent,
                services,
            } => (visit, *name, parent, services),
            Kind::Trusted { name } => {
                let record = record.filter(|record| !record.borrow().name.is_watch());
                return record.ok_or_else(|| missing(*name));
            }
            Kind::List { .. } => return Err(missing(None)),
        };
        // A record of a service that has no such names now is none.
        let found = record.and_then(|record| {
            let owner = services
                .iter()
                .find(|(it, _)| it.owns(&record.borrow().method));
            owner.map(|(service, allowed)| (record, *service, *allowed))
        });
        // Asked in every case, so that the time which the answer takes says nothing either.
        let listed = visit.may_list(services, parent).await?;
        // In the name of the first service, whichever it turns out to be.
        let denial = || {
            let first = services.first().map(|(service, _)| *service);
            let service = first.unwrap_or(visit.gate.services().without_names());
            denied(&service.permission(visit.method), name.as_str())
        };
        let Some((record, service, allowed)) = found else {
            return Err(match listed {
                true => not_found(name),
                false => denial(),
            });
        };
        if !allowed {
            return Err(denial());
        }
        if !service.offers(visit.method) {
            return Err(unimplemented(visit.method, service));
        }
        let Some(authorizer) = visit.gate.authorizer() else {
            return Ok(record);
        };
        let permission = service.permission(visit.method);
        let call = visit.call(service, &permission, visit.method, Some(name), parent);
        let facts = OperationFacts::new(record.borrow());
        match yes_or_no(authorizer.authorize_operation(&call, &facts).await)? {
            Access::Allowed => Ok(record),
            Access::Denied => Err(denial()),
        }
    }

    /// Whether a record belongs to the list.
    pub(crate) fn lists(&self, record: &OperationRecord) -> bool {
        self.lists_method(&record.method)
    }

    /// Whether the operations of the rpc at this path belong to the list.
    pub(crate) fn lists_method(&self, path: &str) -> bool {
        if Remote::watched_by(path).is_some() {
            return false;
        }
        match &self.kind {
            Kind::List { services, .. } => services.iter().any(|it| it.owns(path)),
            _ => true,
        }
    }

    /// Whose list it is, and of which services: what a page token is bound to besides its query.
    pub(crate) fn token_scope(&self) -> String {
        let Kind::List {
            visit, services, ..
        } = &self.kind
        else {
            return String::new();
        };
        let services: Vec<_> = services.iter().map(|it| it.name()).collect();
        format!("{}\n{}", services.join(" "), visit.principal.name())
    }
}

impl Visit<'_> {
    /// Whether the caller may know what there is below the parent.
    async fn may_list(
        &self,
        services: &[(&ServiceSettings, bool)],
        parent: &ParentPattern,
    ) -> Result<bool, Status> {
        let mut may = false;
        for (service, _) in services {
            let denial = self.ask(service, OperationsRpc::List, None, parent).await?;
            may |= denial.is_none();
        }
        Ok(may)
    }
}

fn missing(name: Option<&OperationName>) -> Status {
    match name {
        Some(name) => not_found(name),
        None => Reason::OperationNotFound.status("there is no such operation", []),
    }
}
