//! Messages that no file imports, in the files below the include paths.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};

use prost_types::DescriptorProto;
use protox::file::File;

/// How deep the folders below an include path may be.
const MAX_DEPTH: usize = 32;

/// The files below the include paths, which are read when something is missing.
pub(super) struct Declarations<'a> {
    includes: Vec<&'a Path>,
    files: Option<Vec<Candidate>>,
    /// Where each message is that was looked for.
    found: HashMap<String, Option<String>>,
}

/// A file that can be imported.
struct Candidate {
    path: PathBuf,
    name: String,
}

impl<'a> Declarations<'a> {
    pub(super) fn new(includes: &'a [impl AsRef<Path>]) -> Self {
        Self {
            includes: includes.iter().map(AsRef::as_ref).collect(),
            files: None,
            found: HashMap::new(),
        }
    }

    /// The file with this message, as an import names it; those beside `user` are read first.
    pub(super) fn find(&mut self, full_name: &str, user: &str) -> Option<String> {
        if let Some(found) = self.found.get(full_name) {
            return found.clone();
        }
        let includes = &self.includes;
        let files = self.files.get_or_insert_with(|| candidates(includes));
        let folder = |name: &str| {
            name.rsplit_once('/')
                .map_or("", |(folder, _)| folder)
                .to_owned()
        };
        let near = folder(user);
        let (near, far): (Vec<&Candidate>, Vec<&Candidate>) =
            files.iter().partition(|file| folder(&file.name) == near);
        let found = near
            .into_iter()
            .chain(far)
            .find(|file| declares(file, full_name))
            .map(|file| file.name.clone());
        self.found.insert(full_name.to_owned(), found.clone());
        found
    }
}

/// All protos below the include paths, without those that another one hides.
fn candidates(includes: &[&Path]) -> Vec<Candidate> {
    let mut all: Vec<Candidate> = vec![];
    for include in includes {
        let mut folders = vec![(include.to_path_buf(), String::new(), 0)];
        while let Some((folder, prefix, depth)) = folders.pop() {
            let entries = fs::read_dir(&folder).into_iter().flatten().flatten();
            let mut entries: Vec<_> = entries.map(|entry| entry.path()).collect();
            entries.sort_unstable();
            for path in entries {
                let Some(last) = path.file_name().and_then(|name| name.to_str()) else {
                    continue;
                };
                let name = format!("{prefix}{last}");
                if path.is_dir() {
                    if depth < MAX_DEPTH {
                        folders.push((path, format!("{name}/"), depth + 1));
                    }
                } else if name.ends_with(".proto") {
                    all.push(Candidate { path, name });
                }
            }
        }
    }
    let mut seen = std::collections::HashSet::new();
    all.retain(|file| seen.insert(file.name.clone()));
    all
}

fn declares(file: &Candidate, full_name: &str) -> bool {
    let last = full_name.rsplit('.').next().unwrap_or_default();
    // To parse everything would take long; what cannot be read declares nothing.
    let Ok(text) = fs::read_to_string(&file.path) else {
        return false;
    };
    if !text.contains(last) {
        return false;
    }
    let Ok(parsed) = File::from_source(&file.name, &text) else {
        return false;
    };
    let descriptor = parsed.file_descriptor_proto();
    let rest = match descriptor.package() {
        "" => Some(full_name),
        package => full_name
            .strip_prefix(package)
            .and_then(|rest| rest.strip_prefix('.')),
    };
    rest.is_some_and(|rest| is_among(&descriptor.message_type, rest))
}

/// Whether the messages, or those nested in them, have one of this name.
fn is_among(messages: &[DescriptorProto], name: &str) -> bool {
    let (first, rest) = match name.split_once('.') {
        Some((first, rest)) => (first, Some(rest)),
        None => (name, None),
    };
    messages
        .iter()
        .filter(|message| message.name() == first)
        .any(|message| rest.is_none_or(|rest| is_among(&message.nested_type, rest)))
}
