#![doc = include_str!("../README.md")]

mod error;
mod field_mask;
mod number;
mod read;
mod scalar;
mod time;
mod types;
mod well_known;
mod write;

pub use error::{ReadError, WriteError};
pub use read::{MAX_DEPTH, ReadOptions};
pub use types::{DescriptorSetError, add_descriptor_set};
pub use well_known::has_own_form;
pub use write::{WriteOptions, Written, is_redacted};
