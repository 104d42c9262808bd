//! Packages of protos below some folders.

use std::collections::BTreeMap;
use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

/// The protos that were asked for, by their packages.
#[derive(Debug)]
pub(crate) struct Packages {
    roots: Vec<PathBuf>,
    packages: Vec<Package>,
}

/// The files of one package in one folder: what a build script would compile together.
#[derive(Debug)]
pub(crate) struct Package {
    name: String,
    /// As imports name them.
    files: Vec<String>,
    bytes: usize,
    has_edition: bool,
}

impl Packages {
    /// Reads the protos in `paths`, each of which is below one of the roots or relative to one, but
    /// not those in the folders of `without`.
    pub(crate) fn find<'a>(
        roots: impl Iterator<Item = &'a str>,
        paths: &[PathBuf],
        without: &[&str],
    ) -> Result<Self> {
        let roots: Vec<PathBuf> = roots.map(PathBuf::from).collect();
        let mut files = BTreeMap::new();
        for path in paths {
            let in_root = roots.iter().map(|root| root.join(path));
            let path = std::iter::once(path.clone())
                .chain(in_root)
                .find(|path| path.exists())
                .with_context(|| format!("there is no {}", path.display()))?;
            let Some(root) = roots.iter().find(|root| path.starts_with(root)) else {
                bail!("{} is below no root", path.display());
            };
            collect(root, &path, &mut files)?;
        }
        let mut packages: BTreeMap<(String, String), Package> = BTreeMap::new();
        let is_left_out = |name: &str| {
            let rests = without
                .iter()
                .filter_map(|folder| name.strip_prefix(folder));
            rests.into_iter().any(|rest| rest.starts_with('/'))
        };
        for (name, path) in files.into_iter().filter(|(name, _)| !is_left_out(name)) {
            let text = fs::read_to_string(&path)
                .with_context(|| format!("cannot read {}", path.display()))?;
            let folder = name.rsplit_once('/').map_or("", |(folder, _)| folder);
            let declared = statement(&text, "package ").unwrap_or_default();
            let package = packages
                .entry((declared.clone(), folder.to_owned()))
                .or_insert_with(|| Package {
                    name: declared,
                    files: vec![],
                    bytes: 0,
                    has_edition: false,
                });
            package.bytes += text.len();
            package.has_edition |= statement(&text, "edition").is_some();
            package.files.push(name);
        }
        Ok(Self {
            roots,
            packages: packages.into_values().collect(),
        })
    }

    pub(crate) fn roots(&self) -> &[PathBuf] {
        &self.roots
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Package> {
        self.packages.iter()
    }
}

impl Package {
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    pub(crate) fn files(&self) -> &[String] {
        &self.files
    }

    /// The length of its files.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Whether a file of it has an edition, which no generator for prost knows.
    pub(crate) fn has_edition(&self) -> bool {
        self.has_edition
    }
}

impl fmt::Display for Package {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &*self.name {
            "" => f.write_str("no package"),
            name => f.write_str(name),
        }
    }
}

fn collect(root: &Path, path: &Path, files: &mut BTreeMap<String, PathBuf>) -> Result<()> {
    if path.is_dir() {
        for entry in fs::read_dir(path).with_context(|| format!("read {}", path.display()))? {
            collect(root, &entry?.path(), files)?;
        }
    } else if path
        .extension()
        .is_some_and(|extension| extension == "proto")
    {
        let name = path.strip_prefix(root)?.to_string_lossy().into_owned();
        files.insert(name, path.to_owned());
    }
    Ok(())
}

/// The rest of the first line that starts with this word, up to a semicolon.
fn statement(text: &str, word: &str) -> Option<String> {
    let line = text.lines().find_map(|line| line.strip_prefix(word))?;
    let (rest, _) = line.split_once(';')?;
    Some(rest.trim().to_owned())
}
