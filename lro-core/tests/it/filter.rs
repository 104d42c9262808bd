//! The filter: the table of cases, the rules of the specification, dialects and properties.

mod advice;
mod arbitrary;
mod cases;
mod dialects;
mod fixtures;
mod grammar;
mod literals;
mod payload_types;
mod properties;
mod rules;
mod text;
