//! The race of two durable calls.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use futures_util::FutureExt as _;
use futures_util::future::{Either as Raced, select};
use lro_core::store::{StepKey, StepOutcome};
use lro_core::{pack, unpack};
use prost::{Message, Name};
use tonic::Status;

use super::Step;
use super::call::Call;
use super::fault;

/// The race of two durable calls, of [`OperationContext::first`](crate::OperationContext::first).
///
/// ```
/// # use lro_server::OperationContext;
/// # use lro_server::steps::Either;
/// # use tonic::Status;
/// async fn body(operation: OperationContext<()>) -> Result<u64, Status> {
///     let primary = operation.step("primary", async || Ok::<_, Status>(1_u64));
///     let replica = operation.step("replica", async || Ok::<_, Status>(2_u64));
///     match operation.first("read", primary, replica).await? {
///         Either::Left(read) | Either::Right(read) => read,
///     }
/// }
/// # let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
/// # assert_eq!(runtime.block_on(body(OperationContext::detached())).unwrap(), 1);
/// ```
///
/// # Errors
///
/// Those of its own name, as for a [`Step`]. The winner's own error is inside of [`Either`].
///
/// # Cancel safety
///
/// Dropping the future drops both calls.
#[must_use = "a durable call begins when it is awaited"]
pub struct First<'a, A, B> {
    race: Pin<Box<dyn Future<Output = Outcome<A, B>> + Send + 'a>>,
}

type Outcome<A, B> = Result<Either<Result<A, Status>, Result<B, Status>>, Status>;

/// The winner of a race.
///
/// ```
/// use lro_server::steps::Either;
///
/// let winner: Either<u32, String> = Either::Left(7);
/// assert!(matches!(winner, Either::Left(7)));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Either<A, B> {
    /// The first call.
    Left(A),
    /// The second call.
    Right(B),
}

impl<'a, A, B> First<'a, A, B>
where
    A: Message + Name + Default + 'static,
    B: Message + Name + Default + 'static,
{
    pub(super) fn new(call: Call, left: Step<'a, A>, right: Step<'a, B>) -> Self {
        Self {
            race: Box::pin(race(call, left, right)),
        }
    }
}

async fn race<'a, A, B>(
    mut call: Call,
    mut left: Step<'a, A>,
    mut right: Step<'a, B>,
) -> Outcome<A, B>
where
    A: Message + Name + Default + 'static,
    B: Message + Name + Default + 'static,
{
    let row = call.find(&String::type_url()).await?;
    if let Some(ended) = row.as_ref().and_then(|row| call.replay(row)) {
        let winner: String = unpack(&ended.result?).unwrap_or_default();
        return if left.key().is_some_and(|key| key.as_str() == winner) {
            drop(right);
            Ok(Either::Left(left.await))
        } else if right.key().is_some_and(|key| key.as_str() == winner) {
            drop(left);
            Ok(Either::Right(right.await))
        } else {
            let fault = fault::winner_changed(call.key()?.as_str(), &winner);
            call.block(fault).await
        };
    }
    // An earlier run was lost before it could record the winner: a call that has ended does not race against
    // one that has not.
    let ended = [left.key(), right.key()].map(|key| call.has_end_of(key));
    let won_by = match ended {
        [true, false] => Either::Left((&mut left).await),
        [false, true] => Either::Right((&mut right).await),
        _ => match select(&mut left, &mut right).await {
            Raced::Left((result, _)) => Either::Left(result),
            Raced::Right((result, _)) => Either::Right(result),
        },
    };
    match &won_by {
        Either::Left(_) => {
            if let Some(winner) = left.recorded() {
                won(&mut call, winner, right).await?;
            }
        }
        Either::Right(_) => {
            if let Some(winner) = right.recorded() {
                won(&mut call, winner, left).await?;
            }
        }
    }
    Ok(won_by)
}

/// Records which call has won. A call whose end is not recorded wins nothing: another run repeats it.
async fn won<T>(call: &mut Call, winner: StepKey, mut loser: Step<'_, T>) -> Result<(), Status>
where
    T: Message + Name + Default + 'static,
{
    let has_ended = loser.is_under_way() && (&mut loser).now_or_never().is_some();
    let lost = loser.identity();
    drop(loser);
    let has_ended = has_ended || call.has_end_of(lost.as_ref().map(|(key, _)| key));
    if has_ended {
        // Its end stays. A later run must not find both ends without the winner.
        call.set_durable();
    }
    let winner = winner.as_str().to_owned();
    // Before the row of the loser: a later run that found it alone would take the loser for the winner.
    call.record(StepOutcome::Response(pack(&winner))).await?;
    if let (Some((key, kind)), false) = (lost, has_ended) {
        call.abandon(key, kind);
    }
    Ok(())
}

impl<A, B> Future for First<'_, A, B> {
    type Output = Outcome<A, B>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        self.race.as_mut().poll(context)
    }
}

impl<A, B> fmt::Debug for First<'_, A, B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("First").finish_non_exhaustive()
    }
}
