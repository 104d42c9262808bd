//! Builder options that are Rust code, checked before they end up in a file.

use syn::parse::Parser;

use crate::builder::Builder;
use crate::error::Error;

pub(crate) fn check(builder: &Builder) -> Result<(), Error> {
    path("core_path", &builder.core_path)?;
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
    for (_, attribute) in &builder.type_attributes {
        check_attribute("type_attribute", attribute)?;
    }
    for (_, attribute) in &builder.field_attributes {
        check_attribute("field_attribute", attribute)?;
    }
    Ok(())
}

fn path(option: &str, text: &str) -> Result<(), Error> {
    match syn::parse_str::<syn::Type>(text) {
        Ok(_) => Ok(()),
        Err(error) => Err(Error::option(format!(
            "{option}: \"{text}\" is not a Rust path ({error}); write one such as \"::common::pb\""
        ))),
    }
}

fn check_attribute(option: &str, text: &str) -> Result<(), Error> {
    match syn::Attribute::parse_outer.parse_str(text) {
        Ok(_) => Ok(()),
        Err(error) => Err(Error::option(format!(
            "{option}: `{text}` is not an attribute ({error}); write one such as \
             `#[derive(PartialOrd)]`"
        ))),
    }
}
