//! The limits of a filter. Exceeding one is an error, never a shorter filter.

/// The longest filter, in Unicode code points.
pub const MAX_LENGTH: usize = 8_192;

/// How deep parentheses may be nested, those of functions included; also how many names a field
/// path may have.
pub const MAX_DEPTH: usize = 32;

/// How many terms a filter may have: comparisons and bare literals, those inside parentheses on
/// the right of an operator included.
pub const MAX_TERMS: usize = 256;

/// How much of the filter an error repeats, in code points.
pub(crate) const FRAGMENT_MAX: usize = 64;
