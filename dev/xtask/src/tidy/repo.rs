//! The repository as a value.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result};
use cargo_metadata::{CargoOpt, DependencyKind, MetadataCommand};

use crate::process::output;

/// The input of the checks.
#[derive(Debug, Default)]
pub(crate) struct Repo {
    /// The crates of the workspace.
    pub(crate) crates: Vec<Crate>,
    /// Every text file that is tracked, or would be.
    pub(crate) files: Vec<File>,
    /// All crates that are built on this platform, with the workspace's own.
    pub(crate) built: Vec<Built>,
    /// The crates of some builds.
    pub(crate) trees: Vec<Tree>,
    /// The root manifest.
    pub(crate) workspace: toml::Table,
    /// Name and version of every crate in the lock file, for all platforms.
    pub(crate) locked: Vec<(String, String)>,
}

/// A crate of the workspace.
#[derive(Clone, Debug, Default)]
pub(crate) struct Crate {
    pub(crate) name: String,
    /// Its folder, from the root.
    pub(crate) dir: String,
    pub(crate) manifest: toml::Table,
    pub(crate) dependencies: Vec<Dependency>,
    pub(crate) binaries: Vec<String>,
}

/// A dependency as a manifest declares it.
#[derive(Clone, Debug)]
pub(crate) struct Dependency {
    pub(crate) name: String,
    pub(crate) kind: DependencyKind,
    pub(crate) requirement: String,
}

/// A crate that is built, ours or not.
#[derive(Clone, Debug)]
pub(crate) struct Built {
    pub(crate) name: String,
    pub(crate) version: String,
    pub(crate) license: Option<String>,
}

/// The names of the crates that one build of a package has, its own among them.
#[derive(Clone, Debug)]
pub(crate) struct Tree {
    pub(crate) package: &'static str,
    /// The features, as cargo takes them.
    pub(crate) features: &'static [&'static str],
    pub(crate) crates: BTreeSet<String>,
}

/// A text file; its path is from the root, with `/`.
#[derive(Clone, Debug)]
pub(crate) struct File {
    pub(crate) path: String,
    pub(crate) text: String,
}

impl Repo {
    /// Reads the repository.
    pub(crate) fn load() -> Result<Self> {
        let root = crate::root();
        let host = output(Command::new("rustc").arg("-vV"))?;
        let host = host
            .lines()
            .find_map(|line| line.strip_prefix("host: "))
            .context("`rustc -vV` names no host")?;
        // Crates of other platforms would be downloaded only to read their licence.
        let metadata = MetadataCommand::new()
            .manifest_path(root.join("Cargo.toml"))
            .features(CargoOpt::AllFeatures)
            .other_options(["--filter-platform".to_owned(), host.to_owned()])
            .exec()?;
        let crates = metadata
            .workspace_packages()
            .into_iter()
            .map(|package| {
                let dir = package
                    .manifest_path
                    .parent()
                    .context("a manifest without a folder")?;
                Ok(Crate {
                    name: package.name.to_string(),
                    dir: dir
                        .as_std_path()
                        .strip_prefix(&root)?
                        .to_string_lossy()
                        .replace('\\', "/"),
                    manifest: fs::read_to_string(&package.manifest_path)?.parse()?,
                    dependencies: package
                        .dependencies
                        .iter()
                        .map(|dependency| Dependency {
                            name: dependency.name.clone(),
                            kind: dependency.kind,
                            requirement: dependency.req.to_string(),
                        })
                        .collect(),
                    binaries: package
                        .targets
                        .iter()
                        .filter(|target| target.is_bin())
                        .map(|target| target.name.clone())
                        .collect(),
                })
            })
            .collect::<Result<_>>()?;
        let built = metadata
            .packages
            .iter()
            .map(|package| Built {
                name: package.name.to_string(),
                version: package.version.to_string(),
                license: package.license.clone(),
            })
            .collect();
        Ok(Self {
            crates,
            files: files(&root)?,
            built,
            trees: super::builds::load()?,
            workspace: fs::read_to_string(root.join("Cargo.toml"))?.parse()?,
            locked: locked(&fs::read_to_string(root.join("Cargo.lock"))?.parse()?),
        })
    }

