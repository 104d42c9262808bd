use std::time::Duration;

use lro_client::{ExponentialBackoff, Poller, PollingResult};
use prost::{Message, Name};

use crate::cli::Failure;
use crate::cli::progress::{Describe, Display};

/// The interval that eyes can follow.
const PERIODS: (Duration, Duration) = (Duration::from_millis(50), Duration::from_millis(400));

/// Shows how far an operation is, and waits for its response.
pub(super) async fn watch<R, M>(poller: Poller<R, M>) -> Result<R, Failure>
where
    R: Message + Name + Default + 'static,
    M: Message + Name + Default + Describe + 'static,
{
    let (initial, max) = PERIODS;
    let backoff = ExponentialBackoff::new(initial, max);
    let mut poller = poller.backoff_policy(backoff);
    let mut display = Display::new();
    display.say(poller.name());
    let mut in_trouble = false;
    let result = loop {
        match poller.next_update().await {
            Some(PollingResult::InProgress(metadata)) => {
                in_trouble = false;
                if let Some(metadata) = metadata {
                    display.show(metadata.stage());
                }
            }
            Some(PollingResult::PollingError(status)) => {
                if !in_trouble {
                    display.say(&format!("trying again: {}", status.message()));
                }
                in_trouble = true;
            }
            Some(PollingResult::Completed(result)) => break result,
            None => return Err(Failure::message("the operation has ended before")),
        }
    };
    display.finish();
    Ok(result?)
}
