//! The filter: the table of cases, the rules of the specification, dialects and properties.

#![expect(
    clippy::unwrap_used,
    reason = "a test says best with a panic that it cannot go on"
)]

mod arbitrary;
mod cases;
mod dialects;
mod fixtures;
mod grammar;
mod literals;
mod properties;
mod rules;
mod text;
