//! `grpc.health.v1.Health`, as the store is.

use std::time::Duration;

use lro_core::OperationName;
use tokio::time::{MissedTickBehavior, timeout};
use tonic_health::ServingStatus;
use tonic_health::pb::health_server::HealthServer;
use tonic_health::server::{HealthReporter, HealthService};

use super::limits::ServeLimits;
use crate::operations::Operations;

/// The health of a server and of each of its services: all the same.
#[derive(Clone, Debug)]
pub(super) struct Health {
    reporter: HealthReporter,
    services: Vec<&'static str>,
}

impl Health {
    /// Not serving, until the store has answered.
    pub(super) async fn new(services: &[&'static str]) -> Self {
        let health = Self {
            reporter: HealthReporter::new(),
            services: services.to_vec(),
        };
        health.set(ServingStatus::NotServing).await;
        health
    }

    pub(super) fn server(&self) -> HealthServer<HealthService> {
        HealthServer::new(HealthService::from_health_reporter(self.reporter.clone()))
    }

    /// From the overall health on, which is the service without a name.
    pub(super) async fn set(&self, status: ServingStatus) {
        for service in [""].iter().chain(&self.services) {
            self.reporter.set_service_status(service, status).await;
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
            let serving = !stalled && answers(operations, &name, limits.health_timeout).await;
            // Watchers hear of changes only.
            if last == Some(serving) {
                continue;
            }
            match (serving, last) {
                (true, Some(_)) => tracing::info!("the store answers again"),
                (true, None) => {}
                (false, _) if stalled => {
                    tracing::warn!("a worker's runtime is stalled; not serving");
                }
                (false, _) => tracing::warn!("the store does not answer; not serving"),
            }
            self.set(match serving {
                true => ServingStatus::Serving,
                false => ServingStatus::NotServing,
            })
            .await;
            last = Some(serving);
        }
    }
}

/// Whether the store answers in time; what it answers is its own business.
async fn answers(operations: &Operations, name: &OperationName, limit: Duration) -> bool {
    matches!(
        timeout(limit, operations.engine().store().get(name)).await,
        Ok(Ok(_))
    )
}
