use std::fmt;
use std::str::FromStr;

use uuid::Uuid;

/// Where a list goes on: behind this operation, in the order newest first.
///
/// A key, not an offset, so that operations which come or go meanwhile neither repeat nor hide
/// others. A store makes and reads it; the wire's page token wraps it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct PageCursor(Uuid);

impl PageCursor {
    /// Behind the operation of this uid.
    pub const fn behind(uid: Uuid) -> Self {
        Self(uid)
    }

    /// The uid of the last operation that was listed.
    pub const fn uid(self) -> Uuid {
        self.0
    }
}

impl fmt::Display for PageCursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.simple().fmt(f)
    }
}

impl FromStr for PageCursor {
    type Err = uuid::Error;

    fn from_str(text: &str) -> Result<Self, uuid::Error> {
        Uuid::try_parse(text).map(Self)
    }
}
