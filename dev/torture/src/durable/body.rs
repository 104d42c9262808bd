//! A body of durable steps, which notes its effects in a file outside of the store.

use std::time::Duration;

use crate::ledger::Ledger;
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
    ledger: &Ledger,
    id: &str,
    operation: &OperationContext<ExportMetadata>,
) -> Result<(), HandlerError> {
    let step = async |call: String| {
        let pause = Duration::from_millis(8);
        let effect = async || -> Result<u32, Status> {
            let value = Uuid::new_v4().as_fields().0;
            ledger.note("effect", id, &call, value)?;
            // A kill between the effect and its record runs the closure again.
            tokio::time::sleep(pause).await;
            Ok(value)
        };
        let value = operation.step(&call, effect).await?;
        ledger.note("pass", id, &call, value)
    };
    for number in 0..IN_SEQUENCE {
        step(format!("step/{number}")).await?;
    }
    ledger.note("begin", id, "sleep", micros())?;
    operation.sleep("sleep", SLEEP).await?;
    ledger.note("end", id, "sleep", micros())?;
    try_join_all((0..SIDE_BY_SIDE).map(|number| step(format!("side/{number}")))).await?;
    Ok(())
}

fn micros() -> u64 {
    SystemClock.now().as_micros().unsigned_abs()
}
