// A server with many operations that end at chosen moments, in tokio's time. Also included by the
// examples that count calls.

use std::collections::BTreeMap;
use std::ops::Bound::{Excluded, Unbounded};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::Duration;

use lro_core::pack;
use lro_core::pb::operations_server::Operations;
use lro_core::pb::{self, operation::Result as Outcome};
use tokio::time::{Instant, sleep_until};
use tonic::{Request, Response, Status};

#[derive(Default)]
pub(crate) struct Fleet {
    /// When each operation ends.
    pub(crate) ends: BTreeMap<String, Instant>,
    pub(crate) offers_wait: bool,
    /// How many operations a page has at most; 0: it does not list.
    pub(crate) page_max: usize,
    /// The next calls that are answered with UNAVAILABLE.
    pub(crate) outage: AtomicUsize,
    /// Operations that no list shows.
    pub(crate) hidden: Vec<String>,
    pub(crate) gets: AtomicUsize,
    pub(crate) lists: AtomicUsize,
    pub(crate) waits: AtomicUsize,
    under_way: AtomicUsize,
    pub(crate) under_way_max: AtomicUsize,
    /// The names of the operations asked for one by one.
    pub(crate) asked: Mutex<Vec<String>>,
}

impl Fleet {
    /// Operations of these names, which end one after the other, this far apart.
    pub(crate) fn new(names: impl IntoIterator<Item = String>, apart: Duration) -> Self {
        let now = Instant::now();
        let ends = names.into_iter().zip(1..);
        Self {
            ends: ends.map(|(name, at)| (name, now + apart * at)).collect(),
            ..Self::default()
        }
    }

    pub(crate) fn calls(&self) -> usize {
        self.gets.load(Relaxed) + self.lists.load(Relaxed) + self.waits.load(Relaxed)
    }

    fn look(&self, name: &str) -> Result<pb::Operation, Status> {
        let Some(end) = self.ends.get(name) else {
            return Err(Status::not_found("no such operation"));
        };
        let done = *end <= Instant::now();
        let seconds = i64::try_from(name.len()).unwrap_or_default();
        let response = prost_types::Timestamp { seconds, nanos: 0 };
        Ok(pb::Operation {
            name: name.to_owned(),
            done,
            result: done.then(|| Outcome::Response(pack(&response))),
            ..Default::default()
        })
    }

    async fn on_call(&self, counter: &AtomicUsize) -> Result<(), Status> {
        counter.fetch_add(1, Relaxed);
        let now = self.under_way.fetch_add(1, Relaxed) + 1;
        self.under_way_max.fetch_max(now, Relaxed);
        // A round trip.
        tokio::time::sleep(Duration::from_millis(5)).await;
        self.under_way.fetch_sub(1, Relaxed);
        let down = |left: usize| left.checked_sub(1);
        match self.outage.fetch_update(Relaxed, Relaxed, down) {
            Ok(_) => Err(Status::unavailable("down")),
            Err(_) => Ok(()),
        }
    }
}

#[tonic::async_trait]
impl Operations for Fleet {
    async fn list_operations(
        &self,
        request: Request<pb::ListOperationsRequest>,
    ) -> Result<Response<pb::ListOperationsResponse>, Status> {
        self.on_call(&self.lists).await?;
        if self.page_max == 0 {
            return Err(Status::unimplemented("no lists"));
        }
        let request = request.into_inner();
        let prefix = match &*request.name {
            "operations" => "operations/".to_owned(),
            parent => format!("{parent}/operations/"),
        };
        let asked = usize::try_from(request.page_size).unwrap_or_default();
        let size = match asked {
            0 => self.page_max,
            asked => asked.min(self.page_max),
        };
        let from = (&*prefix).max(&*request.page_token);
        let after = self.ends.range::<str, _>((Excluded(from), Unbounded));
        let below = after.map(|(name, _)| name);
        let below = below.take_while(|name| name.starts_with(&prefix));
        let mut rest = below.filter(|name| !self.hidden.contains(name));
        let names: Vec<_> = rest.by_ref().take(size).collect();
        let next_page_token = match rest.next() {
            Some(_) => names.last().map(|name| (*name).clone()).unwrap_or_default(),
            None => String::new(),
        };
        let operations: Result<_, _> = names.into_iter().map(|name| self.look(name)).collect();
        Ok(Response::new(pb::ListOperationsResponse {
            operations: operations?,
            next_page_token,
            unreachable: Vec::new(),
        }))
    }

    async fn get_operation(
        &self,
        request: Request<pb::GetOperationRequest>,
    ) -> Result<Response<pb::Operation>, Status> {
        let name = request.into_inner().name;
        if let Ok(mut asked) = self.asked.lock() {
            asked.push(name.clone());
        }
        self.on_call(&self.gets).await?;
        self.look(&name).map(Response::new)
    }

    async fn delete_operation(
        &self,
        _request: Request<pb::DeleteOperationRequest>,
    ) -> Result<Response<()>, Status> {
        Err(Status::unimplemented("no deletes"))
    }

    async fn cancel_operation(
        &self,
        _request: Request<pb::CancelOperationRequest>,
    ) -> Result<Response<()>, Status> {
        Err(Status::unimplemented("no cancels"))
    }

    async fn wait_operation(
        &self,
        request: Request<pb::WaitOperationRequest>,
    ) -> Result<Response<pb::Operation>, Status> {
        self.on_call(&self.waits).await?;
        if !self.offers_wait {
            return Err(Status::unimplemented("no waits"));
        }
        let request = request.into_inner();
        let timeout = request.timeout.unwrap_or_default().try_into();
        let until = Instant::now() + timeout.unwrap_or_default();
        let end = self.ends.get(&request.name).copied();
        sleep_until(end.unwrap_or(until).min(until)).await;
        self.look(&request.name).map(Response::new)
    }
}
