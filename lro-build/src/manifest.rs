//! The manifest of the crate that the code is generated for: by which names it knows other crates.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};

use toml::{Table, Value};

use crate::error::Error;

/// The crates that have lro-core, and where in them it is.
const WITH_CORE: [(&str, &str); 3] = [
    ("lro-core", ""),
    ("lro-server", "::lro_core"),
    ("lro-client", "::lro_core"),
];
/// The crates that generated code names, by which path, and the version that it is made for.
const NEEDED: [(&str, &str, &str); 3] = [
    ("prost", "::prost::", "0.14"),
    ("prost-types", "::prost_types::", "0.14"),
    ("tonic", "tonic::codegen", "0.14"),
];

/// The dependencies of a package.
#[derive(Debug)]
pub(crate) struct Manifest {
    path: PathBuf,
    dependencies: Vec<Dependency>,
}

#[derive(Debug)]
struct Dependency {
    package: String,
    /// Its name in Rust.
    name: String,
}

impl Manifest {
    /// The manifest of the package whose build script this is.
    ///
    /// Without one that can be read there is nothing to find out: not every build is cargo's.
    pub(crate) fn of_build_script() -> Option<Self> {
        let folder = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR")?);
        Self::read(&folder.join("Cargo.toml"))
    }

    fn read(path: &Path) -> Option<Self> {
        let manifest = table(path)?;
        let workspace = Workspace::of(path, &manifest);
        let targets = manifest.get("target").and_then(Value::as_table);
        let targets = targets.into_iter().flat_map(Table::values);
        let tables = [&manifest]
            .into_iter()
            .chain(targets.filter_map(Value::as_table));
        let dependencies = tables
            .flat_map(|table| ["dependencies", "dev-dependencies"].map(|kind| table.get(kind)))
            .flatten()
            .filter_map(Value::as_table)
            .flatten()
            .map(|(name, dependency)| Dependency {
                package: workspace.package(name, dependency),
                name: name.replace('-', "_"),
            })
            .collect();
        Some(Self {
            path: path.to_owned(),
            dependencies,
        })
    }

    /// The path of the manifest.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// The Rust path of lro-core.
    pub(crate) fn core_path(&self) -> Option<String> {
        WITH_CORE.iter().find_map(|(package, inside)| {
            let name = &self.find(package)?.name;
            Some(format!("::{name}{inside}"))
        })
    }

    /// The dependencies that the code needs and the manifest does not have.
    fn missing<'a>(&self, code: &(impl Iterator<Item = &'a str> + Clone)) -> Vec<String> {
        NEEDED
            .iter()
            .filter(|(package, path, _)| {
                let is_named = self
                    .find(package)
                    .is_some_and(|found| found.name == package.replace('-', "_"));
                !is_named && code.clone().any(|code| code.contains(path))
            })
            .map(|(package, _, version)| format!("{package}@{version}"))
            .collect()
    }

    /// Reports the dependencies that the manifest lacks: an error if lro-core is among them, which is
    /// in three crates of which the user has to choose one, else a warning.
    pub(crate) fn check<'a>(
        &self,
        lacks_core: bool,
        mut code: impl Iterator<Item = &'a str> + Clone,
    ) -> Result<Option<String>, Error> {
        let missing = self.missing(&code);
        let path = self.path.display();
        let needs_core = code.any(|code| code.contains("::lro_core::"));
        if lacks_core && needs_core {
            let more: String = missing.iter().map(|name| format!(" {name}")).collect();
            return Err(Error::option(format!(
                "{path}: the generated code needs one of lro-server, lro-client and lro-core, and \
                 none is a dependency; run `cargo add lro-server{more}`, or say where lro-core is \
                 with `.core_path(\"..\")`",
            )));
        }
        Ok((!missing.is_empty()).then(|| {
            format!(
                "{path}: dependencies of the generated code are missing; run `cargo add {}`",
                missing.join(" "),
            )
        }))
    }

    fn find(&self, package: &str) -> Option<&Dependency> {
        let mut dependencies = self.dependencies.iter();
        dependencies.find(|dependency| dependency.package == package)
    }
}

/// The dependencies that members of a workspace inherit.
struct Workspace {
    dependencies: Option<Table>,
}

impl Workspace {
    fn of(path: &Path, manifest: &Table) -> Self {
        let told = manifest
            .get("package")
            .and_then(|package| package.get("workspace")?.as_str());
        let folder = path.parent().unwrap_or(path);
        let root = match told {
            Some(told) => table(&folder.join(told).join("Cargo.toml")),
            None => folder
                .ancestors()
                .filter_map(|folder| table(&folder.join("Cargo.toml")))
                .find(|manifest| manifest.contains_key("workspace")),
        };
        let dependencies = root.and_then(|root| {
            let dependencies = root.get("workspace")?.get("dependencies")?;
            dependencies.as_table().cloned()
        });
        Self { dependencies }
    }

    /// The package that a manifest calls by this name.
    fn package(&self, name: &str, dependency: &Value) -> String {
        let is_inherited = dependency
            .get("workspace")
            .and_then(Value::as_bool)
            .unwrap_or_default();
        let entry = if is_inherited {
            self.dependencies.as_ref().and_then(|table| table.get(name))
        } else {
            Some(dependency)
        };
        let package = entry.and_then(|entry| entry.get("package")?.as_str());
        package.unwrap_or(name).to_owned()
    }
}

fn table(path: &Path) -> Option<Table> {
    fs::read_to_string(path).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(root: &str, member: &str, core: Option<&str>) {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("member/Cargo.toml");
        fs::create_dir(folder.path().join("member")).expect("a folder");
        fs::write(folder.path().join("Cargo.toml"), root).expect("a file");
        fs::write(&path, member).expect("a file");
        let manifest = Manifest::read(&path).expect("a manifest");
        assert_eq!(manifest.core_path().as_deref(), core, "{member}");
    }

    /// report:M9
    #[test]
    fn lro_core_is_found_by_whatever_name() {
        let check = |member, core| check("", member, core);
        check("[dependencies]\nlro-core = '0.1'", Some("::lro_core"));
        check(
            "[dependencies]\nlro-server = { version = '0.1' }\nlro-client = '0.1'",
            Some("::lro_server::lro_core"),
        );
        check(
            "[dependencies.long]\npackage = 'lro-client'\nversion = '0.1'",
            Some("::long::lro_core"),
        );
        check(
            "[target.'cfg(unix)'.dev-dependencies]\nlro-server = '0.1'",
            Some("::lro_server::lro_core"),
        );
        check("[build-dependencies]\nlro-core = '0.1'", None);
        check("[package]\nname = 'none'", None);
    }

    /// report:M9
    #[test]
    fn a_name_may_be_the_workspaces() {
        check(
            "[workspace.dependencies]\nserver = { package = 'lro-server', version = '0.1' }",
            "[dependencies]\nserver.workspace = true",
            Some("::server::lro_core"),
        );
        check(
            "[workspace.dependencies]\nlro-core = { package = 'other', version = '0.1' }",
            "[dependencies]\nlro-core.workspace = true",
            None,
        );
    }

    /// report:M9
    #[test]
    fn missing_dependencies_are_named() {
        let manifest = Manifest {
            path: PathBuf::new(),
            dependencies: vec![Dependency {
                package: "prost".into(),
                name: "prost".into(),
            }],
        };
        let code = ["#[derive(::prost::Message)]", "use tonic::codegen::*;"];
        assert_eq!(manifest.missing(&code.into_iter()), ["tonic@0.14"]);
        assert!(manifest.missing(&[""].into_iter()).is_empty());
    }
}
