/// The options of a list of operations: filter, page size and page token (AIP-158, AIP-160).
///
/// ```
/// use lro_core::ListOptions;
///
/// let options = ListOptions::new().filter("done = false").page_size(50);
/// assert_eq!(options.filter, "done = false");
/// assert_eq!(options.page_token, "");
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ListOptions {
    /// An expression (AIP-160) in the terms of the server; empty for all operations.
    pub filter: String,
    /// The largest number of operations on a page; 0 leaves it to the server. The server may always
    /// return fewer.
    pub page_size: i32,
    /// The `next_page_token` of the page before; empty for the first page.
    pub page_token: String,
    /// Whether to return the operations that could be reached when some could not. A server that
    /// does not offer this answers UNIMPLEMENTED.
    pub return_partial_success: bool,
}

impl ListOptions {
    /// All operations, from the first page, with the server's page size.
    pub fn new() -> Self {
        Self::default()
    }

    /// Only operations that match the expression (AIP-160).
    #[must_use]
    pub fn filter(mut self, filter: impl Into<String>) -> Self {
        self.filter = filter.into();
        self
    }

    /// The largest number of operations on a page; 0 leaves it to the server.
    #[must_use]
    pub fn page_size(mut self, page_size: i32) -> Self {
        self.page_size = page_size;
        self
    }

    /// The page that follows the one with this `next_page_token`.
    #[must_use]
    pub fn page_token(mut self, page_token: impl Into<String>) -> Self {
        self.page_token = page_token.into();
        self
    }

    /// Whether to return the operations that could be reached when some could not.
    #[must_use]
    pub fn return_partial_success(mut self, partial: bool) -> Self {
        self.return_partial_success = partial;
        self
    }
}
