//! The rules of a method for the durable calls of its body.

#[cfg(feature = "inspection")]
use lro_core::TYPE_URL_PREFIX;
use lro_core::{OperationName, Reason, Timestamp, is_promise_of};
use tonic::Status;

/// Whether a run may make a new durable call before it has reached all recorded ones.
///
/// ```
/// use lro_server::registration::MethodOptions;
/// use lro_server::steps::StepOrder;
///
/// let options = MethodOptions::new().step_order(StepOrder::ByName);
/// # assert_ne!(options, MethodOptions::new());
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum StepOrder {
    /// It may not: the code has changed under the operation, which is blocked until code that fits is
    /// deployed. Calls that were recorded side by side may come in any order.
    #[default]
    Strict,
    /// It may: names alone decide. Recorded calls that a run never reaches are logged at its end.
    ByName,
}

/// The rules for the durable calls of one operation.
#[derive(Clone, Debug, Default)]
pub(crate) struct StepRules {
    pub(crate) order: StepOrder,
    /// Empty if the method declares none.
    pub(crate) promises: Vec<DeclaredPromise>,
    /// The end of the operation's lifetime.
    pub(crate) lifetime_end: Option<Timestamp>,
}

/// A promise that a method declares.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct DeclaredPromise {
    pub(crate) name: &'static str,
    /// The full name of the message type of its value.
    pub(crate) type_name: String,
}

impl DeclaredPromise {
    /// As it is shown.
    #[cfg(feature = "inspection")]
    pub(crate) fn to_wire(&self) -> lro_core::inspection::DeclaredPromise {
        lro_core::inspection::DeclaredPromise {
            name: self.name.to_owned(),
            type_url: format!("{TYPE_URL_PREFIX}{}", self.type_name),
        }
    }
}

/// The fault of a promise that is none of the declared ones, as a sentence; `None` if nothing is declared.
/// `type_name` is that of its value, if it has one.
fn undeclared(declared: &[DeclaredPromise], key: &str, type_name: Option<&str>) -> Option<String> {
    if declared.is_empty() {
        return None;
    }
    let Some(promise) = declared.iter().find(|it| is_promise_of(key, it.name)) else {
        let names: Vec<_> = declared.iter().map(|it| format!("`{}`", it.name)).collect();
        return Some(format!(
            "the method declares no promise `{key}`, but {}",
            names.join(", ")
        ));
    };
    let is_fit = type_name.is_none_or(|type_name| type_name == promise.type_name);
    (!is_fit).then(|| {
        format!(
            "the promise `{key}` takes a `{}`, not a `{}`",
            promise.type_name,
            type_name.unwrap_or_default()
        )
    })
}

/// Refuses a body's promise that the method does not declare.
pub(super) fn check_own(
    declared: &[DeclaredPromise],
    key: &str,
    type_name: &str,
) -> Result<(), Status> {
    match undeclared(declared, key, Some(type_name)) {
        Some(fault) => {
            let message = format!("{fault}; declare it as in `promise(\"{key}\" = Approval)`");
            Err(Reason::PromiseUndeclared.status(message, [("promise", key)]))
        }
        None => Ok(()),
    }
}

/// Refuses a caller's value for a promise that the operation's method does not declare.
pub(crate) fn check_value(
    declared: &[DeclaredPromise],
    name: &OperationName,
    key: &str,
    type_name: Option<&str>,
) -> Result<(), Status> {
    match undeclared(declared, key, type_name) {
        Some(fault) => {
            Err(Reason::InvalidField.field_status("promise", format!("{name}: {fault}")))
        }
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// steps:P4
    #[test]
    fn a_declared_name_counts_in_every_scope() {
        let declared = [DeclaredPromise {
            name: "approved",
            type_name: "a.Approval".to_owned(),
        }];
        for key in [
            "approved",
            "approved#2",
            "escalation/approved",
            "a/b/approved#3",
        ] {
            assert_eq!(
                undeclared(&declared, key, Some("a.Approval")),
                None,
                "{key}"
            );
            assert_eq!(undeclared(&declared, key, None), None, "{key}");
            assert!(
                undeclared(&declared, key, Some("a.Other")).is_some(),
                "{key}"
            );
        }
        for key in ["paid", "disapproved", "approved/x"] {
            let fault = undeclared(&declared, key, None).unwrap();
            assert!(fault.contains("`approved`"), "{fault}");
            assert_eq!(undeclared(&[], key, None), None);
        }
    }
}
