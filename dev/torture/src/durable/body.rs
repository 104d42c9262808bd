//! A body of durable steps, which notes its effects in a file outside of the store.

use std::fs::OpenOptions;
use std::io::Write as _;
use std::path::Path;
use std::time::Duration;

use crate::pb::ExportMetadata;
use futures_util::future::try_join_all;
use lro_core::{Clock as _, SystemClock};
use lro_server::{HandlerError, OperationContext};
use tonic::Status;
use uuid::Uuid;

/// The file of the effects, below the server's folder.
pub(crate) const LEDGER: &str = "ledger";

/// How long the body sleeps: long enough to be suspended.
pub(super) const SLEEP: Duration = Duration::from_millis(1_200);

/// The steps of each part.
pub(super) const IN_SEQUENCE: u32 = 4;
pub(super) const SIDE_BY_SIDE: u32 = 3;

/// Steps in sequence, a sleep, and steps side by side.
pub(crate) async fn run(
    ledger: &Path,
    id: &str,
    operation: &OperationContext<ExportMetadata>,
) -> Result<(), HandlerError> {
    let step = async |call: String| {
        let pause = Duration::from_millis(8);
        let effect = async || -> Result<u32, Status> {
            let value = Uuid::new_v4().as_fields().0;
            note(ledger, "effect", id, &call, value.into())?;
            // A kill between the effect and its record runs the closure again.
            tokio::time::sleep(pause).await;
            Ok(value)
        };
        let value = operation.step(&call, effect).await?;
        note(ledger, "pass", id, &call, value.into())
    };
    for number in 0..IN_SEQUENCE {
        step(format!("step/{number}")).await?;
    }
    note(ledger, "begin", id, "sleep", micros())?;
    operation.sleep("sleep", SLEEP).await?;
    note(ledger, "end", id, "sleep", micros())?;
    try_join_all((0..SIDE_BY_SIDE).map(|number| step(format!("side/{number}")))).await?;
    Ok(())
}

/// Appends a line. It survives the process, not the machine.
fn note(ledger: &Path, what: &str, id: &str, call: &str, value: u64) -> Result<(), Status> {
    let line = format!("{what} {id} {call} {value}\n");
    let file = OpenOptions::new().create(true).append(true).open(ledger);
    file.and_then(|mut file| file.write_all(line.as_bytes()))
        .map_err(|error| Status::internal(format!("cannot note an effect: {error}")))
}

fn micros() -> u64 {
    SystemClock.now().as_micros().unsigned_abs()
}
