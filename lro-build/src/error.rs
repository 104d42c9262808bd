use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use crate::imports;

/// Why the code could not be generated.
///
/// A build script may return it from `main`: what cargo then prints is this text, with the file,
/// the line, the rpc, and what to write instead.
///
/// ```no_run
/// fn main() -> Result<(), lro_build::Error> {
///     lro_build::compile_protos(&["proto/exporter.proto"], &["proto"])
/// }
/// ```
pub struct Error {
    kind: Box<Kind>,
}

enum Kind {
    Proto {
        source: protox::Error,
        /// Files with an edition, whose types are not there.
        stubs: Vec<String>,
    },
    Edition(String),
    Annotation(Vec<Problem>),
    Names(Vec<Problem>),
    DescriptorSet(String),
    Option(String),
    Io {
        path: PathBuf,
        source: io::Error,
    },
    Generator(String),
    /// A proto of the build script that is not there.
    Missing {
        path: PathBuf,
        includes: Vec<PathBuf>,
    },
}

/// The advice for a proto with an edition.
pub(crate) const EDITIONS: &str = "neither the compiler nor prost knows editions; write \
    `syntax = \"proto3\";`, and `optional` before the fields whose absence matters";

/// One mistake in a proto, and where it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Problem {
    pub(crate) place: Place,
    pub(crate) text: String,
}

/// A declaration in a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) file: String,
    pub(crate) line: Option<i32>,
    /// Such as `rpc exporter.v1.Exporter.Export`.
    pub(crate) subject: String,
}

impl Error {
    /// Whether a proto does not parse, names an unknown type, or imports an unknown file, or
    /// whether a descriptor set is none.
    pub fn is_proto(&self) -> bool {
        matches!(
            *self.kind,
            Kind::Proto { .. } | Kind::Edition(_) | Kind::DescriptorSet(_)
        )
    }

    /// Whether a file with an edition, which neither the compiler nor prost knows, is in the way.
    pub fn is_edition(&self) -> bool {
        match &*self.kind {
            Kind::Edition(_) => true,
            Kind::Proto { source, stubs } => {
                !stubs.is_empty() && unknown_name(&format!("{source:?}")).is_some()
            }
            _ => false,
        }
    }

    /// Whether an rpc and its `google.longrunning.operation_info` do not go together.
    pub fn is_annotation(&self) -> bool {
        matches!(*self.kind, Kind::Annotation(_))
    }

    /// Whether two names of a proto become one in Rust.
    pub fn is_name(&self) -> bool {
        matches!(*self.kind, Kind::Names(_))
    }

    /// Whether an option of the [`Builder`](crate::Builder) is wrong.
    pub fn is_option(&self) -> bool {
        matches!(*self.kind, Kind::Option(_))
    }

    /// Whether a file could not be read or written.
    pub fn is_io(&self) -> bool {
        match &*self.kind {
            Kind::Proto { source, .. } => source.is_io(),
            Kind::Io { .. } | Kind::Missing { .. } => true,
            Kind::Annotation(_)
            | Kind::Names(_)
            | Kind::DescriptorSet(_)
            | Kind::Edition(_)
            | Kind::Option(_)
            | Kind::Generator(_) => false,
        }
    }

    pub(crate) fn proto(source: protox::Error, stubs: &[String]) -> Self {
        Self::new(Kind::Proto {
            source,
            stubs: stubs.to_vec(),
        })
    }

    pub(crate) fn missing(path: &Path, includes: &[impl AsRef<Path>]) -> Self {
        Self::new(Kind::Missing {
            path: path.to_owned(),
            includes: includes.iter().map(|it| it.as_ref().to_owned()).collect(),
        })
    }

    /// A file with an edition for which code would have to be generated.
    pub(crate) fn edition(file: &str) -> Self {
        Self::new(Kind::Edition(file.to_owned()))
    }

    pub(crate) fn annotation(problems: Vec<Problem>) -> Self {
        Self::new(Kind::Annotation(problems))
    }

    pub(crate) fn names(problems: Vec<Problem>) -> Self {
        Self::new(Kind::Names(problems))
    }

