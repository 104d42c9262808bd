//! The side of a service's handlers: how they register, what their bodies hold, how they fail.

pub(crate) mod context;
pub(crate) mod error;
pub(crate) mod method_options;
pub(crate) mod poll;
pub(crate) mod registration;
pub(crate) mod run;
pub(crate) mod write;
