#![doc = include_str!("../SIMULATION.md")]

mod bug;
pub mod check;
mod client;
mod clock;
mod deaths;
mod durable;
pub mod exhaustive;
mod families;
mod link;
pub mod machine;
pub mod model;
mod node;
mod outages;
mod plan;
mod planted;
mod random;
mod run;
mod script;
mod seeds;
mod service;
mod stalls;
mod thread;
mod world;

pub use bug::{Bug, Scenario};
pub use deaths::{DeathCounts, DeathPlan};
pub use plan::{NodePlan, Plan};
pub use run::{Report, command, simulate, simulate_in, simulate_plan};
pub use seeds::regressions;
pub use world::Violation;
