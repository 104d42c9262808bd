//! A list that fetches its pages on demand.

use std::collections::VecDeque;
use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use futures_core::Stream;
use lro_core::{ListOptions, pb};
use tonic::Status;

use super::OperationsClient;

type Fetched = Result<pb::ListOperationsResponse, Status>;

/// The operations of a list, from all its pages: see
/// [`OperationsClient::list_all`](crate::OperationsClient::list_all).
///
/// It is a [`Stream`]; with [`next`](Self::next) you need no extension trait. It holds one page,
/// and fetches the next page when you have read all operations of that one.
///
/// ```
/// # async fn example(operations: lro_client::OperationsClient) -> Result<(), tonic::Status> {
/// let mut list = operations.list_all("operations", Default::default());
/// while let Some(operation) = list.next().await {
///     println!("{}", operation?.name);
/// }
/// # Ok(()) }
/// ```
///
/// # Errors
///
/// If a page cannot be fetched with the retries of the [settings](crate::CallSettings), the error
/// is the last item, and [`page_token`](Self::page_token) is where to resume. A server that returns
/// the same page token twice in a row causes an INTERNAL error, because the list would never end.
#[must_use = "a list does nothing until it is read"]
pub struct OperationList {
    operations: OperationsClient,
    parent: String,
    /// The options with the token of the next page.
    options: ListOptions,
    page: VecDeque<pb::Operation>,
    unreachable: Vec<String>,
    fetching: Option<Pin<Box<dyn Future<Output = Fetched> + Send>>>,
    ended: bool,
}

impl OperationList {
    pub(super) fn new(operations: OperationsClient, parent: String, options: ListOptions) -> Self {
        Self {
            operations,
            parent,
            options,
            page: VecDeque::new(),
            unreachable: Vec::new(),
            fetching: None,
            ended: false,
        }
    }

    /// The next operation, or `None` at the end of the list.
    ///
    /// # Errors
    ///
    /// See [the type](Self#errors).
    ///
    /// # Cancel safety
    ///
    /// The future can be dropped, and the method called again: no operation is lost.
    pub async fn next(&mut self) -> Option<Result<pb::Operation, Status>> {
        std::future::poll_fn(|context| Pin::new(&mut *self).poll_next(context)).await
    }

    /// The token of the next page, or of the page that failed. With it in
    /// [`ListOptions::page_token`], another list continues here. Empty before the first page and
    /// after the last.
    pub fn page_token(&self) -> &str {
        &self.options.page_token
    }

    /// The names that the server could not reach, of the pages so far; only if
    /// [`return_partial_success`](ListOptions::return_partial_success) was asked for. At most
    /// [`MAX_UNREACHABLE`](Self::MAX_UNREACHABLE) names are kept.
    pub fn unreachable(&self) -> &[String] {
        &self.unreachable
    }

    /// The maximum number of unreachable names to keep: 1,000.
    pub const MAX_UNREACHABLE: usize = 1_000;

    fn fetch(&self) -> Pin<Box<dyn Future<Output = Fetched> + Send>> {
        let operations = self.operations.clone();
        let (parent, options) = (self.parent.clone(), self.options.clone());
        Box::pin(async move { operations.list(&parent, &options).await })
    }

    fn take(&mut self, page: pb::ListOperationsResponse) -> Result<(), Status> {
        self.page = page.operations.into();
        let room = Self::MAX_UNREACHABLE - self.unreachable.len();
        self.unreachable
            .extend(page.unreachable.into_iter().take(room));
        let again =
            !page.next_page_token.is_empty() && page.next_page_token == self.options.page_token;
        if again {
            return Err(Status::internal(
                "the server gives the same page token again",
            ));
        }
        self.ended = page.next_page_token.is_empty();
        self.options.page_token = page.next_page_token;
        Ok(())
    }
}

impl Stream for OperationList {
    type Item = Result<pb::Operation, Status>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = &mut *self;
        loop {
            if let Some(operation) = this.page.pop_front() {
                return Poll::Ready(Some(Ok(operation)));
            }
            if this.ended {
                return Poll::Ready(None);
            }
            if this.fetching.is_none() {
                this.fetching = Some(this.fetch());
            }
            let Some(fetching) = &mut this.fetching else {
                continue;
            };
            let fetched = ready!(fetching.as_mut().poll(context));
            this.fetching = None;
            if let Err(status) = fetched.and_then(|page| this.take(page)) {
                this.ended = true;
                this.page.clear();
                return Poll::Ready(Some(Err(status)));
            }
        }
    }
}

impl fmt::Debug for OperationList {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OperationList")
            .field("parent", &self.parent)
            .field("options", &self.options)
            .field("ended", &self.ended)
            .finish_non_exhaustive()
    }
}
