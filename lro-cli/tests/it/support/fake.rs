//! A server that says what a test tells it to: over TCP, with reflection or without.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex};

use lro_core::Timestamp;
use lro_core::filter::{Filter, Schema};
use lro_core::inspection::inspection_server::InspectionServer;
use lro_core::inspection::{OperationRecord, WatchOperationsResponse};
use lro_core::pb;
use lro_core::pb::operation::Result as Outcome;
use lro_core::pb::operations_server::{Operations, OperationsServer};
use tokio::sync::mpsc::UnboundedReceiver;
use tokio_stream::wrappers::TcpListenerStream;
use tonic::service::interceptor::InterceptedService;
use tonic::{Request, Response, Status};

use super::inspected::Inspected;
use super::starting::{ImportRequest, Importer};
use super::{Hands, types};

/// A state of an operation, and the time at which the server tells it.
pub(crate) struct Step(
    pub(crate) Result<pb::Operation, Status>,
    pub(crate) Option<Timestamp>,
);

/// A message of a stream of changes, or its end.
pub(crate) type Told = Result<WatchOperationsResponse, Status>;

/// The scripted operations, newest first.
#[derive(Default)]
pub(crate) struct Script {
    pub(crate) order: Vec<String>,
    steps: HashMap<String, VecDeque<Step>>,
    pub(crate) clock: Hands,
    /// Whether the server has WaitOperation.
    pub(crate) waits: bool,
    /// Refuses every filter.
    pub(crate) refuses_filters: bool,
    pub(crate) calls: Vec<String>,
    /// Told of each call.
    more: Arc<tokio::sync::Notify>,
    /// The errors of the next lists.
    pub(crate) lists_fail: Vec<Status>,
    /// Whether reflection shows the comments of protos.
    pub(crate) comments: bool,
    /// The records of the inspection service, by name. Without any there is no such service.
    pub(crate) records: HashMap<String, OperationRecord>,
    /// The streams of the inspection service, one for each call; without one the call is refused.
    pub(crate) watches: VecDeque<UnboundedReceiver<Told>>,
    /// How many calls of resubmit come before one is answered.
    pub(crate) resubmits_at_once: Option<Arc<tokio::sync::Barrier>>,
    /// The requests that have started operations, and the errors of the next ones.
    pub(crate) imports: Vec<ImportRequest>,
    pub(crate) imports_fail: Vec<Status>,
    /// The headers of the last call of reflection.
    reflection_headers: Vec<(String, String)>,
    /// The headers of the last call.
    pub(crate) headers: Vec<(String, String)>,
}

/// A server that runs until it is dropped.
pub(crate) struct Fake {
    pub(crate) url: String,
    pub(crate) script: Arc<Mutex<Script>>,
    serving: tokio::task::JoinHandle<()>,
}

/// Which reflection a server has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reflects {
    V1,
    V1Alpha,
    Nothing,
}

impl Script {
    pub(crate) fn new() -> Self {
        Self {
            waits: true,
            ..Self::default()
        }
    }

    /// Adds an operation that stays as it is.
    pub(crate) fn operation(mut self, operation: pb::Operation) -> Self {
        let name = operation.name.clone();
        self.order.push(name.clone());
        self.steps
            .insert(name, VecDeque::from([Step(Ok(operation), None)]));
        self
    }

    /// Adds an operation with a step for each call; the last one stays.
    pub(crate) fn steps(mut self, name: &str, steps: Vec<Step>) -> Self {
        self.order.push(name.to_owned());
        self.steps.insert(name.to_owned(), steps.into());
        self
    }

    /// Adds an operation, newer than all others, to a server that runs.
    pub(crate) fn add(&mut self, operation: pb::Operation) {
        let name = operation.name.clone();
        self.order.insert(0, name.clone());
        self.set(operation);
        debug_assert!(self.steps.contains_key(&name));
    }

    /// Changes an operation, which stays as it is now.
    pub(crate) fn set(&mut self, operation: pb::Operation) {
        let name = operation.name.clone();
        self.steps
            .insert(name, VecDeque::from([Step(Ok(operation), None)]));
    }

