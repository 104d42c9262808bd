use std::fmt;

/// An rpc of `google.longrunning.Operations`.
///
/// ```
/// use lro_core::OperationsRpc;
///
/// assert_eq!(OperationsRpc::Wait.name(), "WaitOperation");
/// assert_eq!(OperationsRpc::Wait.to_string(), "wait");
/// assert!(OperationsRpc::Wait.is_read_only());
/// assert!(!OperationsRpc::Cancel.is_read_only());
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum OperationsRpc {
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

impl OperationsRpc {
    /// All five, in the order of the variants.
    pub const ALL: [Self; 5] = [
        Self::Get,
        Self::List,
        Self::Wait,
        Self::Cancel,
        Self::Delete,
    ];

    /// The verb, as permissions name it: `get`, `list`, `wait`, `cancel` or `delete`.
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

    /// The name of the rpc, such as `GetOperation`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Get => "GetOperation",
            Self::List => "ListOperations",
            Self::Wait => "WaitOperation",
            Self::Cancel => "CancelOperation",
            Self::Delete => "DeleteOperation",
        }
    }

    /// The gRPC path of the rpc, such as `/google.longrunning.Operations/GetOperation`.
    pub const fn path(self) -> &'static str {
        match self {
            Self::Get => "/google.longrunning.Operations/GetOperation",
            Self::List => "/google.longrunning.Operations/ListOperations",
            Self::Wait => "/google.longrunning.Operations/WaitOperation",
            Self::Cancel => "/google.longrunning.Operations/CancelOperation",
            Self::Delete => "/google.longrunning.Operations/DeleteOperation",
        }
    }
}

/// Writes the verb.
impl fmt::Display for OperationsRpc {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
