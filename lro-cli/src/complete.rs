//! Completions that ask the configuration and the server: names, methods, fields, profiles, filters.
//!
//! A shell calls the program with the words of the line (`COMPLETE=bash lro -- lro get ..`). The
//! server and the profile are those of the line. The server has one second, and errors are silent.

mod filter;
mod words;

use std::ffi::{OsStr, OsString};
use std::future::Future;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use clap::{ArgMatches, CommandFactory as _, FromArgMatches as _};
use clap_complete::CompleteEnv;
use clap_complete::engine::{ArgValueCompleter, CompletionCandidate};
use lro_core::inspection::Step;
use lro_core::inspection::list_steps_request::View;
use lro_core::inspection::step::{Kind, State as StepState};
use lro_core::{is_promise_of, type_name};

use crate::args::{Cli, Globals};
use crate::config::{self, KEYS, Settings};
use crate::context::Context;
use crate::environment::{Environment, Stream};
use crate::output::suffixes;
use crate::shown::State;
use crate::steps::Steps;
use crate::terminal::Terminal;
use crate::types::{operation_info, starts_operation};
pub(crate) use filter::payload_fields;
pub(crate) use words::{columns, keys, one_of, outputs};

/// How long the server may take.
const LIMIT: Duration = Duration::from_secs(1);
/// How many of the newest operations are offered.
const NEWEST: usize = 50;

/// Answers a shell that asks for completions, or for the script that does so. Whether one asked.
///
/// # Errors
///
/// When the shell is not known, or stdout cannot be written.
pub(crate) fn answer() -> Result<bool, clap::Error> {
    let folder = std::env::current_dir().ok();
    let environment = CompleteEnv::with_factory(Cli::command).bin("lro");
    environment.try_complete(std::env::args_os(), folder.as_deref())
}

/// Names of operations.
pub(crate) fn names() -> ArgValueCompleter {
    ArgValueCompleter::new(|current: &OsStr| {
        asked(current, async |line, current| {
            let context = line.context()?;
            let page = context.page("", NEWEST, "").await.ok()?;
            let operations = page.operations;
            let names: Vec<&str> = operations.iter().map(|it| &*it.name).collect();
            let shorts = suffixes(&names);
            let mut found = vec![candidate("@latest", "the newest operation")];
            for operation in &operations {
                let state = State::of(operation).name();
                found.push(candidate(&operation.name, state));
                // Those who begin with a suffix get suffixes.
                if let Some(short) = shorts.get(&*operation.name).filter(|_| !current.is_empty()) {
                    found.push(candidate(&format!("..{short}"), state));
                    found.push(candidate(&format!("…{short}"), state));
                }
            }
            Some(found)
        })
    })
}

/// Methods that start operations, as `Service/Method`.
pub(crate) fn methods() -> ArgValueCompleter {
    ArgValueCompleter::new(|current: &OsStr| {
        asked(current, async |line, _| {
            let (all, _) = line.context()?.types.methods().await.ok()?;
            let mut found = Vec::new();
            for method in all.iter().filter(|it| starts_operation(it)) {
                let service = method.parent_service();
                let help = format!("{} → {}", method.input().name(), operation_info(method).0);
                let short = format!("{}/{}", service.name(), method.name());
                let full = format!("{}/{}", service.full_name(), method.name());
                found.extend([candidate(&short, &help), candidate(&full, &help)]);
            }
            Some(found)
        })
    })
}

/// Fields of the request of the method that the line starts, and their values.
pub(crate) fn fields() -> ArgValueCompleter {
    ArgValueCompleter::new(|current: &OsStr| {
        asked(current, async |line, _| {
            let (_, start) = line.matches.subcommand()?;
            let method: &String = start.try_get_one("method").ok()??;
            let context = line.context()?;
            let method = crate::commands::start::find(&context, method).await.ok()?;
            let mut found = Vec::new();
            for field in method.input().fields() {
                let kind = crate::commands::start::kind(&field);
                let said = crate::commands::start::fields::summary(&field);
                let help = said.map_or(kind.clone(), |said| format!("{kind}: {said}"));
                let end = if field.is_map() { "." } else { "=" };
                found.push(candidate(&format!("{}{end}", field.name()), &help));
                for value in words::values(&field) {
                    found.push(candidate(&format!("{}={value}", field.name()), &help));
                }
            }
            Some(found)
        })
    })
}

