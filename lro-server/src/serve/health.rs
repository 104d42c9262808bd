//! `grpc.health.v1.Health`, as the store is.

use std::sync::Arc;
use std::time::Duration;

use lro_core::OperationName;
use tokio::time::{MissedTickBehavior, timeout};
use tonic_health::ServingStatus;
use tonic_health::pb::health_server::HealthServer;
use tonic_health::server::{HealthReporter, HealthService};

use super::http_service::Readiness;
use super::limits::ServeLimits;
use crate::engine::Engine;
use crate::operations::Operations;

/// The health of a server and of each of its services: all the same.
#[derive(Clone, Debug)]
pub(super) struct Health {
    reporter: HealthReporter,
    services: Vec<&'static str>,
    /// The same for all services, for probes over HTTP.
    readiness: Readiness,
}

impl Health {
    /// Not serving, until the store has answered.
    pub(super) async fn new(services: &[&'static str], engine: &Arc<Engine>) -> Self {
        let health = Self {
            reporter: HealthReporter::new(),
            services: services.to_vec(),
            readiness: Readiness::new(engine),
        };
        health.set(ServingStatus::NotServing).await;
        health
    }

    pub(super) fn server(&self) -> HealthServer<HealthService> {
        HealthServer::new(HealthService::from_health_reporter(self.reporter.clone()))
    }

    pub(super) fn readiness(&self) -> &Readiness {
        &self.readiness
    }

    /// From the overall health on, which is the service without a name.
    pub(super) async fn set(&self, status: ServingStatus) {
        self.readiness.set(status == ServingStatus::Serving);
        for service in [""].iter().chain(&self.services) {
            self.reporter.set_service_status(service, status).await;
        }
    }

    async fn show(&self, state: StoreState) {
        match state {
            StoreState::Serving => self.set(ServingStatus::Serving).await,
            StoreState::Unavailable => self.set(ServingStatus::NotServing).await,
            StoreState::RefusesStarts => {
                self.readiness.set(false);
                for service in [""].iter().chain(&self.services) {
                    let status = if STILL_SERVED.contains(service) {
                        ServingStatus::Serving
                    } else {
                        ServingStatus::NotServing
                    };
                    self.reporter.set_service_status(service, status).await;
                }
            }
        }
    }

    /// Asks the store, again and again.
    pub(super) async fn follow(&self, operations: &Operations, limits: &ServeLimits) {
        /// More often would be a load.
        const SHORTEST: Duration = Duration::from_millis(10);
        let mut interval = tokio::time::interval(limits.health_interval.max(SHORTEST));
        interval.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let Ok(name) = "operations/health".parse() else {
            return;
        };
        let mut last = None;
        loop {
            interval.tick().await;
            let stalled = operations.engine().is_stalled();
            let state = if stalled {
                StoreState::Unavailable
            } else {
                StoreState::of(operations, &name, limits.health_timeout).await
            };
            // Watchers receive only changes.
            if last == Some(state) {
                continue;
            }
            match (state, last) {
                (StoreState::Serving, Some(_)) => {
                    tracing::info!("the store answers again; serving");
                }
                (StoreState::Serving, None) => {}
                (StoreState::RefusesStarts, _) => {
                    tracing::warn!("the store is full and refuses starts; not serving");
                }
                (StoreState::Unavailable, _) if stalled => {
                    tracing::warn!("a worker's runtime is stalled; not serving");
                }
                (StoreState::Unavailable, _) => {
                    tracing::warn!("the store does not answer; not serving");
                }
            }
            self.show(state).await;
            last = Some(state);
        }
    }
}

/// Services that a store which refuses starts still serves: waits, cancellations and deletions.
const STILL_SERVED: [&str; 2] = [
    "google.longrunning.Operations",
    <HealthServer<HealthService> as tonic::server::NamedService>::NAME,
];

/// The abilities of a store at present.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum StoreState {
    Serving,
    /// It is full, and serves what is not a start.
    RefusesStarts,
    Unavailable,
}

impl StoreState {
    async fn of(operations: &Operations, name: &OperationName, limit: Duration) -> Self {
        let store = operations.engine().store();
        match timeout(limit, store.get(name)).await {
            Ok(Ok(_)) if store.accepts_starts() => Self::Serving,
            Ok(Ok(_)) => Self::RefusesStarts,
            Ok(Err(_)) | Err(_) => Self::Unavailable,
        }
    }
}
