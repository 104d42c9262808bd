//! The two programs of the README as a crate: its proto, compiled by lro-build
