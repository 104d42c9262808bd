use std::sync::Arc;

use lro_core::store::OperationRecord;
use lro_core::{OperationName, ParentPattern};
use tonic::{Code, Status};

use super::grant::Grant;
use super::refusal::{
    collection, denied, no_such_parent, scopes_missing, start_denied, unimplemented,
};
use super::{Access, Authorizer, Call, Caller, OperationsRpc, Principal, StartCall};
use crate::rpc::error::not_found;
use crate::rpc::status::complete;
use crate::services::{ServiceSettings, Services};

/// Where calls come in: knows the services, and asks the authorizer.
#[derive(Debug)]
pub(crate) struct Gate {
    services: Services,
    authorizer: Option<Arc<dyn Authorizer>>,
}

impl Gate {
    pub(crate) fn new(services: Services, authorizer: Option<Arc<dyn Authorizer>>) -> Self {
        Self {
            services,
            authorizer,
        }
    }

    pub(crate) fn services(&self) -> &Services {
        &self.services
    }

    pub(super) fn authorizer(&self) -> Option<&dyn Authorizer> {
        self.authorizer.as_deref()
    }

    /// Whether an authorizer is asked, who may look at what comes with a call.
    pub(crate) fn asks(&self) -> bool {
        self.authorizer.is_some()
    }

    /// Whether the server has no authorizer, and serves all names and methods.
    pub(crate) fn is_open(&self) -> bool {
        self.authorizer.is_none() && self.services.are_open()
    }

    pub(crate) async fn authenticate(&self, caller: &Caller<'_>) -> Result<Principal, Status> {
        match &self.authorizer {
            Some(authorizer) => authorizer.authenticate(caller).await.map_err(complete),
            None => Ok(Principal::default()),
        }
    }

    /// A call of google.longrunning.Operations comes in.
    pub(crate) async fn enter<'a>(
        &'a self,
        method: OperationsRpc,
        caller: Caller<'a>,
    ) -> Result<Visit<'a>, Status> {
        if !self.services.iter().any(|service| service.offers(method)) {
            return Err(unimplemented(method, self.services.without_names()));
        }
        let principal = self.authenticate(&caller).await?;
        Ok(self.visit(method, caller, principal))
    }

    /// An rpc wants to start an operation of this name.
    pub(crate) async fn start(
        &self,
        caller: Caller<'_>,
        principal: &Principal,
        name: &OperationName,
    ) -> Result<(), Status> {
        let service = self.services.of_start(caller.rpc(), name)?;
        if !service.admits_scopes(principal, false) {
            return Err(scopes_missing(caller.rpc(), name.parent()));
        }
        let Some(authorizer) = self.authorizer() else {
            return Ok(());
        };
        let start = StartCall {
            caller,
            principal,
            service: crate::services::service_of(caller.rpc()),
            name,
        };
        match yes_or_no(authorizer.authorize_start(&start).await)? {
            Access::Allowed => Ok(()),
            Access::Denied => Err(start_denied(caller.rpc(), name)),
        }
    }

    /// Whether the caller of a start may know of an operation that is in its way.
    pub(crate) async fn may_get(
        &self,
        caller: Caller<'_>,
        principal: &Principal,
        name: &OperationName,
        record: Option<OperationRecord>,
    ) -> bool {
        let visit = self.visit(OperationsRpc::Get, caller, principal.clone());
        match visit.operation(name).await {
            Ok(grant) => match grant.admit(record).await {
                Ok(_) => true,
                // Deleted, and not ended: one who may list the parent may know.
                Err(error) => error.code() == Code::NotFound,
            },
            Err(_) => false,
        }
    }

    pub(super) fn visit<'a>(
        &'a self,
        method: OperationsRpc,
        caller: Caller<'a>,
        principal: Principal,
    ) -> Visit<'a> {
        Visit {
            gate: self,
            caller,
            principal,
            method,
        }
    }
}

/// A call whose caller is known.
#[derive(Clone, Debug)]
pub(crate) struct Visit<'a> {
    pub(super) gate: &'a Gate,
    pub(super) caller: Caller<'a>,
    pub(super) principal: Principal,
    pub(super) method: OperationsRpc,
}

