#![doc = include_str!("../README.md")]

mod action;
mod answer;
mod assets;
mod console;
mod download;
mod live;
mod page;
mod params;
mod progress;
mod route;
mod row;
mod safety;
mod serve;
mod source;
mod text;
mod tree;
mod types;

pub use console::{Console, InvalidDescriptorSet};
