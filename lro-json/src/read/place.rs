//! Places in a message under construction: their paths, their depth, and the faults found there.

use std::cell::RefCell;
use std::fmt;

use prost_reflect::DescriptorPool;
use serde::de::{DeserializeSeed, Error};

use super::{MAX_DEPTH, ReadOptions};
use crate::error::{ReadError, path_part, quoted};

/// The state that a whole text shares.
pub(super) struct Context<'c> {
    pub(super) options: &'c ReadOptions,
    pub(super) types: &'c DescriptorPool,
    /// The first fault: the parser's errors carry only text.
    fault: RefCell<Option<ReadError>>,
}

impl Context<'_> {
    /// Parses a whole text.
    pub(super) fn parse<'de, S>(&self, text: &'de str, seed: S) -> Result<S::Value, ReadError>
    where
        S: DeserializeSeed<'de>,
    {
        let mut parser = serde_json::Deserializer::from_str(text);
        let parsed = seed.deserialize(&mut parser);
        let parsed = parsed.and_then(|value| parser.end().map(|()| value));
        parsed.map_err(|error| {
            let fault = self.fault.take();
            fault.unwrap_or_else(|| ReadError::new("", format!("not valid JSON: {error}")))
        })
    }
}

/// A place in the message: its path, and how many messages it lies below the outermost one.
#[derive(Clone, Copy)]
pub(super) struct At<'c> {
    pub(super) context: &'c Context<'c>,
    path: &'c Path<'c>,
    depth: usize,
}

impl<'c> At<'c> {
    /// The same place, some messages deeper.
    pub(super) fn deeper(self, messages: usize) -> Self {
        Self {
            depth: self.depth + messages,
            ..self
        }
    }

    /// A place below this one in the same message.
    pub(super) fn below(self, path: &'c Path<'c>) -> Self {
        Self { path, ..self }
    }

    /// The same place as the outermost message of another encoding.
    pub(super) fn outermost(self) -> Self {
        Self { depth: 0, ..self }
    }

    pub(super) fn step<'s>(&'s self, step: Step<'s>) -> Path<'s> {
        Path {
            parent: Some(self.path),
            step,
        }
    }

    /// Takes note of a fault, and makes the parser's error of it.
    pub(super) fn fault<E: Error>(self, reason: impl Into<String>) -> E {
        self.note(ReadError::new(self.path.to_string(), reason));
        E::custom("noted")
    }

    /// Takes note of a fault, unless there was one before.
    pub(super) fn note(self, error: ReadError) {
        self.context.fault.borrow_mut().get_or_insert(error);
    }

    /// Refuses to go deeper than decoders do.
    pub(super) fn check_depth<E: Error>(self) -> Result<(), E> {
        if self.depth > MAX_DEPTH {
            return Err(self.fault(format!("nested deeper than {MAX_DEPTH} messages")));
        }
        Ok(())
    }
}

/// A path as a list that ends at its root.
pub(super) struct Path<'p> {
    parent: Option<&'p Path<'p>>,
    step: Step<'p>,
}

/// One step of a path.
#[derive(Clone, Copy)]
pub(super) enum Step<'p> {
    Root,
    Field(&'p str),
    Index(usize),
    Key(&'p str),
}

impl fmt::Display for Path<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut first = true;
        if let Some(parent) = self.parent {
            parent.fmt(f)?;
            first = matches!(parent.step, Step::Root);
        }
        match self.step {
            Step::Root => Ok(()),
            Step::Field(name) if first => f.write_str(&path_part(name)),
            Step::Field(name) => write!(f, ".{}", path_part(name)),
            Step::Index(index) => write!(f, "[{index}]"),
            Step::Key(key) => write!(f, "[{}]", quoted(key)),
        }
    }
}

/// Reads at the root of a message.
pub(super) fn with_root<T>(
    options: &ReadOptions,
    types: &DescriptorPool,
    read: impl FnOnce(At<'_>) -> T,
) -> T {
    let context = Context {
        options,
        types,
        fault: RefCell::new(None),
    };
    let root = Path {
        parent: None,
        step: Step::Root,
    };
    read(At {
        context: &context,
        path: &root,
        depth: 0,
    })
}
