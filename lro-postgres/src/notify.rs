//! Notifications between processes, and events within one.

pub(crate) mod events;
pub(crate) mod listener;
pub(crate) mod outbox;
pub(crate) mod presence;
