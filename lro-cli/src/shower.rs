//! Decodes operations, with the types that it takes.

use lro_core::pb;
use lro_json::WriteOptions;
use prost::Message as _;
use prost_reflect::DynamicMessage;
use serde_json::Value;

use crate::exit::Exit;
use crate::failure::Failure;
use crate::progress::{Fields, find};
use crate::shown::{Shown, State};
use crate::terminal::Terminal;
use crate::types::Types;

/// How often the types within types are asked for.
const MAX_ROUNDS: usize = 8;

const OPERATION: &str = "google.longrunning.Operation";

/// Decodes operations.
#[derive(Debug)]
pub(crate) struct Shower<'a> {
    pub(crate) types: &'a Types,
    pub(crate) terminal: &'a Terminal,
    pub(crate) fields: Option<Fields>,
    pub(crate) unredacted: bool,
}

impl Shower<'_> {
    /// Decodes an operation, asking the server for the types that are not known.
    pub(crate) async fn show(&self, operation: pb::Operation) -> Result<Shown, Failure> {
        let bytes = operation.encode_to_vec();
        let (tree, opaque) = self.decode(OPERATION, &bytes).await?;
        let is_opaque = opaque > 0;
        let opaque = if is_opaque {
            self.explain(&tree)
        } else {
            Vec::new()
        };
        let (json, _) = self.write(OPERATION, &bytes, false)?;
        Ok(Shown {
            state: State::of(&operation),
            progress: find(&tree, self.fields.as_ref()),
            operation,
            json,
            tree,
            broken: is_opaque && opaque.is_empty(),
            opaque,
            record: None,
        })
    }

    /// The JSON of a message of lro.v1, compact and without default values, after the types within
    /// it were asked for.
    pub(crate) async fn json_of(
        &self,
        name: &str,
        message: &impl prost::Message,
    ) -> Result<String, Failure> {
        let bytes = message.encode_to_vec();
        let (tree, opaque) = self.decode(name, &bytes).await?;
        if opaque > 0 {
            self.explain(&tree);
        }
        Ok(self.write(name, &bytes, false)?.0)
    }

    /// The same for a program that reads it again, which takes no message as base64.
    ///
    /// # Errors
    ///
    /// When a type is not known, or the bytes of a message do not fit its type.
    pub(crate) async fn transparent_json_of(
        &self,
        name: &str,
        message: &impl prost::Message,
    ) -> Result<String, Failure> {
        let bytes = message.encode_to_vec();
        let (tree, opaque) = self.decode(name, &bytes).await?;
        if opaque == 0 {
            return Ok(self.write(name, &bytes, false)?.0);
        }
        Err(match &*unknown(&tree, self.types) {
            [] => Failure::new(Exit::Fault, "the bytes of a value do not fit its type"),
            names => Failure::usage(format!("the type `{}` is not known", names.join("`, `")))
                .advise("the server's reflection does not have it: give --descriptor-set"),
        })
    }

    /// The JSON of a message without an Any, with default values.
    pub(crate) fn json(
        &self,
        name: &str,
        message: &impl prost::Message,
    ) -> Result<String, Failure> {
        Ok(self.write(name, &message.encode_to_vec(), true)?.0)
    }

    /// The message as a tree with default values, and how many messages within it are base64.
    async fn decode(&self, name: &str, bytes: &[u8]) -> Result<(Value, usize), Failure> {
        let mut rounds = 0;
        loop {
            let (json, opaque) = self.write(name, bytes, true)?;
            let tree: Value = serde_json::from_str(&json).map_err(|error| bug(&error))?;
            if opaque == 0 || rounds == MAX_ROUNDS {
                return Ok((tree, opaque));
            }
            rounds += 1;
            let mut loaded = false;
            for name in unknown(&tree, self.types) {
                // Without its type an Any stays base64, and everything else works.
                match self.types.load(&name).await {
                    Ok(found) => loaded |= found,
                    Err(failure) => self.terminal.note(&format!("hint: {}", failure.summary())),
                }
            }
            if !loaded {
                return Ok((tree, opaque));
            }
        }
    }

    fn write(
        &self,
        name: &str,
        bytes: &[u8],
        default_values: bool,
    ) -> Result<(String, usize), Failure> {
        let pool = self.types.pool();
        let descriptor = pool
            .get_message_by_name(name)
            .ok_or_else(|| bug(&format!("{name} is not known")))?;
        let message = DynamicMessage::decode(descriptor, bytes).map_err(|error| bug(&error))?;
        let written = WriteOptions::new()
            .types(pool)
            .default_values(default_values)
            .redact(!self.unredacted)
            .write(&message)
            .map_err(|error| bug(&error))?;
        Ok((written.json, written.opaque))
    }

    /// Says once which types are shown as base64, and why.
    fn explain(&self, tree: &Value) -> Vec<String> {
        let names = unknown(tree, self.types);
        for name in &names {
            let why = match self.types.reflection_version() {
                Some(_) => "the server's reflection does not know it",
                None => "the server has no reflection",
            };
            self.terminal.note(&format!(
                "hint: {name} is shown as base64: {why}; give --descriptor-set to decode it"
            ));
        }
        if names.is_empty() {
            self.terminal
                .note("hint: the bytes of a message do not fit its type and are shown as base64");
        }
        names
    }
}

/// The names of the types in the tree that the pool does not have.
fn unknown(tree: &Value, types: &Types) -> Vec<String> {
    let mut names = Vec::new();
    collect(tree, &mut names);
    let pool = types.pool();
    names.retain(|name| pool.get_message_by_name(name).is_none());
    names.sort();
    names.dedup();
    names
}

fn collect(tree: &Value, names: &mut Vec<String>) {
    match tree {
        Value::Object(object) => {
            if let Some(url) = object.get("@type").and_then(Value::as_str) {
                let name = url.rsplit_once('/').map_or(url, |(_, name)| name);
                let is_name = !name.is_empty()
                    && name
                        .bytes()
                        .all(|it| it.is_ascii_alphanumeric() || b"._".contains(&it));
                if is_name {
                    names.push(name.to_owned());
                }
            }
            object.values().for_each(|it| collect(it, names));
        }
        Value::Array(list) => list.iter().for_each(|it| collect(it, names)),
        _ => {}
    }
}

fn bug(error: &dyn std::fmt::Display) -> Failure {
    Failure::new(Exit::Fault, format!("cannot show the operation: {error}"))
}