/// Promises of the operation that the line completes: those that it waits for, and those that its method declares.
pub(crate) fn promises() -> ArgValueCompleter {
    ArgValueCompleter::new(|current: &OsStr| {
        asked(current, async |line, _| {
            let (_, complete) = line.matches.subcommand()?;
            let name: &String = complete.try_get_one("name").ok()??;
            let context = line.context()?;
            let name = crate::commands::steps::one(&context, name).await.ok()?;
            let steps = Steps::required(&context, "complete").await.ok()?;
            let listed = steps.all(&name, View::Basic, false).await.ok()?;
            let waits = listed.steps.iter().filter(|it| is_awaited(it));
            let mut found: Vec<_> = waits
                .map(|it| candidate(&it.key, listed.declared_type(&it.key).unwrap_or("waits")))
                .collect();
            for declared in &listed.declared_promises {
                let is_known = |step: &Step| is_promise_of(&step.key, &declared.name);
                if !listed.steps.iter().any(is_known) {
                    found.push(candidate(&declared.name, type_name(&declared.type_url)));
                }
            }
            Some(found)
        })
    })
}

fn is_awaited(step: &Step) -> bool {
    step.state() == StepState::Waiting && step.kind() == Kind::Promise
}

/// Profiles of the configuration file.
pub(crate) fn profiles() -> ArgValueCompleter {
    ArgValueCompleter::new(|current: &OsStr| {
        let Some(line) = Line::read() else {
            return Vec::new();
        };
        let environment = Environment::of_process();
        let file = config::load(config::path(&line.globals, &environment).as_deref());
        let profiles = file.unwrap_or_default().profiles;
        let found = profiles.iter().map(|(name, profile)| {
            let server = profile
                .values()
                .get("server")
                .and_then(|it| it.last())
                .cloned();
            candidate(name, &server.unwrap_or_default())
        });
        beginning(current, found.collect())
    })
}

/// Filters, as far as their last word: fields, states, and keys of labels.
pub(crate) fn filters() -> ArgValueCompleter {
    ArgValueCompleter::new(|current: &OsStr| {
        asked(current, async |line, current| {
            let (before, word) = filter::split(current);
            let context = || line.context();
            let found = filter::candidates(before, word, context).await;
            let found = found.into_iter().map(|(text, help)| {
                let text = format!("{before}{text}");
                candidate(&text, &help)
            });
            Some(found.collect())
        })
    })
}

/// The line that is completed, as far as it can be read.
struct Line {
    matches: ArgMatches,
    globals: Globals,
}

impl Line {
    fn read() -> Option<Self> {
        let words = std::env::args_os().skip_while(|it| it != "--").skip(1);
        let words: Vec<OsString> = words.collect();
        let command = Cli::command().ignore_errors(true);
        let matches = command.try_get_matches_from(words).ok()?;
        let globals = Globals::from_arg_matches(&matches).ok()?;
        Some(Self { matches, globals })
    }

    /// The run that the line is about, without its streams.
    fn context(&self) -> Option<Context> {
        let mut environment = Environment {
            stdin: Box::new(io::empty()),
            stdin_is_terminal: false,
            stdout: Stream::plain(io::sink()),
            stderr: Stream::plain(io::sink()),
            ..Environment::of_process()
        };
        // The shell waits: an error that passes is one.
        environment
            .variables
            .insert("LRO_RETRY_ERRORS".to_owned(), "0".to_owned());
        let settings = Settings::resolve(&self.globals, &environment, false).ok()?;
        let terminal = Arc::new(Terminal::new(&mut environment, "never", true, 0));
        Context::new(&self.globals, environment, settings, terminal).ok()
    }
}

/// The answers of the server within the limit that begin like the word.
fn asked<'c, F>(
    current: &'c OsStr,
    ask: impl FnOnce(&'static Line, &'c str) -> F,
) -> Vec<CompletionCandidate>
where
    F: Future<Output = Option<Vec<CompletionCandidate>>>,
{
    let (Some(line), Some(text)) = (Line::read(), current.to_str()) else {
        return Vec::new();
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    let Ok(runtime) = runtime else {
        return Vec::new();
    };
    // The process ends with its answer.
    let line: &'static Line = Box::leak(Box::new(line));
    let answer = runtime.block_on(async { tokio::time::timeout(LIMIT, ask(line, text)).await });
    beginning(current, answer.ok().flatten().unwrap_or_default())
}

fn beginning(current: &OsStr, found: Vec<CompletionCandidate>) -> Vec<CompletionCandidate> {
    let current = current.to_string_lossy();
    let begins = |it: &CompletionCandidate| it.get_value().to_string_lossy().starts_with(&*current);
    found.into_iter().filter(begins).collect()
}

/// A word with its explanation, both harmless on a terminal. A word that is not is left out by its
/// emptiness: no word begins with it.
fn candidate(word: &str, help: &str) -> CompletionCandidate {
    let help = crate::neutral::line(help).into_owned();
    let is_safe = crate::neutral::line(word) == word;
    let word = if is_safe { word } else { "" };
    CompletionCandidate::new(word).help((!help.is_empty()).then(|| help.into()))
}

/// The names of the settings.
fn settings() -> impl Iterator<Item = &'static str> {
    KEYS.iter().map(|key| key.name)
}
