//! Answers that are kept for some seconds.

use std::time::Duration;

use tokio::sync::Mutex;
use tokio::time::Instant;
use tonic::Status;

/// How old counts and methods may be.
const MAX_AGE: Duration = Duration::from_secs(10);

/// Answers that are kept for some seconds, each with its question.
pub(super) type Kept<T> = Mutex<Vec<(String, Instant, T)>>;

/// The answer that is kept, or a new one. Those who ask at once share one call.
pub(super) async fn kept<T: Clone>(
    kept: &Kept<T>,
    question: String,
    ask: impl Future<Output = Result<T, Status>>,
) -> Result<T, Status> {
    let mut kept = kept.lock().await;
    kept.retain(|(_, at, _)| at.elapsed() < MAX_AGE);
    if let Some((.., answer)) = kept.iter().find(|(it, ..)| *it == question) {
        return Ok(answer.clone());
    }
    let answer = ask.await?;
    kept.push((question, Instant::now(), answer.clone()));
    Ok(answer)
}
