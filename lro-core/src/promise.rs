//! Names of promises.

/// Whether a key is that of a promise with this name: in any scope, and the first or a later one.
///
/// ```
/// use lro_core::is_promise_of;
///
/// assert!(is_promise_of("escalation/approved#2", "approved"));
/// assert!(!is_promise_of("disapproved", "approved"));
/// ```
pub fn is_promise_of(key: &str, name: &str) -> bool {
    let key = key.split_once('#').map_or(key, |(key, _)| key);
    let scope = key.strip_suffix(name);
    scope.is_some_and(|scope| scope.is_empty() || scope.ends_with('/'))
}
