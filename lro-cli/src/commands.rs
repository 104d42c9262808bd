//! A module for each command.

pub(crate) mod bulk;
pub(crate) mod complete;
pub(crate) mod config;
pub(crate) mod count;
pub(crate) mod describe;
pub(crate) mod doctor;
pub(crate) mod filter;
pub(crate) mod generate;
pub(crate) mod get;
pub(crate) mod list;
pub(crate) mod methods;
pub(crate) mod resubmit;
pub(crate) mod start;
pub(crate) mod steps;
pub(crate) mod ui;
pub(crate) mod wait;
pub(crate) mod workers;
