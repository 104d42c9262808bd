//! The text of a notification: the sender, and one line for each event.

use std::fmt::Write as _;

use lro_core::store::StoreEvent;
use lro_core::{OperationName, Timestamp};
use uuid::Uuid;

use crate::sql::row::decode_state;
use crate::sql::text::unescape;

/// Says that anything may have changed.
pub(super) fn everything(node: Uuid) -> String {
    let mut payload = node.simple().to_string();
    // Writing to a string does not fail.
    let _ = write!(payload, "\n?");
    payload
}

/// Says that the node can be heard.
pub(super) fn probe(node: Uuid) -> String {
    node.simple().to_string()
}

/// The sender and the events of a payload. An unknown line, for example of a later version, is read
/// as "anything may have changed".
pub(crate) fn read(payload: &str) -> Option<(Uuid, Vec<StoreEvent>)> {
    let mut lines = payload.split('\n');
    let node = Uuid::try_parse(lines.next()?).ok()?;
    let events = lines.map(|line| event(line).unwrap_or(StoreEvent::Missed));
    Some((node, events.collect()))
}

fn event(line: &str) -> Option<StoreEvent> {
    let (head, of) = line.split_once(' ')?;
    if let Some(micros) = head.strip_prefix('R') {
        return Some(StoreEvent::Ready {
            method: unescape(of)?,
            ready_time: Timestamp::from_micros(micros.parse().ok()?),
        });
    }
    let (state, rest) = head.strip_prefix('C')?.split_at_checked(1)?;
    let (deleted, uid) = rest.split_at_checked(1)?;
    Some(StoreEvent::Changed {
        name: OperationName::from_stored(of).ok()?,
        uid: Uuid::try_parse(uid).ok()?,
        state: decode_state(state.parse().ok()?)?,
        deleted: deleted == "1",
        ended: None,
    })
}
