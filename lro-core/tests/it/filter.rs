//! The filter: the table of cases, the rules of the specification, dialects and properties.

mod arbitrary;
mod cases;
mod dialects;
mod fixtures;
mod grammar;
mod literals;
mod properties;
mod rules;
mod text;