    /// The text of a file.
    pub(crate) fn text(&self, path: &str) -> Option<&str> {
        let file = self.files.iter().find(|file| file.path == path);
        file.map(|file| &*file.text)
    }

    /// The files whose names end so.
    pub(crate) fn files_with(&self, ending: &str) -> impl Iterator<Item = &File> {
        self.files
            .iter()
            .filter(move |file| file.path.ends_with(ending))
    }

    /// A value of the root manifest's `[workspace.package]`.
    pub(crate) fn workspace_package(&self, key: &str) -> Option<&str> {
        self.workspace
            .get("workspace")?
            .get("package")?
            .get(key)?
            .as_str()
    }
}

impl Crate {
    /// Its dependencies for building and using it, without those of its tests.
    pub(crate) fn built_with(&self) -> impl Iterator<Item = &Dependency> {
        let all = self.dependencies.iter();
        all.filter(|dependency| dependency.kind != DependencyKind::Development)
    }
}

fn locked(lock: &toml::Table) -> Vec<(String, String)> {
    let packages = lock.get("package").and_then(toml::Value::as_array);
    packages
        .into_iter()
        .flatten()
        .filter_map(|package| {
            let text = |key| package.get(key)?.as_str().map(str::to_owned);
            Some((text("name")?, text("version")?))
        })
        .collect()
}

/// The files that git tracks or would track; without git, those that are not ignored by name.
fn files(root: &Path) -> Result<Vec<File>> {
    let mut git = Command::new("git");
    git.current_dir(root).args([
        "ls-files",
        "-z",
        "--cached",
        "--others",
        "--exclude-standard",
    ]);
    let mut paths: Vec<String> = match git.output() {
        Ok(output) if output.status.success() => String::from_utf8_lossy(&output.stdout)
            .split_terminator('\0')
            .map(str::to_owned)
            .collect(),
        _ => {
            let mut paths = Vec::new();
            walk(root, "", &mut paths)?;
            paths
        }
    };
    paths.sort();
    paths.dedup();
    let mut files = Vec::new();
    for path in paths {
        // Pictures have no text, but links lead to them. Deleted files are still listed.
        if let Ok(bytes) = fs::read(root.join(&path)) {
            let text = String::from_utf8(bytes).unwrap_or_default();
            files.push(File { path, text });
        }
    }
    Ok(files)
}

fn walk(root: &Path, below: &str, paths: &mut Vec<String>) -> Result<()> {
    for entry in fs::read_dir(root.join(below))? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        let path = match below {
            "" => name.clone(),
            below => format!("{below}/{name}"),
        };
        match entry.file_type()?.is_dir() {
            true if matches!(&*name, "target" | ".git") => {}
            true => walk(root, &path, paths)?,
            false => paths.push(path),
        }
    }
    Ok(())
}

#[cfg(test)]
impl Repo {
    /// A repository of these files.
    pub(crate) fn of_files(files: &[(&str, &str)]) -> Self {
        let file = |(path, text): &(&str, &str)| File {
            path: (*path).to_owned(),
            text: (*text).to_owned(),
        };
        Self {
            files: files.iter().map(file).collect(),
            ..Self::default()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_git_the_same_files_are_found() {
        let mut paths = Vec::new();
        walk(&crate::root(), "", &mut paths).unwrap();
        assert!(paths.contains(&"dev/xtask/src/tidy/repo.rs".to_owned()));
        assert!(!paths.iter().any(|path| path.starts_with("target/")));
    }

    #[test]
    fn this_repository_is_read() {
        let repo = Repo::load().unwrap();
        let core = repo.crates.iter().find(|it| it.name == "lro-core").unwrap();
        assert_eq!(core.dir, "lro-core");
        assert!(
            core.built_with()
                .any(|dependency| dependency.name == "prost")
        );
        assert!(repo.locked.iter().any(|(name, _)| name == "prost"));
        assert!(repo.text("dev/xtask/src/tidy/repo.rs").is_some());
        assert_eq!(repo.workspace_package("license"), Some("Apache-2.0"));
    }
}
