//! The builder's options: checked, and handed to prost-build and tonic-build.

use prost_build::Config;
use syn::parse::Parser;
use tonic_build::{Attributes, CodeGenBuilder};

use crate::builder::Builder;
use crate::error::Error;

/// The kind of item that gets an attribute.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    Type,
    Message,
    Enum,
    Field,
    ClientMod,
    Client,
    ServerMod,
    Server,
    Trait,
}

/// An attribute for everything that matches a path.
#[derive(Debug, Clone)]
pub(crate) struct Attribute {
    pub(crate) place: Place,
    pub(crate) path: String,
    pub(crate) text: String,
}

/// Options that are Rust code have to be some, before they end up in a file.
pub(crate) fn check(builder: &Builder) -> Result<(), Error> {
    path("core_path", builder.path_of_core())?;
    if let Some(codec) = &builder.codec_path {
        path("codec_path", codec)?;
    }
    for (proto, rust) in builder.extern_paths.iter() {
        if !proto.starts_with('.') || proto.len() > 1 && proto.ends_with('.') {
            return Err(Error::option(format!(
                "extern_path: \"{proto}\" is not a full proto name; write it with a leading dot, \
                 such as \".{}\"",
                proto.trim_matches('.'),
            )));
        }
        path("extern_path", rust)?;
    }
    for Attribute { place, text, .. } in &builder.attributes {
        if let Err(error) = syn::Attribute::parse_outer.parse_str(text) {
            return Err(Error::option(format!(
                "{}: `{text}` is not an attribute ({error}); write one such as \
                 `#[derive(PartialOrd)]`",
                place.option(),
            )));
        }
    }
    Ok(())
}

/// The options of messages and enums.
pub(crate) fn prost(builder: &Builder) -> Config {
    let mut config = Config::new();
    for (proto, rust) in builder.extern_paths.iter() {
        config.extern_path(proto, rust);
    }
    for Attribute { place, path, text } in &builder.attributes {
        match place {
            Place::Type => config.type_attribute(path, text),
            Place::Message => config.message_attribute(path, text),
            Place::Enum => config.enum_attribute(path, text),
            Place::Field => config.field_attribute(path, text),
            Place::ClientMod | Place::Client | Place::ServerMod | Place::Server | Place::Trait => {
                &mut config
            }
        };
    }
    for path in &builder.boxed {
        config.boxed(path);
    }
    // Each of these replaces what was said before.
    if !builder.btree_map.is_empty() {
        config.btree_map(&builder.btree_map);
    }
    if !builder.bytes.is_empty() {
        config.bytes(&builder.bytes);
    }
    if !builder.disable_comments.is_empty() {
        config.disable_comments(&builder.disable_comments);
    }
    if !builder.skip_debug.is_empty() {
        config.skip_debug(&builder.skip_debug);
    }
    config
}

/// The options of clients, and those of servers.
pub(crate) fn tonic(builder: &Builder) -> [CodeGenBuilder; 2] {
    let (mut client, mut server) = (Attributes::default(), Attributes::default());
    for Attribute { place, path, text } in &builder.attributes {
        match place {
            Place::ClientMod => client.push_mod(path, text),
            Place::Client => client.push_struct(path, text),
            Place::ServerMod => server.push_mod(path, text),
            Place::Server => server.push_struct(path, text),
            Place::Trait => server.push_trait(path, text),
            Place::Type | Place::Message | Place::Enum | Place::Field => {}
        }
    }
    [client, server].map(|attributes| {
        let mut code_gen = CodeGenBuilder::new();
        code_gen
            .attributes(attributes)
            .build_transport(builder.build_transport)
            .generate_default_stubs(builder.generate_default_stubs)
            .disable_comments(builder.disable_comments.iter().cloned().collect());
        code_gen
    })
}

impl Place {
    /// The builder's method.
    fn option(self) -> &'static str {
        match self {
            Self::Type => "type_attribute",
            Self::Message => "message_attribute",
            Self::Enum => "enum_attribute",
            Self::Field => "field_attribute",
            Self::ClientMod => "client_mod_attribute",
            Self::Client => "client_attribute",
            Self::ServerMod => "server_mod_attribute",
            Self::Server => "server_attribute",
            Self::Trait => "trait_attribute",
        }
    }
}

fn path(option: &str, text: &str) -> Result<(), Error> {
    match syn::parse_str::<syn::Type>(text) {
        Ok(_) => Ok(()),
        Err(error) => Err(Error::option(format!(
            "{option}: \"{text}\" is not a Rust path ({error}); write one such as \"::common::pb\""
        ))),
    }
}
