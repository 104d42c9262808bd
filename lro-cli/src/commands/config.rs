//! `lro config`: the settings in effect, and changes of the file.

use std::path::Path;

use toml_edit::{Array, DocumentMut, Item, Table, value};

use crate::args::{Config, Globals};
use crate::config::{self, File, KEYS, Settings};
use crate::environment::Environment;
use crate::exit::Exit;
use crate::failure::{Failure, nearest};
use crate::terminal::Terminal;

pub(crate) fn run(
    command: &Config,
    settings: &Settings,
    globals: &Globals,
    environment: &Environment,
    terminal: &Terminal,
) -> Result<Exit, Failure> {
    let path = config::path(globals, environment).ok_or_else(|| {
        Failure::new(Exit::Fault, "there is no place for a configuration file")
            .advise("set HOME or XDG_CONFIG_HOME, or give --config FILE")
    });
    match command {
        Config::View { show_origin } => view(settings, environment, *show_origin, terminal),
        Config::Path => terminal.line(&path?.display().to_string()),
        Config::Use { name } => edit(&path?, |document, file| {
            if !file.profiles.contains_key(name) && name != "default" {
                let failure = Failure::usage(format!("there is no profile `{name}`"));
                return Err(
                    match nearest(name, file.profiles.keys().map(String::as_str)) {
                        Some(nearest) => failure.advise(format!("did you mean `{nearest}`?")),
                        None => {
                            failure.advise(format!("make it: lro config set server URL -p {name}"))
                        }
                    },
                );
            }
            document["profile"] = value(name.as_str());
            Ok(())
        }),
        Config::Set { key, values } => {
            let name = globals
                .profile
                .clone()
                .unwrap_or_else(|| settings.profile.clone());
            edit(&path?, |document, _| set(document, &name, key, values))
        }
    }?;
    Ok(Exit::Done)
}

fn view(
    settings: &Settings,
    environment: &Environment,
    show_origin: bool,
    terminal: &Terminal,
) -> Result<(), Failure> {
    let mut lines = vec![("profile", settings.profile.clone(), String::new())];
    if let Some(path) = &settings.path {
        let exists = if path.exists() { "" } else { "does not exist" };
        lines.push(("file", path.display().to_string(), exists.to_owned()));
    }
    for key in KEYS {
        if let Some(setting) = settings.setting(key.name) {
            let shown = setting.values.iter().map(|it| safe(key.name, it));
            lines.push((
                key.name,
                shown.collect::<Vec<_>>().join(" ; "),
                setting.origin.to_string(),
            ));
        }
    }
    if environment.variable("LRO_TOKEN").is_some() {
        lines.push((
            "token",
            "<set>".to_owned(),
            "environment LRO_TOKEN".to_owned(),
        ));
    }
    let width = lines
        .iter()
        .map(|(name, ..)| name.len())
        .max()
        .unwrap_or_default();
    let widest = lines
        .iter()
        .map(|(_, value, _)| value.chars().count())
        .max()
        .unwrap_or_default();
    for (name, value, origin) in lines {
        let line = if show_origin {
            format!("{name:width$}  {value:widest$}  {origin}")
        } else {
            format!("{name:width$}  {value}")
        };
        terminal.line(line.trim_end())?;
    }
    Ok(())
}

/// A value without what may be a secret in it: headers carry tokens, and commands may.
fn safe(name: &str, value: &str) -> String {
    match name {
        "headers" => {
            let name = value.split(':').next().unwrap_or_default();
            format!("{name}: <hidden>")
        }
        _ => value.to_owned(),
    }
}

/// Changes the file and keeps its comments and order.
fn edit(
    path: &Path,
    change: impl FnOnce(&mut DocumentMut, &File) -> Result<(), Failure>,
) -> Result<(), Failure> {
    let fault = |error: &dyn std::fmt::Display| {
        Failure::new(
            Exit::Fault,
            format!("cannot change {}: {error}", path.display()),
        )
    };
    let file = config::load(Some(path))?;
    let text = match std::fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => String::new(),
        Err(error) => return Err(fault(&error)),
    };
    let mut document: DocumentMut = text.parse().map_err(|error| fault(&error))?;
    change(&mut document, &file)?;
    let text = document.to_string();
    // A file that could not be read again is not written.
    File::parse(&text).map_err(|error| {
        let failure = Failure::usage("this is no value for the configuration file");
        error.to_string().lines().fold(failure, Failure::advise)
    })?;
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder).map_err(|error| fault(&error))?;
    }
    // A crash leaves the old file or the new one.
    let new = path.with_extension("toml.new");
    std::fs::write(&new, text).map_err(|error| fault(&error))?;
    std::fs::rename(&new, path).map_err(|error| fault(&error))
}

fn set(
    document: &mut DocumentMut,
    profile: &str,
    key: &str,
    values: &[String],
) -> Result<(), Failure> {
    let names = KEYS.map(|key| key.name);
    if !names.contains(&key) {
        let failure = Failure::usage(format!("there is no setting `{key}`"));
        return Err(match nearest(key, names) {
            Some(nearest) => failure.advise(format!("did you mean `{nearest}`?")),
            None => failure.advise(format!("write one of {}", names.join(", "))),
        });
    }
    let is_list = matches!(key, "headers" | "descriptor_sets");
    let value = match (values, key) {
        (_, _) if is_list => Item::Value(values.iter().collect::<Array>().into()),
        ([only], "read_only") => match only.parse::<bool>() {
            Ok(flag) => value(flag),
            Err(_) => return Err(Failure::usage("write `true` or `false` for `read_only`")),
        },
        ([only], "retry_errors" | "concurrency") => match only.parse::<u32>() {
            Ok(number) => value(i64::from(number)),
            Err(_) => return Err(Failure::usage(format!("write a whole number for `{key}`"))),
        },
        ([only], _) => value(only.as_str()),
        _ => return Err(Failure::usage(format!("`{key}` has one value"))),
    };
    let mut table = document.as_table_mut();
    let path = ["profiles", profile]
        .into_iter()
        .chain(key.contains('.').then_some("tls"));
    for step in path {
        let next = table.entry(step).or_insert_with(|| {
            let mut table = Table::new();
            table.set_implicit(true);
            Item::Table(table)
        });
        table = next.as_table_mut().ok_or_else(|| {
            Failure::new(Exit::Fault, format!("`{step}` is no table in the file"))
                .advise("write it as [profiles.NAME]")
        })?;
    }
    let name = key.rsplit('.').next().unwrap_or(key);
    table.insert(name, value);
    Ok(())
}