    /// The state of an operation, without a step.
    pub(crate) fn now(&self, name: &str) -> Option<pb::Operation> {
        self.steps.get(name)?.front()?.0.clone().ok()
    }

    fn step(&mut self, name: &str) -> Result<pb::Operation, Status> {
        let steps = self.steps.get_mut(name);
        let steps =
            steps.ok_or_else(|| Status::not_found(format!("there is no operation `{name}`")))?;
        let step = match steps.len() {
            1 => steps.front().map(|Step(state, at)| (state.clone(), *at)),
            _ => steps.pop_front().map(|Step(state, at)| (state, at)),
        };
        let (state, at) = step.unwrap();
        if let Some(at) = at {
            self.clock.set(at);
        }
        state
    }
}

impl Fake {
    pub(crate) async fn start(script: Script) -> Self {
        Self::reflecting(script, Reflects::V1).await
    }

    pub(crate) async fn reflecting(script: Script, reflects: Reflects) -> Self {
        let is_inspected = !script.records.is_empty();
        let set = if script.comments {
            types::descriptor_set_with_comments()
        } else {
            types::descriptor_set()
        };
        let script = Arc::new(Mutex::new(script));
        let service = OperationsServer::new(Scripted(script.clone()));
        let builder = || {
            let builder = tonic_reflection::server::Builder::configure()
                .register_encoded_file_descriptor_set(&set)
                .register_encoded_file_descriptor_set(lro_core::pb::FILE_DESCRIPTOR_SET);
            if is_inspected {
                let set = lro_core::inspection::FILE_DESCRIPTOR_SET;
                builder.register_encoded_file_descriptor_set(set)
            } else {
                builder
            }
        };
        let mut server = tonic::transport::Server::builder();
        let mut router = server
            .add_service(service)
            .add_service(Importer(script.clone()));
        if is_inspected {
            router = router.add_service(InspectionServer::new(Inspected(script.clone())));
        }
        let router = match reflects {
            Reflects::V1 => {
                let script = script.clone();
                let keep = move |request: Request<()>| {
                    script.lock().unwrap().reflection_headers = headers(&request);
                    Ok(request)
                };
                let service = builder().build_v1().unwrap();
                router.add_service(InterceptedService::new(service, keep))
            }
            Reflects::V1Alpha => router.add_service(builder().build_v1alpha().unwrap()),
            Reflects::Nothing => router,
        };
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let serving = tokio::spawn(async move {
            let incoming = TcpListenerStream::new(listener);
            router.serve_with_incoming(incoming).await.unwrap();
        });
        Self {
            url,
            script,
            serving,
        }
    }

    pub(crate) fn calls(&self) -> Vec<String> {
        self.script.lock().unwrap().calls.clone()
    }

    /// Waits for a call that begins so.
    pub(crate) async fn called(&self, call: &str) {
        let more = self.script.lock().unwrap().more.clone();
        loop {
            let told = more.notified();
            if self.calls().iter().any(|it| it.starts_with(call)) {
                return;
            }
            told.await;
        }
    }

    /// A header of the last call of reflection.
    pub(crate) fn header_of_reflection(&self, name: &str) -> Option<String> {
        let script = self.script.lock().unwrap();
        let mut headers = script.reflection_headers.iter();
        headers
            .find(|(it, _)| it == name)
            .map(|(_, value)| value.clone())
    }

    pub(crate) fn header(&self, name: &str) -> Option<String> {
        let script = self.script.lock().unwrap();
        let found = script.headers.iter().find(|(it, _)| it == name);
        found.map(|(_, value)| value.clone())
    }
}

impl Drop for Fake {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

struct Scripted(Arc<Mutex<Script>>);

impl Scripted {
    fn called<Q>(&self, what: String, request: &Request<Q>) -> std::sync::MutexGuard<'_, Script> {
        let mut script = self.0.lock().unwrap();
        script.calls.push(what);
        script.more.notify_waiters();
        script.headers = headers(request);
        script
    }
}

