//! Calls of many callers, served in groups: starts, updates and reads.

pub(crate) mod call;
pub(crate) mod decided;
pub(crate) mod ends;
pub(crate) mod family;
pub(crate) mod held;
pub(crate) mod lane;
pub(crate) mod purge;
pub(crate) mod reads;
pub(crate) mod recordings;
pub(crate) mod starts;
pub(crate) mod updates;
pub(crate) mod work;