impl<'a> Visit<'a> {
    /// The principal that calls.
    pub(crate) fn principal(&self) -> &Principal {
        &self.principal
    }

    /// Admits a call about one operation, which has not been read yet.
    pub(crate) async fn operation(self, name: &'a OperationName) -> Result<Grant<'a>, Status> {
        if name.is_watch() {
            return Err(not_found(name));
        }
        if self.gate.is_open() {
            return Ok(Grant::trusted(Some(name)));
        }
        let parent = pattern(name);
        let mut services = self.gate.services.below(&parent);
        if services.is_empty() {
            services.push(self.gate.services.without_names());
        } else if !services.iter().any(|it| it.offers(self.method)) {
            return Err(unimplemented(self.method, services[0]));
        }
        let mut asked = Vec::with_capacity(services.len());
        let mut first_denial = None;
        for service in services {
            let denial = self.ask(service, self.method, Some(name), &parent).await?;
            asked.push((service, denial.is_none()));
            first_denial = first_denial.or(denial);
        }
        match first_denial {
            Some(denial) if !asked.iter().any(|(_, allowed)| *allowed) => Err(denial),
            _ => Ok(Grant::operation(self, name, parent, asked)),
        }
    }

    /// It is a list.
    pub(crate) async fn list(self, parent: &ParentPattern) -> Result<Grant<'a>, Status> {
        if self.gate.is_open() {
            return Ok(Grant::trusted(None));
        }
        let services = self.gate.services.below(parent);
        if services.is_empty() {
            let service = self.gate.services.without_names();
            let denial = self.ask(service, self.method, None, parent).await?;
            return Err(denial.unwrap_or_else(|| no_such_parent(parent)));
        }
        let offered = |it: &&&ServiceSettings| it.offers(self.method);
        let offered: Vec<_> = services.iter().filter(offered).copied().collect();
        if offered.is_empty() {
            return Err(unimplemented(self.method, services[0]));
        }
        // All of them, so that a list is the same for everybody who gets one (AIP-132).
        for service in &offered {
            if let Some(denial) = self.ask(service, self.method, None, parent).await? {
                return Err(denial);
            }
        }
        Ok(Grant::list(self, parent.clone(), offered))
    }

    /// Asks the scopes of a service and the authorizer. `Some` is the denial, and an error says that the
    /// authorizer could not decide.
    pub(super) async fn ask(
        &self,
        service: &ServiceSettings,
        method: OperationsRpc,
        name: Option<&OperationName>,
        parent: &ParentPattern,
    ) -> Result<Option<Status>, Status> {
        let resource = || match name {
            Some(name) => name.as_str().to_owned(),
            None => collection(parent.as_str()),
        };
        if !service.admits_scopes(&self.principal, method.is_read_only()) {
            let permission = service.permission(method);
            return Ok(Some(scopes_missing(&permission, &resource())));
        }
        let Some(authorizer) = self.gate.authorizer() else {
            return Ok(None);
        };
        let permission = service.permission(method);
        let call = self.call(service, &permission, method, name, parent);
        Ok(match yes_or_no(authorizer.authorize(&call).await)? {
            Access::Allowed => None,
            Access::Denied => Some(denied(&permission, &resource())),
        })
    }

    pub(super) fn call<'c>(
        &'c self,
        service: &'c ServiceSettings,
        permission: &'c str,
        method: OperationsRpc,
        name: Option<&'c OperationName>,
        parent: &'c ParentPattern,
    ) -> Call<'c> {
        Call {
            caller: self.caller,
            principal: &self.principal,
            method,
            service: service.name(),
            permission,
            name,
            parent,
        }
    }
}

/// The parent of a name, which has no open segments.
fn pattern(name: &OperationName) -> ParentPattern {
    // The parent of a valid name is always a valid parent.
    let parent = name.parent().parse::<lro_core::ParentName>();
    parent.map(ParentPattern::from).unwrap_or_default()
}

/// The authorizer's answer. PERMISSION_DENIED is a denial, whatever its text: an own text could
/// reveal which operations exist.
pub(super) fn yes_or_no(answer: Result<Access, Status>) -> Result<Access, Status> {
    match answer {
        Err(status) if status.code() == Code::PermissionDenied => Ok(Access::Denied),
        answer => answer.map_err(complete),
    }
}
