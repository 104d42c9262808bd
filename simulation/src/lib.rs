#![doc = include_str!("../SIMULATION.md")]

mod bug;
pub mod check;
mod client;
mod clock;
pub mod exhaustive;
mod link;
pub mod machine;
pub mod model;
mod node;
mod plan;
mod planted;
mod random;
mod run;
mod seeds;
mod service;
mod world;

pub use bug::Bug;
pub use plan::{NodePlan, Plan};
pub use run::{Report, simulate, simulate_plan};
pub use seeds::regressions;
pub use world::Violation;
