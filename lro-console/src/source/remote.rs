//! The operations of a server elsewhere.

mod kept;
mod steps;
mod watch;

use std::fmt;
use std::time::Duration;

use async_trait::async_trait;
use lro_client::OperationsClient;
use lro_core::inspection as wire;
use lro_core::inspection::inspection_client::InspectionClient;
use lro_core::inspection::steps_client::StepsClient;
use lro_core::pb;
use lro_core::pb::operations_client::OperationsClient as Standard;
use lro_core::{Clock as _, ListOptions, OperationName, ParentPattern, SystemClock, Timestamp};
use tokio::time::timeout;
use tonic::body::Body;
use tonic::metadata::{Ascii, MetadataValue};
use tonic::{Code, Request, Response, Status};
use tower::Service;
use tower::util::BoxCloneSyncService;

use super::{
    Abilities, Act, Action, Followed, Page, Permits, REASON, Signals, Source, StepChange, View,
    Visitor,
};
use kept::{Kept, kept};
use watch::{Ticks, Waits, Watch};

/// How often operations are asked for where the server does not push their changes.
const POLL_INTERVAL: Duration = Duration::from_secs(5);

/// How often a list is asked for new operations.
const NEWS_INTERVAL: Duration = Duration::from_secs(10);

/// How long a call may take by default.
const TIMEOUT: Duration = Duration::from_secs(30);

/// The most bytes of an answer.
const MAX_ANSWER: usize = 64 << 20;

type Transport = BoxCloneSyncService<http::Request<Body>, http::Response<Body>, Status>;

/// A server elsewhere, whose operations a [`Console`](crate::Console) shows: any server of
/// google.longrunning.
///
/// ```
/// use lro_client::OperationsClient;
/// use lro_console::{Console, Remote};
///
/// # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
/// let channel = tonic::transport::Channel::from_static("http://[::1]:50051").connect_lazy();
/// let remote = Remote::new(OperationsClient::new(channel));
/// let console = Console::of_remote(remote).title("[::1]:50051");
/// # drop(console); });
/// ```
///
/// The console calls the server with the credentials of the client, for all visitors alike. Serve it
/// on a loopback address, with [`one_time_link`](crate::Console::one_time_link).
#[derive(Clone)]
pub struct Remote {
    operations: OperationsClient,
    inspection: Option<InspectionClient<Transport>>,
    steps: Option<StepsClient<Transport>>,
    service: Option<Transport>,
    timeout: Duration,
}

impl Remote {
    /// The operations that this client reaches.
    pub fn new(operations: OperationsClient) -> Self {
        Self {
            operations,
            inspection: None,
            steps: None,
            service: None,
            timeout: TIMEOUT,
        }
    }

    /// The server offers `lro.v1.Inspection`, and this service calls it: the console then also shows
    /// records, counts and workers, resubmits operations, and receives changes as they happen. Without
    /// it, the console shows what google.longrunning tells, and asks each 5 s.
    #[must_use]
    pub fn inspection<S>(mut self, service: S) -> Self
    where
        S: Service<http::Request<Body>, Response = http::Response<Body>, Error = Status>,
        S: Clone + Send + Sync + 'static,
        S::Future: Send + 'static,
    {
        let service = BoxCloneSyncService::new(service);
        self.service = Some(service.clone());
        let client = InspectionClient::new(service);
        self.inspection = Some(client.max_decoding_message_size(MAX_ANSWER));
        self
    }

    /// The server offers `lro.v1.Steps`, and this service calls it: the page of an operation then also
    /// shows what its body has recorded, and completes promises.
    #[must_use]
    pub fn steps<S>(mut self, service: S) -> Self
    where
        S: Service<http::Request<Body>, Response = http::Response<Body>, Error = Status>,
        S: Clone + Send + Sync + 'static,
        S::Future: Send + 'static,
    {
        let client = StepsClient::new(BoxCloneSyncService::new(service));
        self.steps = Some(client.max_decoding_message_size(MAX_ANSWER));
        self
    }

    /// How long a call of the inspection service may take. Default: 30 s.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }
}

impl fmt::Debug for Remote {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Remote")
            .field("has_inspection", &self.inspection.is_some())
            .field("has_steps", &self.steps.is_some())
            .finish_non_exhaustive()
    }
}

