//! The names of durable calls, and the keys that they give.

use std::fmt;

use lro_core::Reason;
use lro_core::store::StepKey;
use tonic::Status;

use super::fault;

/// The longest name, in bytes; also the longest name of a scope.
const MAX_LEN: usize = 128;

/// The name of a durable call, or of a scope, within its operation.
///
/// It has 1 to 128 bytes of `A-Z`, `a-z`, `0-9`, `.`, `_`, `-` and `/`. A call with another name fails with
/// INTERNAL, `STEP_NAME_INVALID`, the first time that the body makes it. So does one whose key ends with the name
/// `undo` or begins with `undo/`: [sagas](super::Saga) record their undos by these.
///
/// ```
/// use lro_server::steps::StepName;
///
/// let page = 7;
/// let name = StepName::from(format!("render/{page}"));
/// assert_eq!(name.as_str(), "render/7");
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct StepName(Box<str>);

impl StepName {
    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The key of the first call of this name in a scope.
    pub(super) fn in_scope(&self, scope: &str) -> Result<StepKey, Status> {
        self.check()?;
        match scope {
            "" => key(self.as_str()),
            scope => key(&format!("{scope}/{self}")),
        }
    }

    fn check(&self) -> Result<(), Status> {
        let name = self.as_str();
        let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"._-/".contains(&byte);
        let fault = match () {
            () if name.is_empty() => "is empty".to_owned(),
            () if name.len() > MAX_LEN => {
                format!("has {} bytes, more than {MAX_LEN}", name.len())
            }
            () if !name.bytes().all(is_allowed) => {
                "has a character other than letters, digits, `.`, `_`, `-` and `/`".to_owned()
            }
            () => return Ok(()),
        };
        let shown: String = name.chars().take(MAX_LEN).collect();
        let message = format!(
            "the name of a durable call {fault}: {shown:?}; choose one such as `create-vm` or `render/7`"
        );
        Err(Reason::StepNameInvalid.status(message, []))
    }
}

/// A key that may be too long.
pub(super) fn key(key: &str) -> Result<StepKey, Status> {
    key.parse().map_err(|error| {
        let message = format!("the scopes and the name of a durable call: {error}");
        Reason::StepNameInvalid.status(message, [])
    })
}

/// A key that is not of a row with which a saga undoes.
pub(super) fn free(key: StepKey) -> Result<StepKey, Status> {
    let text = key.as_str();
    let last = text.rsplit('/').next().unwrap_or(text);
    let is_taken = text.starts_with("undo/") || last.split('#').next() == Some("undo");
    match is_taken {
        true => Err(fault::reserved(text)),
        false => Ok(key),
    }
}

impl From<&str> for StepName {
    fn from(name: &str) -> Self {
        Self(name.into())
    }
}

impl From<String> for StepName {
    fn from(name: String) -> Self {
        Self(name.into())
    }
}

impl From<&String> for StepName {
    fn from(name: &String) -> Self {
        Self(name.as_str().into())
    }
}

impl fmt::Display for StepName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// steps:U5
    #[test]
    fn the_names_of_undos_are_refused() {
        for taken in ["undo", "undo#2", "left/undo", "undo/disk", "undo/a/b"] {
            let error = free(key(taken).unwrap()).unwrap_err();
            assert_eq!(error.code(), tonic::Code::Internal, "{taken}");
            assert!(error.message().contains("choose another one"), "{error}");
        }
        for kept in ["undone", "left/undo-disk", "redo/undo/disk"] {
            free(key(kept).unwrap()).unwrap();
        }
    }

    /// steps:S1
    #[test]
    fn a_name_is_checked_and_stands_behind_its_scope() {
        for valid in ["a", "create-vm", "Render/7.pdf", &"x".repeat(MAX_LEN)] {
            let key = StepName::from(valid).in_scope("").unwrap();
            assert_eq!(key.as_str(), valid);
        }
        let key = StepName::from("b").in_scope("a").unwrap();
        assert_eq!(key.as_str(), "a/b");
        for invalid in ["", "a b", "ü", "a#2", &"x".repeat(MAX_LEN + 1)] {
            let error = StepName::from(invalid).in_scope("").unwrap_err();
            assert_eq!(error.code(), tonic::Code::Internal, "{invalid}");
            assert!(error.message().contains("create-vm"), "{error}");
        }
    }
}
