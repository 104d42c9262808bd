//! Settings: flags over environment variables over the profile over defaults, each with its origin.

mod file;
mod value;

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::args::Globals;
use crate::environment::Environment;
use crate::exit::Exit;
use crate::failure::{Failure, nearest};
pub use file::{ConfigError, File, Profile, TlsPaths};
pub(crate) use value::duration;

/// A setting of all commands.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Key {
    /// Its name in the profile, and with `--` before it and `-` for `_` on the command line.
    pub(crate) name: &'static str,
    pub(crate) variable: Option<&'static str>,
    pub(crate) default: Option<&'static str>,
}

const fn key(
    name: &'static str,
    variable: Option<&'static str>,
    default: Option<&'static str>,
) -> Key {
    Key {
        name,
        variable,
        default,
    }
}

/// Every setting.
pub(crate) const KEYS: [Key; 21] = [
    key("server", Some("LRO_SERVER"), Some("http://127.0.0.1:50051")),
    key("parent", Some("LRO_PARENT"), Some("")),
    key("tls.ca", Some("LRO_CA"), None),
    key("tls.cert", Some("LRO_CERT"), None),
    key("tls.key", Some("LRO_KEY"), None),
    key("tls.server_name", Some("LRO_SERVER_NAME"), None),
    key("token_file", Some("LRO_TOKEN_FILE"), None),
    key("token_command", Some("LRO_TOKEN_COMMAND"), None),
    key("headers", Some("LRO_HEADERS"), None),
    key("quota_project", Some("LRO_QUOTA_PROJECT"), None),
    key("descriptor_sets", Some("LRO_DESCRIPTOR_SET"), None),
    key("reflection", Some("LRO_REFLECTION"), Some("auto")),
    key("output", Some("LRO_OUTPUT"), None),
    key("progress", Some("LRO_PROGRESS"), Some("auto")),
    key("color", Some("LRO_COLOR"), Some("auto")),
    key("time", Some("LRO_TIME"), None),
    key("rpc_timeout", Some("LRO_RPC_TIMEOUT"), Some("10s")),
    key("retry_errors", Some("LRO_RETRY_ERRORS"), Some("5")),
    key("concurrency", Some("LRO_CONCURRENCY"), Some("16")),
    key("read_only", Some("LRO_READ_ONLY"), Some("false")),
    key("progress_fields", None, None),
];

/// Where a value comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Origin {
    Flag,
    Variable(&'static str),
    Profile(String),
    Default,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Flag => f.write_str("flag"),
            Self::Variable(name) => write!(f, "environment {name}"),
            Self::Profile(name) => write!(f, "profile {name}"),
            Self::Default => f.write_str("default"),
        }
    }
}

/// The values of a setting, and where they come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Setting {
    pub(crate) values: Vec<String>,
    pub(crate) origin: Origin,
}

/// All settings of a run.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    settings: BTreeMap<&'static str, Setting>,
    pub(crate) profile: String,
    pub(crate) path: Option<PathBuf>,
}

impl Settings {
    /// Resolves all settings. `is_new` allows a profile that does not exist yet.
    ///
    /// # Errors
    ///
    /// When the configuration file cannot be read, or the profile is not in it.
    pub(crate) fn resolve(
        globals: &Globals,
        environment: &Environment,
        is_new: bool,
    ) -> Result<Self, Failure> {
        let path = path(globals, environment);
        let file = load(path.as_deref())?;
        let chosen = globals
            .profile
            .clone()
            .or_else(|| environment.variable("LRO_PROFILE").map(str::to_owned));
        let name = chosen
            .clone()
            .or_else(|| file.profile.clone())
            .unwrap_or_else(|| "default".to_owned());
        let profile = match file.profiles.get(&name) {
            Some(profile) => profile.values(),
            None if is_new || (name == "default" && chosen.is_none()) => BTreeMap::new(),
            None => return Err(unknown_profile(&name, &file, path.as_deref())),
        };
        let flags = globals.values();
        let mut settings = BTreeMap::new();
        for key in KEYS {
            let of_profile = || {
                let values = profile.get(key.name)?.clone();
                Some((values, Origin::Profile(name.clone())))
            };
            let of_variable = || {
                let variable = key.variable?;
                let value = environment.variable(variable)?;
                Some((split(key.name, value), Origin::Variable(variable)))
            };
            let of_flag = || Some((flags.get(key.name)?.clone(), Origin::Flag));
            let of_default = || Some((vec![key.default?.to_owned()], Origin::Default));
            let found = of_flag()
                .or_else(of_variable)
                .or_else(of_profile)
                .or_else(of_default);
            if let Some((values, origin)) = found {
                settings.insert(key.name, Setting { values, origin });
            }
        }
        // A read-only profile stays so: a flag or a variable can only forbid more.
        if profile.get("read_only").is_some_and(|it| it == &["true"]) {
            let values = vec!["true".to_owned()];
            let origin = Origin::Profile(name.clone());
            settings.insert("read_only", Setting { values, origin });
        }
        Ok(Self {
            settings,
            profile: name,
            path,
        })
    }

