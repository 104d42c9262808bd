use std::fmt;

/// A method of google.longrunning.Operations.
///
/// ```
/// use lro_server::access::Method;
///
/// assert_eq!(Method::Wait.to_string(), "wait");
/// assert!(Method::Wait.is_read_only());
/// assert!(!Method::Cancel.is_read_only());
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Method {
    /// GetOperation.
    Get,
    /// ListOperations.
    List,
    /// WaitOperation.
    Wait,
    /// CancelOperation.
    Cancel,
    /// DeleteOperation.
    Delete,
}

impl Method {
    /// All five.
    pub const ALL: [Self; 5] = [
        Self::Get,
        Self::List,
        Self::Wait,
        Self::Cancel,
        Self::Delete,
    ];

    /// The verb, as it stands in permissions.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Get => "get",
            Self::List => "list",
            Self::Wait => "wait",
            Self::Cancel => "cancel",
            Self::Delete => "delete",
        }
    }

    /// Whether it changes nothing: get, list and wait.
    pub const fn is_read_only(self) -> bool {
        matches!(self, Self::Get | Self::List | Self::Wait)
    }

    /// The name of the rpc.
    pub(crate) const fn rpc(self) -> &'static str {
        match self {
            Self::Get => "GetOperation",
            Self::List => "ListOperations",
            Self::Wait => "WaitOperation",
            Self::Cancel => "CancelOperation",
            Self::Delete => "DeleteOperation",
        }
    }

    /// The gRPC path of the rpc.
    pub(crate) const fn path(self) -> &'static str {
        match self {
            Self::Get => "/google.longrunning.Operations/GetOperation",
            Self::List => "/google.longrunning.Operations/ListOperations",
            Self::Wait => "/google.longrunning.Operations/WaitOperation",
            Self::Cancel => "/google.longrunning.Operations/CancelOperation",
            Self::Delete => "/google.longrunning.Operations/DeleteOperation",
        }
    }
}

impl fmt::Display for Method {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
