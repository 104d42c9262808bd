//! The key of a step.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

/// The identity of a step within its operation: `render`, `escalation/ask`, or `render#2` for the
/// second call of that name.
///
/// ```
/// use lro_core::store::StepKey;
///
/// let key: StepKey = "escalation/ask#2".parse()?;
/// assert_eq!(key.as_str(), "escalation/ask#2");
/// assert!("".parse::<StepKey>().is_err());
/// assert!("two words".parse::<StepKey>().is_err());
/// # Ok::<(), lro_core::store::InvalidStepKey>(())
/// ```
///
/// A key has 1 to [`MAX_LEN`](Self::MAX_LEN) bytes: letters, digits and `.`, `_`, `-`, `/`, `#`.
/// Keys are compared byte for byte. A clone shares the text.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StepKey(Arc<str>);

impl StepKey {
    /// The longest key, in bytes: scopes and a name of 128 bytes each.
    pub const MAX_LEN: usize = 1_280;

    /// The key as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for StepKey {
    type Err = InvalidStepKey;

    fn from_str(key: &str) -> Result<Self, InvalidStepKey> {
        if key.is_empty() || key.len() > Self::MAX_LEN {
            return Err(InvalidStepKey::Length(key.len()));
        }
        let is_allowed = |byte: &char| {
            byte.is_ascii_alphanumeric() || matches!(byte, '.' | '_' | '-' | '/' | '#')
        };
        match key.chars().find(|character| !is_allowed(character)) {
            Some(character) => Err(InvalidStepKey::Character(character)),
            None => Ok(Self(key.into())),
        }
    }
}

impl fmt::Display for StepKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for StepKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The reason why a text is not the key of a step.
///
/// ```
/// use lro_core::store::{InvalidStepKey, StepKey};
///
/// assert_eq!("a b".parse::<StepKey>(), Err(InvalidStepKey::Character(' ')));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidStepKey {
    /// It has this length in bytes: it is empty or too long.
    #[error("a step key has 1 to {max} bytes, not {0}", max = StepKey::MAX_LEN)]
    Length(usize),
    /// It holds this character.
    #[error("a step key consists of letters, digits, `.`, `_`, `-`, `/` and `#`, without {0:?}")]
    Character(char),
}