    pub(crate) fn descriptor_set(text: impl Into<String>) -> Self {
        Self::new(Kind::DescriptorSet(text.into()))
    }

    pub(crate) fn option(text: impl Into<String>) -> Self {
        Self::new(Kind::Option(text.into()))
    }

    pub(crate) fn io(path: &Path, source: io::Error) -> Self {
        Self::new(Kind::Io {
            path: path.to_owned(),
            source,
        })
    }

    pub(crate) fn generator(text: impl Into<String>) -> Self {
        Self::new(Kind::Generator(text.into()))
    }

    fn new(kind: Kind) -> Self {
        Self {
            kind: Box::new(kind),
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &*self.kind {
            Kind::Proto { source, stubs } => {
                // Only the debug text of protox has the file and the line.
                let text = format!("{source:?}");
                f.write_str(&text)?;
                if source.is_file_not_found() {
                    f.write_str(
                        "; look for it below one of the include paths, or add the one it is below",
                    )?;
                } else if let Some(file) = unknown_name(&text).and_then(imports::declaring) {
                    write!(f, "; write `import \"{file}\";` at the top of the file")?;
                } else if !stubs.is_empty() && unknown_name(&text).is_some() {
                    write!(
                        f,
                        "; the types of {} are not there, for it has an edition: {EDITIONS}",
                        stubs.join(" and "),
                    )?;
                }
                Ok(())
            }
            Kind::Edition(file) => write!(f, "{file}: has an edition; {EDITIONS}"),
            Kind::Annotation(problems) | Kind::Names(problems) => {
                for (index, problem) in problems.iter().enumerate() {
                    if index > 0 {
                        writeln!(f)?;
                    }
                    write!(f, "{problem}")?;
                }
                Ok(())
            }
            Kind::DescriptorSet(text) | Kind::Option(text) | Kind::Generator(text) => {
                f.write_str(text)
            }
            Kind::Io { path, source } => write!(f, "{}: {source}", path.display()),
            Kind::Missing { path, includes } => {
                write!(
                    f,
                    "{}: there is no such file, neither in the folder of Cargo.toml nor",
                    path.display(),
                )?;
                for (index, include) in includes.iter().enumerate() {
                    let before = if index == 0 { " below" } else { " or" };
                    write!(f, "{before} the include path `{}`", include.display())?;
                }
                f.write_str("; correct the path in the build script")
            }
        }
    }
}

/// The readable text: a build script that fails shows the `Debug` form of its error.
impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match &*self.kind {
            // The cause itself stands in the text.
            Kind::Io { source, .. } => source.source(),
            // With all its causes.
            Kind::Proto { .. }
            | Kind::Annotation(_)
            | Kind::Names(_)
            | Kind::DescriptorSet(_)
            | Kind::Edition(_)
            | Kind::Option(_)
            | Kind::Generator(_)
            | Kind::Missing { .. } => None,
        }
    }
}

/// The name that the compiler does not know, if that is what it says.
fn unknown_name(text: &str) -> Option<&str> {
    let (before, _) = text
        .strip_suffix("is not defined")
        .map(|text| (text, ""))
        .or_else(|| text.split_once(" is not defined"))?;
    let name = before.trim_end().strip_suffix('\'')?;
    name.rsplit('\'').next()
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.place, self.text)
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.file)?;
        if let Some(line) = self.line {
            write!(f, ":{line}")?;
        }
        write!(f, ": {}", self.subject)
    }
}

#[cfg(test)]
mod tests {
    use std::error::Error as _;

    use super::*;

    /// report:W6
    #[test]
    fn an_error_says_its_cause_once() {
        let error = Error::io(Path::new("/out/a.rs"), io::Error::other("disk full"));
        assert_eq!(error.to_string(), "/out/a.rs: disk full");
        assert!(error.source().is_none());
        let proto = protox::compile(["missing.proto"], ["/nowhere"]).unwrap_err();
        let text = format!("{proto:?}");
        let error = Error::proto(proto, &[]);
        assert!(error.to_string().starts_with(&text), "{error}");
        assert!(error.source().is_none());
    }
}
