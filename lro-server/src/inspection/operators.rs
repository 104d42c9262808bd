//! The view of operators on the whole process: its methods and its workers.

use std::collections::BTreeMap;
use std::time::Duration;

use lro_core::inspection as pb;
use tonic::{Request, Status};

use super::record::time;
use super::service::METHODS;
use super::{InspectionService, method_types};
use crate::access::Sight;
use crate::engine::throughput::{History, Minute};
use crate::engine::{SlotCount, WorkerSnapshot};
use crate::rpc::error::store_failed;
use crate::rpc::status::complete;
use crate::steps::DeclaredPromise;

/// How many ready operations are counted.
const MAX_BACKLOG: usize = 1_000;

impl InspectionService {
    pub(super) async fn methods(&self) -> Result<pb::ListMethodsResponse, Status> {
        let around = self.surroundings(Sight::Operator);
        let mut methods: BTreeMap<String, pb::Method> = BTreeMap::new();
        fn entry<'m>(
            methods: &'m mut BTreeMap<String, pb::Method>,
            path: &str,
        ) -> &'m mut pb::Method {
            methods
                .entry(path.to_owned())
                .or_insert_with(|| pb::Method {
                    method: path.to_owned(),
                    ..Default::default()
                })
        }
        for path in self.operations.started_methods() {
            entry(&mut methods, path);
        }
        for worker in &around.workers {
            for path in worker.methods.keys() {
                entry(&mut methods, path).hosted = true;
            }
        }
        let store = self.operations.engine().store();
        let backlog = store.backlog(around.now, MAX_BACKLOG).await;
        for backlog in backlog.map_err(|error| store_failed(&error))? {
            let method = entry(&mut methods, &backlog.method);
            method.ready = i64::try_from(backlog.count).unwrap_or(i64::MAX);
            method.oldest_ready_time = Some(time(backlog.oldest));
        }
        for (path, history) in self.operations.engine().throughput().histories(around.now) {
            entry(&mut methods, &path).history = Some(history_of(&history));
        }
        let servers = self.operations.servers();
        for method in methods.values_mut() {
            method.served = servers.serving(&method.method).is_some();
            let promises = self.operations.promises_of(&method.method);
            method.declared_promises = promises.iter().map(DeclaredPromise::to_wire).collect();
            if let Some(types) = method_types::find(&self.redactor().pools, &method.method) {
                method.request_type = types.request;
                method.response_type = types.response;
                method.metadata_type = types.metadata;
            }
        }
        Ok(pb::ListMethodsResponse {
            methods: methods.into_values().collect(),
        })
    }

    /// The operations of a method that this process has started and ended lately, as ListMethods
    /// returns them; `None` if there are none. Unlike that rpc, it does not read the store.
    ///
    /// ```
    /// use lro_core::store::MemoryStore;
    /// use lro_server::Operations;
    /// use lro_server::inspection::InspectionService;
    /// use tonic::Request;
    ///
    /// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
    /// let inspection: InspectionService = Operations::new(MemoryStore::new()).into();
    /// let caller = Request::new(()); // with the headers of the request that asks
    /// let history = inspection.method_history(&caller, "/exporter.v1.Exporter/Export").await?;
    /// assert_eq!(history, None);
    /// # Ok::<(), tonic::Status>(()) }).unwrap();
    /// ```
    ///
    /// # Errors
    ///
    /// PERMISSION_DENIED unless the caller is an operator: the history is of the operations of all
    /// callers.
    ///
    /// # Cancel safety
    ///
    /// Safe to drop.
    pub async fn method_history(
        &self,
        caller: &Request<()>,
        method: &str,
    ) -> Result<Option<pb::MethodHistory>, Status> {
        let operated = self.operated(METHODS, caller.metadata(), caller.extensions());
        operated.await.map_err(complete)?;
        let engine = self.operations.engine();
        let history = engine.throughput().history(method, engine.clock().now());
        Ok(history.as_ref().map(history_of))
    }

    pub(super) fn workers(&self) -> pb::ListWorkersResponse {
        let around = self.surroundings(Sight::Operator);
        pb::ListWorkersResponse {
            workers: around.workers.iter().map(worker).collect(),
            store_is_shared: around.store_is_shared,
            as_of: Some(time(around.now)),
        }
    }
}

fn history_of(history: &History) -> pb::MethodHistory {
    let span = |span: Option<Duration>| {
        span.map(|span| prost_types::Duration {
            seconds: i64::try_from(span.as_secs()).unwrap_or(i64::MAX),
            nanos: span.subsec_nanos().cast_signed(),
        })
    };
    let [queue_time_p50, queue_time_p95] = history.queue_times.map(span);
    let [run_time_p50, run_time_p95] = history.run_times.map(span);
    pb::MethodHistory {
        begin_time: Some(time(history.begin_time)),
        minutes: history.minutes.iter().map(minute).collect(),
        sample_count: i32::try_from(history.sample_count).unwrap_or(i32::MAX),
        queue_time_p50,
        queue_time_p95,
        run_time_p50,
        run_time_p95,
    }
}

fn minute(minute: &Minute) -> pb::method_history::Minute {
    pb::method_history::Minute {
        started: minute.started.into(),
        succeeded: minute.succeeded.into(),
        failed: minute.failed.into(),
        cancelled: minute.cancelled.into(),
    }
}

fn worker(snapshot: &WorkerSnapshot) -> pb::Worker {
    let methods = snapshot.methods.iter().map(|(path, slots)| {
        let (slots, free_slots) = slots.map_or((0, 0), counts);
        pb::worker::MethodSlots {
            method: (*path).to_owned(),
            slots,
            free_slots,
        }
    });
    let (slots, free_slots) = counts(snapshot.slots);
    let mut methods: Vec<_> = methods.collect();
    methods.sort_by(|one, other| one.method.cmp(&other.method));
    pb::Worker {
        worker: snapshot.id.as_uuid().to_string(),
        methods,
        slots,
        free_slots,
        draining: snapshot.is_draining,
        stalled: snapshot.is_stalled,
        trying_alone: snapshot.is_trying_alone,
    }
}

fn counts(slots: SlotCount) -> (i32, i32) {
    let number = |count: usize| i32::try_from(count).unwrap_or(i32::MAX);
    (number(slots.all), number(slots.free))
}
