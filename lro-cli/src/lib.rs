#![doc = include_str!("../README.md")]

mod args;
mod call;
mod commands;
mod complete;
pub mod config;
mod connect;
mod context;
mod details;
pub mod environment;
pub mod exit;
mod failure;
mod follow;
mod inspection;
mod local_filter;
mod names;
pub mod neutral;
mod output;
mod progress;
mod run;
mod show;
mod shower;
mod shown;
mod steps;
mod terminal;
mod types;

pub use run::{accepts, main, run};