    pub(crate) fn setting(&self, name: &str) -> Option<&Setting> {
        self.settings.get(name)
    }

    /// The only or the last value.
    pub(crate) fn text(&self, name: &str) -> Option<&str> {
        let value = self.setting(name)?.values.last()?;
        (!value.is_empty()).then_some(value)
    }

    /// All values of a setting that may have several.
    pub(crate) fn list(&self, name: &str) -> &[String] {
        self.setting(name).map_or(&[], |setting| &setting.values)
    }

    pub(crate) fn flag(&self, name: &str) -> Result<bool, Failure> {
        match self.text(name).unwrap_or("false") {
            "true" | "1" | "yes" => Ok(true),
            "false" | "0" | "no" => Ok(false),
            other => Err(self.wrong(name, other, "write `true` or `false`")),
        }
    }

    pub(crate) fn number(&self, name: &str) -> Result<usize, Failure> {
        let text = self.text(name).unwrap_or("0");
        text.parse()
            .map_err(|_| self.wrong(name, text, "write a whole number"))
    }

    pub(crate) fn duration(&self, name: &str) -> Result<Duration, Failure> {
        let text = self.text(name).unwrap_or("0s");
        duration(text).map_err(|advice| self.wrong(name, text, &advice))
    }

    /// One of several words.
    pub(crate) fn word<'a>(&'a self, name: &str, words: &[&str]) -> Result<&'a str, Failure> {
        let text = self.text(name).unwrap_or_default();
        if words.contains(&text) {
            return Ok(text);
        }
        let choices = words.join(", ");
        Err(self.wrong(name, text, &format!("write one of {choices}")))
    }

    pub(crate) fn wrong(&self, name: &str, value: &str, advice: &str) -> Failure {
        let origin = self.setting(name).map_or(&Origin::Default, |it| &it.origin);
        Failure::usage(format!(
            "`{value}` (from {origin}) is no value for `{name}`"
        ))
        .advise(advice.to_owned())
    }
}

/// Where the configuration file is.
pub(crate) fn path(globals: &Globals, environment: &Environment) -> Option<PathBuf> {
    if let Some(path) = &globals.config {
        return Some(path.clone());
    }
    if let Some(path) = environment.variable("LRO_CONFIG") {
        return Some(path.into());
    }
    let base = match environment.variable("XDG_CONFIG_HOME") {
        Some(base) => PathBuf::from(base),
        None => Path::new(environment.variable("HOME")?).join(".config"),
    };
    Some(base.join("lro/config.toml"))
}

/// The file's contents; of a file that does not exist, none.
pub(crate) fn load(path: Option<&Path>) -> Result<File, Failure> {
    let Some(path) = path else {
        return Ok(File::default());
    };
    let shown = path.display();
    let text = match std::fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(File::default()),
        Err(error) => {
            return Err(Failure::new(
                Exit::Fault,
                format!("cannot read {shown}: {error}"),
            ));
        }
    };
    File::parse(&text).map_err(|error| {
        let failure = Failure::new(Exit::Fault, format!("cannot read {shown}"));
        let failure = error.to_string().lines().fold(failure, Failure::advise);
        match error.nearest() {
            Some(nearest) => failure.advise(format!("did you mean `{nearest}`?")),
            None => failure,
        }
    })
}

fn unknown_profile(name: &str, file: &File, path: Option<&Path>) -> Failure {
    let names = file.profiles.keys().map(String::as_str);
    let failure = Failure::usage(format!("there is no profile `{name}`"));
    let failure = match nearest(name, names.clone()) {
        Some(nearest) => failure.advise(format!("did you mean `{nearest}`?")),
        None => failure,
    };
    let known: Vec<&str> = names.collect();
    let place = path.map_or_else(|| "no file".to_owned(), |it| it.display().to_string());
    if known.is_empty() {
        failure.advise(format!("{place} has no profiles"))
    } else {
        failure.advise(format!("{place} has {}", known.join(", ")))
    }
}

/// Several values in one variable: headers by line feeds or `;`, files as in `PATH`.
fn split(name: &str, value: &str) -> Vec<String> {
    let parts: Vec<&str> = match name {
        "headers" => value.split(['\n', ';']).collect(),
        "descriptor_sets" => value.split(':').collect(),
        _ => vec![value],
    };
    let parts = parts.into_iter().map(str::trim).filter(|it| !it.is_empty());
    parts.map(str::to_owned).collect()
}
