//! Memorystore for Redis without any Redis: `google.cloud.redis.v1.CloudRedis`, served from the proto
//! that Google publishes.
//!
//! A creation continues to its next step when the instance is read, so that a caller can see each.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use lro_server::tonic_types::{ErrorDetails, StatusExt as _};
use lro_server::{OperationContext, Operations, StartOptions, long_running};
use tokio::sync::Notify;
use tonic::{Code, Request, Response, Status};

mod protos {
    lro_server::include_protos!();
}

/// The messages, server trait and client of the API.
pub use protos::google::cloud::redis::v1 as pb;

use pb::instance::State;
use pb::{Instance, OperationMetadata};

/// The steps of a creation, as its metadata shows them.
pub const STEPS: [&str; 3] = [
    "allocating nodes",
    "configuring Redis",
    "opening the endpoint",
];

/// The service.
#[derive(Debug)]
pub struct Redis {
    operations: Operations,
    instances: Mutex<BTreeMap<String, Instance>>,
    /// Told of every read of an instance.
    reads: Notify,
}

impl Redis {
    /// A service without instances.
    pub fn new(operations: Operations) -> Self {
        Self {
            operations,
            instances: Mutex::default(),
            reads: Notify::new(),
        }
    }

    fn instances(&self) -> MutexGuard<'_, BTreeMap<String, Instance>> {
        self.instances
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    fn find(&self, name: &str) -> Result<Instance, Status> {
        let found = self.instances().get(name).cloned();
        found.ok_or_else(|| not_found(name))
    }

    /// Changes an instance, and returns it as it is then.
    fn change(&self, name: &str, change: impl FnOnce(&mut Instance)) -> Result<Instance, Status> {
        let mut instances = self.instances();
        let instance = instances.get_mut(name).ok_or_else(|| not_found(name))?;
        change(instance);
        Ok(instance.clone())
    }

    /// Refuses what is wrong before there is an operation.
    async fn check_creation(
        &self,
        request: &Request<pb::CreateInstanceRequest>,
    ) -> Result<StartOptions<OperationMetadata>, Status> {
        let request = request.get_ref();
        let size = request
            .instance
            .as_ref()
            .map_or(0, |instance| instance.memory_size_gb);
        if size < 1 {
            return Err(invalid(
                "instance.memory_size_gb",
                "an instance has at least 1 GB; write `memory_size_gb: 1`",
            ));
        }
        let name = instance_name(request);
        if self.instances().contains_key(&name) {
            return Err(Status::already_exists(format!(
                "there is an instance {name}"
            )));
        }
        Ok(StartOptions::new().exclusive_key(name))
    }
}

#[long_running(parent = "projects/*/locations/*")]
impl pb::cloud_redis_server::CloudRedis for Redis {
    #[long_running(prepare = Self::check_creation)]
    async fn create_instance(
        &self,
        request: pb::CreateInstanceRequest,
        operation: OperationContext<OperationMetadata>,
    ) -> Result<Instance, Status> {
        let name = instance_name(&request);
        let instance = Instance {
            name: name.clone(),
            state: State::Creating.into(),
            ..request.instance.unwrap_or_default()
        };
        self.instances().insert(name.clone(), instance);
        for step in STEPS {
            let read = self.reads.notified();
            operation.set_metadata(OperationMetadata {
                status_detail: step.to_owned(),
                ..Default::default()
            });
            read.await;
        }
        self.change(&name, |instance| {
            instance.set_state(State::Ready);
            instance.host = "10.0.0.1".to_owned();
            instance.port = 6379;
        })
    }

    #[long_running]
    async fn update_instance(
        &self,
        request: pb::UpdateInstanceRequest,
        _operation: OperationContext<OperationMetadata>,
    ) -> Result<Instance, Status> {
        let new = request.instance.unwrap_or_default();
        let paths = request.update_mask.unwrap_or_default().paths;
        let unknown = paths
            .iter()
            .find(|path| !matches!(path.as_str(), "display_name" | "labels" | "memory_size_gb"));
        if let Some(path) = unknown {
            let text = format!("{path} cannot be changed");
            return Err(invalid("update_mask", &text));
        }
        self.change(&new.name, |instance| {
            for path in &paths {
                match path.as_str() {
                    "display_name" => instance.display_name.clone_from(&new.display_name),
                    "labels" => instance.labels.clone_from(&new.labels),
                    _ => instance.memory_size_gb = new.memory_size_gb,
                }
            }
        })
    }

    /// A custom method: `POST .../instances/*:upgrade`.
    #[long_running]
    async fn upgrade_instance(
        &self,
        request: pb::UpgradeInstanceRequest,
        _operation: OperationContext<OperationMetadata>,
    ) -> Result<Instance, Status> {
        self.change(&request.name, |instance| {
            instance.redis_version.clone_from(&request.redis_version);
        })
    }

    /// Waits for the other node until the operation is cancelled.
    #[long_running]
    async fn failover_instance(
        &self,
        request: pb::FailoverInstanceRequest,
        operation: OperationContext<OperationMetadata>,
    ) -> Result<Instance, Status> {
        self.find(&request.name)?;
        operation.set_metadata(OperationMetadata {
            status_detail: "waiting for the replica".to_owned(),
            ..Default::default()
        });
        std::future::pending().await
    }

    #[long_running]
    async fn delete_instance(
        &self,
        request: pb::DeleteInstanceRequest,
        _operation: OperationContext<OperationMetadata>,
    ) -> Result<(), Status> {
        let deleted = self.instances().remove(&request.name);
        deleted.map(drop).ok_or_else(|| not_found(&request.name))
    }

    async fn get_instance(
        &self,
        request: Request<pb::GetInstanceRequest>,
    ) -> Result<Response<Instance>, Status> {
        let instance = self.find(&request.get_ref().name)?;
        self.reads.notify_waiters();
        Ok(Response::new(instance))
    }

    async fn list_instances(
        &self,
        request: Request<pb::ListInstancesRequest>,
    ) -> Result<Response<pb::ListInstancesResponse>, Status> {
        let prefix = format!("{}/instances/", request.get_ref().parent);
        let instances = self.instances();
        let instances = instances.values();
        Ok(Response::new(pb::ListInstancesResponse {
            instances: instances
                .filter(|instance| instance.name.starts_with(&prefix))
                .cloned()
                .collect(),
            ..Default::default()
        }))
    }
}

fn instance_name(request: &pb::CreateInstanceRequest) -> String {
    format!("{}/instances/{}", request.parent, request.instance_id)
}

fn not_found(name: &str) -> Status {
    Status::not_found(format!("there is no instance {name}"))
}

/// An error with ErrorInfo and BadRequest.
fn invalid(field: &str, text: &str) -> Status {
    let mut details = ErrorDetails::with_bad_request_violation(field, text);
    details.set_error_info(
        "FIELD_INVALID",
        "redis.example.com",
        [("field".to_owned(), field.to_owned())],
    );
    Status::with_error_details(Code::InvalidArgument, text, details)
}