fn headers<Q>(request: &Request<Q>) -> Vec<(String, String)> {
    let pairs = request.metadata().iter();
    let pairs = pairs.filter_map(|pair| match pair {
        tonic::metadata::KeyAndValueRef::Ascii(name, value) => {
            Some((name.to_string(), value.to_str().ok()?.to_owned()))
        }
        tonic::metadata::KeyAndValueRef::Binary(..) => None,
    });
    pairs.collect()
}

#[tonic::async_trait]
impl Operations for Scripted {
    async fn list_operations(
        &self,
        request: Request<pb::ListOperationsRequest>,
    ) -> Result<Response<pb::ListOperationsResponse>, Status> {
        let query = request.get_ref();
        let script = self.called(
            format!("list {} {}", query.page_size, query.filter),
            &request,
        );
        let mut script = script;
        if !script.lists_fail.is_empty() {
            return Err(script.lists_fail.remove(0));
        }
        if script.refuses_filters && !query.filter.is_empty() {
            return Err(Status::invalid_argument("filters are not supported"));
        }
        // Its errors are those of our server.
        Filter::parse(&query.filter, &Schema::default())?;
        let wanted = |operation: &pb::Operation| {
            !query.filter.contains("done = false")
                || query.filter.contains("state =")
                || !operation.done
        };
        let start: usize = query.page_token.parse().unwrap_or_default();
        let names: Vec<String> = script.order.clone();
        let size = usize::try_from(query.page_size).unwrap().max(1);
        let mut operations = Vec::new();
        let mut next = names.len();
        for (index, name) in names.iter().enumerate().skip(start) {
            if operations.len() == size {
                next = index;
                break;
            }
            let state = script.steps[name]
                .front()
                .map(|Step(state, _)| state.clone())
                .unwrap();
            if let Ok(operation) = state
                && wanted(&operation)
            {
                operations.push(operation);
            }
        }
        let next_page_token = if next < names.len() {
            next.to_string()
        } else {
            String::new()
        };
        Ok(Response::new(pb::ListOperationsResponse {
            operations,
            next_page_token,
            ..Default::default()
        }))
    }

    async fn get_operation(
        &self,
        request: Request<pb::GetOperationRequest>,
    ) -> Result<Response<pb::Operation>, Status> {
        let name = request.get_ref().name.clone();
        self.called(format!("get {name}"), &request)
            .step(&name)
            .map(Response::new)
    }

    async fn delete_operation(
        &self,
        request: Request<pb::DeleteOperationRequest>,
    ) -> Result<Response<()>, Status> {
        let name = request.get_ref().name.clone();
        let mut script = self.called(format!("delete {name}"), &request);
        script.order.retain(|it| *it != name);
        match script.steps.remove(&name) {
            Some(_) => Ok(Response::new(())),
            None => Err(Status::not_found(format!("there is no operation `{name}`"))),
        }
    }

    /// The operation ends CANCELLED, unless there are more steps for it.
    async fn cancel_operation(
        &self,
        request: Request<pb::CancelOperationRequest>,
    ) -> Result<Response<()>, Status> {
        let name = request.get_ref().name.clone();
        let mut script = self.called(format!("cancel {name}"), &request);
        let steps = script.steps.get_mut(&name);
        let steps =
            steps.ok_or_else(|| Status::not_found(format!("there is no operation `{name}`")))?;
        if steps.len() > 1 {
            steps.pop_front();
        } else if let Some(Step(Ok(operation), _)) = steps.front_mut()
            && !operation.done
        {
            operation.done = true;
            let status = pb::rpc::Status {
                code: 1,
                message: "on request".into(),
                details: Vec::new(),
            };
            operation.result = Some(Outcome::Error(status));
        }
        Ok(Response::new(()))
    }

    async fn wait_operation(
        &self,
        request: Request<pb::WaitOperationRequest>,
    ) -> Result<Response<pb::Operation>, Status> {
        let name = request.get_ref().name.clone();
        let mut script = self.called(format!("wait {name}"), &request);
        if !script.waits {
            return Err(Status::unimplemented(""));
        }
        script.step(&name).map(Response::new)
    }
}
