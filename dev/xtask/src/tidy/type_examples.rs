//! Every public type of a published crate has an example in its documentation.
//!
//! Each crate has a number of types without one that may only fall.

use syn::{Attribute, Expr, ExprLit, Item, Lit, Meta, Visibility};

use super::Findings;
use super::ratchet::Ratchet;
use super::repo::Repo;

const RATCHET: Ratchet = Ratchet {
    path: "dev/xtask/types_without_example.toml",
    noun: "public types without an example",
    advice: "`cargo xtask tidy --types` lists them",
};

/// The folders of the published crates that have types.
const CRATES: [&str; 8] = [
    "lro-build",
    "lro-client",
    "lro-console",
    "lro-core",
    "lro-postgres",
    "lro-server",
    "lro-sqlite",
    "lro-testing",
];

pub(super) fn check(repo: &Repo) -> Findings {
    RATCHET.check(repo, without(repo).iter().map(|found| found.folder))
}

/// Lowers the numbers of the table to the present ones.
///
/// # Errors
///
/// When the table cannot be read or written.
pub(super) fn lower(repo: &Repo) -> anyhow::Result<()> {
    RATCHET.lower(repo, without(repo).iter().map(|found| found.folder))
}

/// The public types without an example, a line each.
pub(super) fn list(repo: &Repo) -> String {
    let found = without(repo);
    let lines = found
        .iter()
        .map(|Found { path, name, .. }| format!("{path}: {name}\n"));
    lines.collect()
}

struct Found<'a> {
    folder: &'static str,
    path: &'a str,
    name: String,
}

fn without(repo: &Repo) -> Vec<Found<'_>> {
    let mut found = Vec::new();
    for folder in CRATES {
        let sources = format!("{folder}/src/");
        let generated = format!("{sources}pb/");
        let files = repo.files_with(".rs").filter(|file| {
            let path = &*file.path;
            path.starts_with(&sources)
                && !path.starts_with(&generated)
                && !path.contains("/tests/")
                && !path.ends_with("/tests.rs")
        });
        for file in files {
            if let Ok(parsed) = syn::parse_file(&file.text) {
                let mut names = Vec::new();
                visit(&parsed.items, &mut names);
                found.extend(names.into_iter().map(|name| Found {
                    folder,
                    path: &file.path,
                    name,
                }));
            }
        }
    }
    found
}

/// The compiler's lint `unreachable_pub` sees to it that `pub` means public.
fn visit(items: &[Item], names: &mut Vec<String>) {
    for item in items {
        let (visibility, name, attributes) = match item {
            Item::Struct(item) => (&item.vis, &item.ident, &item.attrs),
            Item::Enum(item) => (&item.vis, &item.ident, &item.attrs),
            Item::Union(item) => (&item.vis, &item.ident, &item.attrs),
            Item::Trait(item) => (&item.vis, &item.ident, &item.attrs),
            Item::Mod(item) => {
                if let (Some((_, items)), false) = (&item.content, is_hidden(&item.attrs)) {
                    visit(items, names);
                }
                continue;
            }
            _ => continue,
        };
        let is_public = matches!(visibility, Visibility::Public(_)) && !is_hidden(attributes);
        if is_public && !docs(attributes).contains("```") {
            names.push(name.to_string());
        }
    }
}

/// Whether rustdoc does not show it, or it exists in tests only.
fn is_hidden(attributes: &[Attribute]) -> bool {
    attributes.iter().any(|attribute| match &attribute.meta {
        Meta::List(list) => {
            let tokens = list.tokens.to_string();
            (list.path.is_ident("doc") && tokens == "hidden")
                || (list.path.is_ident("cfg") && tokens == "test")
        }
        _ => false,
    })
}

fn docs(attributes: &[Attribute]) -> String {
    let mut docs = String::new();
    for attribute in attributes {
        if let Meta::NameValue(pair) = &attribute.meta
            && pair.path.is_ident("doc")
            && let Expr::Lit(ExprLit {
                lit: Lit::Str(line),
                ..
            }) = &pair.value
        {
            docs += &line.value();
            docs.push('\n');
        }
    }
    docs
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn public_types_without_an_example_are_found() {
        let source = "
/// A.
/// ```
/// let a = A;
/// ```
pub struct A;
/// B.
pub struct B;
pub(crate) struct C;
#[doc(hidden)]
pub struct D;
/// E.
pub trait E {}
#[cfg(test)]
mod tests { pub struct F; }
pub mod g { pub enum G {} }
";
        let table = "\"lro-core\" = 2\n";
        let repo = Repo::of_files(&[
            ("lro-core/src/a.rs", source),
            ("lro-core/src/pb/a.rs", source),
            ("dev/xtask/src/a.rs", source),
            (RATCHET.path, table),
        ]);
        let lines = ["B", "E", "G"].map(|name| format!("lro-core/src/a.rs: {name}\n"));
        assert_eq!(list(&repo), lines.concat());
        assert!(check(&repo)[0].starts_with("lro-core has 3 public types"));
    }
}
