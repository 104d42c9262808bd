//! The conformance suite of stores.
//!
//! [`exercise`] runs all of it; [`store_conformance!`](crate::store_conformance) makes a test of
//! each case.

mod build;
mod cases;
mod compare;
mod filters;
mod fixture;
mod steps;
mod suite;
mod trial;

pub use compare::compare_with_memory;
pub use filters::compare_filters;
pub use fixture::Fixture;
pub use suite::{case_names, exercise, run_case};
