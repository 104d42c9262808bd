#![doc = include_str!("../README.md")]

mod body;
mod builder;
mod call;
mod capture;
mod cross_site;
mod fault;
mod gateway;
mod headers;
mod media_type;
mod message;
mod openapi;
mod operations;
mod path;
mod query;
mod reflection;
mod reply;
mod router;
mod rules;
mod stream;
mod system;
mod template;
mod types;
mod watch;

pub use body::{Body, BodyError};
pub use builder::GatewayBuilder;
pub use gateway::Gateway;
pub use openapi::OpenApi;
pub use reflection::reflect;
pub use rules::{BuildError, HttpRule};
