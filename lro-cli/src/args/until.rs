//! The end of a wait.

/// The condition that counts as reached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Until {
    /// Any end; a failed or cancelled operation has an exit code of its own.
    Done,
    /// The end CANCELLED.
    Cancelled,
    /// A match of this filter.
    Matches(String),
}

impl std::str::FromStr for Until {
    type Err = std::convert::Infallible;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Ok(match text {
            "done" => Self::Done,
            "cancelled" => Self::Cancelled,
            filter => Self::Matches(filter.to_owned()),
        })
    }
}
