//! The view of operators on the whole process: its methods and its workers.

use std::collections::BTreeMap;

use lro_core::inspection as pb;
use tonic::Status;

use super::record::time;
use super::{InspectionService, method_types};
use crate::access::Sight;
use crate::engine::{SlotCount, WorkerSnapshot};
use crate::rpc::error::store_failed;

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
        let servers = self.operations.servers();
        for method in methods.values_mut() {
            method.served = servers.serving(&method.method).is_some();
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

    pub(super) fn workers(&self) -> pb::ListWorkersResponse {
        let around = self.surroundings(Sight::Operator);
        pb::ListWorkersResponse {
            workers: around.workers.iter().map(worker).collect(),
            store_is_shared: around.store_is_shared,
            as_of: Some(time(around.now)),
        }
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
