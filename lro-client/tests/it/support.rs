//! A server that says what a test tells it to, without a network between.
pub(crate) mod bytes;
pub(crate) mod fleet;
pub(crate) mod python;
pub(crate) mod server;

use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use lro_client::lro_core::{Operation, pack};
use lro_client::{IntoPoller as _, OperationsClient, Poller};
use lro_core::pb::operations_server::{Operations, OperationsServer};
use lro_core::pb::{self, operation::Result as Outcome};
use prost_types::{Duration as Metadata, Timestamp};
use tokio::time::Instant;
use tonic::{Request, Response, Status};

/// The types of the operations here: a timestamp, with a duration for metadata.
pub(crate) type TestPoller = Poller<Timestamp, Metadata>;

pub(crate) const NAME: &str = "operations/1";

type Answer = Pin<Box<dyn Future<Output = Result<pb::Operation, Status>> + Send>>;

/// One call that the server has got.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Call {
    /// Which call it is, from 0 on.
    pub(crate) index: usize,
    pub(crate) method: &'static str,
    pub(crate) name: String,
    pub(crate) at: Duration,
    /// How long a wait is to last.
    pub(crate) wait: Duration,
    pub(crate) params: String,
    pub(crate) timeout: String,
    pub(crate) api_client: String,
    pub(crate) authorization: String,
}

pub(crate) struct Fake {
    began: Instant,
    calls: Mutex<Vec<Call>>,
    answer: Box<dyn Fn(Call) -> Answer + Send + Sync>,
}

impl Fake {
    pub(crate) fn new<F>(answer: impl Fn(Call) -> F + Send + Sync + 'static) -> Arc<Self>
    where
        F: Future<Output = Result<pb::Operation, Status>> + Send + 'static,
    {
        Arc::new(Self {
            began: Instant::now(),
            calls: Mutex::default(),
            answer: Box::new(move |call| Box::pin(answer(call))),
        })
    }

    /// An answer for each call, then the last one again and again.
    pub(crate) fn script(answers: Vec<Result<pb::Operation, Status>>) -> Arc<Self> {
        Self::new(move |call| {
            let index = call.index.min(answers.len() - 1);
            std::future::ready(answers[index].clone())
        })
    }

    pub(crate) fn client(self: &Arc<Self>) -> OperationsClient {
        OperationsClient::new(OperationsServer::from_arc(self.clone()))
    }

    /// A poller for an operation that was only just started.
    pub(crate) fn started(self: &Arc<Self>) -> TestPoller {
        Operation::from(running()).into_poller(&self.client())
    }

    pub(crate) fn resumed(self: &Arc<Self>) -> TestPoller {
        Poller::resume(NAME, &self.client())
    }

    pub(crate) fn calls(&self) -> Vec<Call> {
        self.calls.lock().unwrap().clone()
    }

    pub(crate) fn methods(&self) -> Vec<&'static str> {
        self.calls().iter().map(|call| call.method).collect()
    }

    /// The pauses between the calls.
    pub(crate) fn gaps(&self) -> Vec<Duration> {
        let calls = self.calls();
        calls
            .windows(2)
            .map(|pair| pair[1].at - pair[0].at)
            .collect()
    }

    async fn on_call<Q>(
        &self,
        method: &'static str,
        request: &Request<Q>,
        name: &str,
        wait: Option<Metadata>,
    ) -> Result<pb::Operation, Status> {
        let header = |key| match request.metadata().get(key) {
            Some(value) => value.to_str().unwrap().to_owned(),
            None => String::new(),
        };
        let call = {
            let mut calls = self.calls.lock().unwrap();
            let call = Call {
                index: calls.len(),
                method,
                name: name.to_owned(),
                at: self.began.elapsed(),
                wait: wait.map_or(Duration::ZERO, |wait| wait.try_into().unwrap()),
                params: header("x-goog-request-params"),
                timeout: header("grpc-timeout"),
                api_client: header("x-goog-api-client"),
                authorization: header("authorization"),
            };
            calls.push(call.clone());
            call
        };
        (self.answer)(call).await
    }
}

#[tonic::async_trait]
impl Operations for Fake {
    async fn list_operations(
        &self,
        request: Request<pb::ListOperationsRequest>,
    ) -> Result<Response<pb::ListOperationsResponse>, Status> {
        let answer = self.on_call("list", &request, &request.get_ref().name, None);
        let mut page = pb::ListOperationsResponse::default();
        page.operations.push(answer.await?);
        page.next_page_token = request.into_inner().filter;
        Ok(Response::new(page))
    }

    async fn get_operation(
        &self,
        request: Request<pb::GetOperationRequest>,
    ) -> Result<Response<pb::Operation>, Status> {
        let answer = self.on_call("get", &request, &request.get_ref().name, None);
        answer.await.map(Response::new)
    }

    async fn delete_operation(
        &self,
        request: Request<pb::DeleteOperationRequest>,
    ) -> Result<Response<()>, Status> {
        let answer = self.on_call("delete", &request, &request.get_ref().name, None);
        answer.await.map(|_| Response::new(()))
    }

    async fn cancel_operation(
        &self,
        request: Request<pb::CancelOperationRequest>,
    ) -> Result<Response<()>, Status> {
        let answer = self.on_call("cancel", &request, &request.get_ref().name, None);
        answer.await.map(|_| Response::new(()))
    }

    async fn wait_operation(
        &self,
        request: Request<pb::WaitOperationRequest>,
    ) -> Result<Response<pb::Operation>, Status> {
        let message = request.get_ref();
        let answer = self.on_call("wait", &request, &message.name, message.timeout);
        answer.await.map(Response::new)
    }
}

pub(crate) fn running() -> pb::Operation {
    pb::Operation {
        name: NAME.into(),
        ..Default::default()
    }
}

pub(crate) fn at_step(seconds: i64) -> pb::Operation {
    pb::Operation {
        metadata: Some(pack(&Metadata { seconds, nanos: 0 })),
        ..running()
    }
}

pub(crate) fn response() -> Timestamp {
    Timestamp {
        seconds: 42,
        nanos: 0,
    }
}

pub(crate) fn succeeded() -> pb::Operation {
    done(Some(Outcome::Response(pack(&response()))))
}

pub(crate) fn failed(code: i32, message: &str) -> pb::Operation {
    done(Some(Outcome::Error(pb::rpc::Status {
        code,
        message: message.into(),
        details: Vec::new(),
    })))
}

pub(crate) fn done(result: Option<Outcome>) -> pb::Operation {
    pb::Operation {
        done: true,
        result,
        ..running()
    }
}
