//! Calls that wait for their answers, served in groups.

use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use futures_util::FutureExt as _;
use lro_core::store::StoreError;
use lro_core::store::kit::MAX_GROUP_LEN;
use tokio::sync::oneshot;

use crate::error::Fault;
use crate::group::lane::{Lane, stopped};

/// A call with its elements, and the channel for the answers, one for each element.
#[derive(Debug)]
pub(crate) struct Call<E, A> {
    elements: Vec<E>,
    reply: oneshot::Sender<Result<Vec<A>, StoreError>>,
}

/// Serves all elements of a group at once. An answer each, or a fault that is its own; or a fault of
/// all, when nothing was done.
pub(crate) trait Serve<E, A>: Send + Sync {
    fn serve(
        &self,
        elements: &[E],
    ) -> impl Future<Output = Result<Vec<Result<A, StoreError>>, Fault>> + Send;
}

impl<E, A> Lane<Call<E, A>> {
    /// Waits until a task has served the elements.
    pub(crate) async fn call(&self, elements: Vec<E>) -> Result<Vec<A>, StoreError> {
        if elements.is_empty() {
            return Ok(Vec::new());
        }
        let (reply, answer) = oneshot::channel();
        self.push(Call { elements, reply })?;
        answer.await.unwrap_or_else(|_| Err(stopped()))
    }
}

/// Serves calls until the lane is closed and empty.
pub(crate) async fn keep_serving<E, A>(
    lane: Arc<Lane<Call<E, A>>>,
    server: Arc<impl Serve<E, A> + 'static>,
) where
    E: Send + Sync + 'static,
    A: Send + 'static,
{
    while let Some(calls) = lane.take(MAX_GROUP_LEN, |call| call.elements.len()).await {
        // A panic in one group must not stop the lane: its callers receive an error.
        let group = AssertUnwindSafe(serve_group(&*server, calls));
        if group.catch_unwind().await.is_err() {
            tracing::error!("a group of calls panicked");
        }
    }
}

async fn serve_group<E, A>(server: &impl Serve<E, A>, calls: Vec<Call<E, A>>) {
    let mut elements = Vec::new();
    let mut replies = Vec::new();
    for call in calls {
        replies.push((call.elements.len(), call.reply));
        elements.extend(call.elements);
    }
    let mut answers = serve_all(server, &elements).await.into_iter();
    for (count, reply) in replies {
        // All of them are taken, whichever fails.
        let own: Vec<_> = answers.by_ref().take(count).collect();
        // The caller has stopped waiting: nothing is lost.
        let _ = reply.send(own.into_iter().collect());
    }
}

/// Serves elements together. Where one of them may be at fault, the halves by themselves, and theirs,
/// so that it fails alone.
pub(crate) async fn serve_all<E, A>(
    server: &impl Serve<E, A>,
    elements: &[E],
) -> Vec<Result<A, StoreError>> {
    let mut answers = Vec::with_capacity(elements.len());
    // The next one last.
    let mut parts = vec![elements];
    while let Some(part) = parts.pop() {
        match server.serve(part).await {
            Ok(own) => answers.extend(own),
            Err(fault) if part.len() > 1 && fault.is_of_one_element() => {
                let (first, second) = part.split_at(part.len() / 2);
                parts.extend([second, first]);
            }
            Err(fault) => answers.extend(part.iter().map(|_| Err(fault.to_error()))),
        }
    }
    answers
}
