//! Nothing but its test, `ui`: a crate of its own, so that the cases are compiled with few
//! dependencies.
