//! Metrics, recorded at a few points of starts, runs and calls of the store. Nothing at
//! all without the feature `otel`.

#[cfg(feature = "otel")]
mod observed;
#[cfg(not(feature = "otel"))]
#[path = "metrics/noop.rs"]
mod recorder;
#[cfg(feature = "otel")]
mod recorder;
#[cfg(feature = "otel")]
mod steps;

pub(crate) use recorder::{Metrics, RunMetrics};
