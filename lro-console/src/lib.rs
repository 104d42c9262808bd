#![doc = include_str!("../README.md")]
#![cfg_attr(docsrs, feature(doc_cfg))]

mod action;
mod answer;
mod assets;
mod console;
mod door;
mod download;
mod export;
mod live;
mod outlook;
mod page;
mod params;
mod progress;
mod route;
mod row;
mod safety;
mod serve;
mod sign_in;
mod source;
mod step;
mod text;
mod tree;
mod types;

pub use console::{Console, InvalidDescriptorSet};
#[cfg(feature = "remote")]
pub use source::remote::Remote;
