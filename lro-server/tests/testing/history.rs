// Properties of every text as an exported history; shared with the fuzz target.

use lro_server::OperationContext;
use lro_server::testing::{self, History};
use tonic::Status;

/// Reads a text as a history, and replays it.
///
/// # Panics
///
/// When a history that was read cannot be replayed.
pub(crate) fn ask(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    match History::from_json(&text, &[]) {
        Ok(history) => {
            let recorded = history.len();
            let body = |_: OperationContext<()>| async { Ok::<(), Status>(()) };
            let run = testing::replay(history, body);
            assert_eq!(run.unreached().len(), recorded, "{run:?}");
        }
        Err(invalid) => assert!(!invalid.to_string().is_empty()),
    }
}