/// The server as a source.
#[derive(Debug)]
pub(crate) struct Elsewhere {
    remote: Remote,
    counts: Kept<wire::CountOperationsResponse>,
    methods: Kept<Vec<wire::Method>>,
}

impl Elsewhere {
    pub(crate) fn new(remote: Remote) -> Self {
        Self {
            remote,
            counts: Kept::default(),
            methods: Kept::default(),
        }
    }

    /// The inspection service.
    ///
    /// # Errors
    ///
    /// UNIMPLEMENTED where the server has none.
    fn inspection(&self) -> Result<InspectionClient<Transport>, Status> {
        self.remote.inspection.clone().ok_or_else(|| {
            Status::unimplemented("the server does not offer lro.v1.Inspection, which tells this")
        })
    }

    /// The standard's calls with request metadata of ours, for servers that take them.
    fn standard(&self) -> Option<Standard<Transport>> {
        let service = self.remote.service.clone()?;
        Some(Standard::new(service))
    }

    async fn within<T>(
        &self,
        call: impl Future<Output = Result<Response<T>, Status>>,
    ) -> Result<T, Status> {
        let limit = self.remote.timeout;
        match timeout(limit, call).await {
            Ok(answer) => answer.map(Response::into_inner),
            Err(_) => Err(Status::deadline_exceeded(format!(
                "no answer within {limit:?}"
            ))),
        }
    }

    async fn record(&self, name: &OperationName) -> Result<wire::OperationRecord, Status> {
        let request = wire::DescribeOperationRequest {
            name: name.as_str().to_owned(),
            unredacted: false,
        };
        let mut inspection = self.inspection()?;
        self.within(inspection.describe_operation(request)).await
    }
}

#[async_trait]
impl Source for Elsewhere {
    fn abilities(&self) -> Abilities {
        let has_inspection = self.remote.inspection.is_some();
        Abilities {
            has_inspection,
            interval: (!has_inspection).then_some(POLL_INTERVAL),
        }
    }

    /// The server knows the caller by the credentials of the client, which is not told here.
    async fn principal(&self, _visitor: &Visitor) -> Result<String, Status> {
        Ok(String::new())
    }

    async fn list(
        &self,
        _visitor: &Visitor,
        parent: ParentPattern,
        options: &ListOptions,
    ) -> Result<Page, Status> {
        if let Ok(mut inspection) = self.inspection() {
            let request = wire::ListOperationsRequest {
                parent: parent.as_str().to_owned(),
                filter: options.filter.clone(),
                page_size: options.page_size,
                page_token: options.page_token.clone(),
                view: wire::RecordView::Full.into(),
            };
            match self.within(inspection.list_operations(request)).await {
                Ok(list) => {
                    return Ok(Page {
                        views: list.operations.into_iter().map(View::of).collect(),
                        next_page_token: list.next_page_token,
                    });
                }
                Err(status) if is_withheld(&status) => {}
                Err(status) => return Err(status),
            }
        }
        // The root, as most servers call it.
        let parent = match parent.as_str() {
            "" => "operations",
            parent => parent,
        };
        let list = self.remote.operations.list(parent, options).await?;
        Ok(Page {
            views: list.operations.into_iter().map(View::standard).collect(),
            next_page_token: list.next_page_token,
        })
    }

    async fn get(&self, _visitor: &Visitor, name: &OperationName) -> Result<View, Status> {
        if self.remote.inspection.is_some() {
            match self.record(name).await {
                Ok(record) => return Ok(View::of(record)),
                Err(status) if is_withheld(&status) => {}
                Err(status) => return Err(status),
            }
        }
        let operation = self.remote.operations.get(name.as_str()).await?;
        Ok(View::standard(operation))
    }

    /// The server says what may be done when it is asked to do it.
    async fn describe(
        &self,
        visitor: &Visitor,
        name: &OperationName,
    ) -> Result<(View, Permits), Status> {
        let view = self.get(visitor, name).await?;
        let permits = Permits {
            cancel: Ok(()),
            delete: Ok(()),
            resubmit: self.inspection().map(|_| ()),
            complete: Ok(()),
            repair: Ok(()),
        };
        Ok((view, permits))
    }

