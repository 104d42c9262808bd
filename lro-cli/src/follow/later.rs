//! Looks for operations that match a filter later.

use std::collections::HashSet;
use std::time::Duration;

use futures_util::FutureExt as _;
use futures_util::future::LocalBoxFuture;
use tokio::time::Instant;

use crate::context::Context;
use crate::exit::Exit;
use crate::failure::Failure;

/// How far apart two looks are while operations run.
const APART: Duration = Duration::from_secs(2);
/// The most operations that a look takes from the list, the newest first.
pub(crate) const MAX_MATCHES: usize = 10_000;

type Found = Result<Vec<String>, Failure>;

/// Looks for operations that match a filter, as long as some run, and once after all have ended.
pub(super) struct Later<'a> {
    context: &'a Context,
    /// `None`: there is nothing to look for.
    filter: Option<&'a str>,
    looking: Option<LocalBoxFuture<'a, Found>>,
    /// Whether all had ended when the look began: if it finds nothing new, it is the last one.
    is_last: bool,
    next: Instant,
    /// Looks in a row that failed.
    failures: u32,
}

impl<'a> Later<'a> {
    pub(super) fn new(context: &'a Context, filter: Option<&'a str>) -> Self {
        Self {
            context,
            filter,
            looking: None,
            is_last: false,
            next: Instant::now() + APART,
            failures: 0,
        }
    }

    pub(super) fn may_bring_more(&self) -> bool {
        self.filter.is_some()
    }

    /// Nothing more is looked for.
    pub(super) fn stop(&mut self) {
        self.filter = None;
        self.looking = None;
    }

    /// Begins a look if it is time.
    pub(super) fn look(&mut self, all_ended: bool) {
        let Some(filter) = self.filter.filter(|_| self.looking.is_none()) else {
            return;
        };
        if (all_ended && self.failures == 0) || Instant::now() >= self.next {
            self.is_last = all_ended;
            let context = self.context;
            let look = async move {
                let (found, _) = context.first(filter, MAX_MATCHES).await?;
                Ok(found.into_iter().map(|it| it.name).collect())
            };
            self.looking = Some(look.boxed_local());
        }
    }

    /// The result of the look that is under way. Cancel safe.
    pub(super) async fn found(&mut self) -> Found {
        match &mut self.looking {
            Some(looking) => {
                let found = looking.await;
                self.looking = None;
                found
            }
            None => std::future::pending().await,
        }
    }

    /// The names of the result that are new.
    ///
    /// # Errors
    ///
    /// When the list could not be read too often in a row, or will not be.
    pub(super) fn take(&mut self, found: Found, known: &[String]) -> Result<Vec<String>, Failure> {
        self.next = Instant::now() + APART;
        let found = match found {
            Ok(found) => found,
            Err(failure)
                if failure.exit() == Exit::Unknown && self.failures < self.context.retry_errors =>
            {
                self.failures += 1;
                let text = format!("retrying after: {}", failure.summary());
                self.context.terminal.note(&text);
                return Ok(Vec::new());
            }
            Err(failure) => return Err(failure),
        };
        self.failures = 0;
        let known: HashSet<&String> = known.iter().collect();
        let mut new: Vec<String> = found.into_iter().filter(|it| !known.contains(it)).collect();
        // In the order in which they were started.
        new.reverse();
        if new.is_empty() && self.is_last {
            self.stop();
        }
        Ok(new)
    }
}