    async fn steps(
        &self,
        _visitor: &Visitor,
        name: &OperationName,
    ) -> Result<Option<wire::ListStepsResponse>, Status> {
        self.list_steps(name).await
    }

    async fn change_steps(&self, visitor: &Visitor, change: StepChange) -> Result<(), Status> {
        self.change(visitor, change).await
    }

    async fn counts(
        &self,
        _visitor: &Visitor,
        parent: &ParentPattern,
        filter: &str,
    ) -> Result<wire::CountOperationsResponse, Status> {
        let mut inspection = self.inspection()?;
        let request = wire::CountOperationsRequest {
            parent: parent.as_str().to_owned(),
            filter: filter.to_owned(),
            ..Default::default()
        };
        let question = format!("{parent}\n{filter}");
        let count = async { self.within(inspection.count_operations(request)).await };
        kept(&self.counts, question, count).await
    }

    async fn methods(&self, _visitor: &Visitor) -> Result<Vec<wire::Method>, Status> {
        let mut inspection = self.inspection()?;
        let list = async {
            let request = wire::ListMethodsRequest {};
            let answer = self.within(inspection.list_methods(request)).await?;
            Ok(answer.methods)
        };
        kept(&self.methods, String::new(), list).await
    }

    async fn workers(&self, _visitor: &Visitor) -> Result<wire::ListWorkersResponse, Status> {
        let mut inspection = self.inspection()?;
        let request = wire::ListWorkersRequest {};
        self.within(inspection.list_workers(request)).await
    }

    async fn history(
        &self,
        visitor: &Visitor,
        method: &str,
    ) -> Result<Option<wire::MethodHistory>, Status> {
        let methods = self.methods(visitor).await?;
        let method = methods.into_iter().find(|it| it.method == method);
        Ok(method.and_then(|it| it.history))
    }

    async fn act(&self, visitor: &Visitor, act: &Act<'_>) -> Result<Option<String>, Status> {
        let name = act.name.as_str();
        match (act.action, visitor.metadata().get(REASON), &self.standard()) {
            (Action::Cancel, Some(reason), Some(standard)) => {
                let name = name.to_owned();
                let request = with_reason(pb::CancelOperationRequest { name }, reason);
                let mut standard = standard.clone();
                self.within(standard.cancel_operation(request)).await?;
            }
            (Action::Delete, Some(reason), Some(standard)) => {
                let name = name.to_owned();
                let request = with_reason(pb::DeleteOperationRequest { name }, reason);
                let mut standard = standard.clone();
                self.within(standard.delete_operation(request)).await?;
            }
            (Action::Cancel, ..) => self.remote.operations.cancel(name).await?,
            (Action::Delete, ..) => self.remote.operations.delete(name).await?,
            (Action::Resubmit, ..) => {
                let request = wire::ResubmitOperationRequest {
                    name: name.to_owned(),
                    request: None,
                    request_id: act.request_id.clone(),
                };
                let mut inspection = self.inspection()?;
                let answer = self.within(inspection.resubmit_operation(request)).await?;
                return Ok(answer.operation.map(|it| it.name));
            }
        }
        Ok(None)
    }

    fn follow(&self, followed: Followed) -> Result<Box<dyn Signals>, Status> {
        Ok(match (followed, &self.remote.inspection) {
            (Followed::All, _) => Box::new(Ticks {
                interval: NEWS_INTERVAL,
            }),
            (Followed::Names(names), None) => {
                Box::new(Waits::new(self.remote.operations.clone(), names))
            }
            (Followed::Names(names), Some(inspection)) => {
                Box::new(Watch::new(inspection.clone(), &names))
            }
        })
    }

    fn now(&self) -> Timestamp {
        SystemClock.now()
    }
}

fn with_reason<T>(message: T, reason: &MetadataValue<Ascii>) -> Request<T> {
    let mut request = Request::new(message);
    request.metadata_mut().insert(REASON, reason.clone());
    request
}

/// Whether the standard methods may tell more than the inspection service.
fn is_withheld(status: &Status) -> bool {
    matches!(status.code(), Code::Unimplemented | Code::PermissionDenied)
}
