//! The client, the types and the streams, which every command that calls the server has.

use std::io::Read;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use lro_client::{CallSettings, ExponentialBackoff, ListOptions, OperationsClient, OperationsRpc};
use lro_core::{Clock, Timestamp, pb};
use tonic::Status;

use crate::args::Globals;
use crate::commands::list::quoted;
use crate::config::{Origin, Settings};
use crate::connect::Connection;
use crate::environment::Environment;
use crate::failure::Failure;
use crate::output::{Output, TimeForm};
use crate::progress::Fields;
use crate::shower::Shower;
use crate::terminal::Terminal;
use crate::types::Types;

/// The settings that lead to a server, and their options.
const CONNECTION: [(&str, &str); 10] = [
    ("server", "-s"),
    ("parent", "--parent"),
    ("tls.ca", "--ca"),
    ("tls.cert", "--cert"),
    ("tls.key", "--key"),
    ("tls.server_name", "--server-name"),
    ("token_file", "--token-file"),
    ("quota_project", "--quota-project"),
    ("descriptor_sets", "--descriptor-set"),
    ("reflection", "--reflection"),
];

/// A run of a command.
pub(crate) struct Context {
    pub(crate) terminal: Arc<Terminal>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) settings: Settings,
    pub(crate) connection: Connection,
    pub(crate) operations: OperationsClient,
    pub(crate) types: Types,
    pub(crate) environment: Environment,
    pub(crate) stdin: Mutex<Box<dyn Read + Send>>,
    pub(crate) retry_errors: u32,
    unredacted: bool,
    /// The options `--config` and `--profile`.
    config: Option<PathBuf>,
    profile: Option<String>,
}

impl Context {
    /// Prepares a run. Nothing is sent yet.
    ///
    /// # Errors
    ///
    /// When a setting is wrong, or a file cannot be read.
    pub(crate) fn new(
        globals: &Globals,
        mut environment: Environment,
        settings: Settings,
        terminal: Arc<Terminal>,
    ) -> Result<Self, Failure> {
        let connection =
            Connection::new(&settings, &environment, globals.plaintext_token, &terminal)?;
        let retry_errors = u32::try_from(settings.number("retry_errors")?).unwrap_or(u32::MAX);
        let calls = CallSettings::default()
            .timeout(settings.duration("rpc_timeout")?)
            .attempts(retry_errors.saturating_add(1))
            .backoff(ExponentialBackoff::new(
                CallSettings::DEFAULT_INITIAL_BACKOFF,
                CallSettings::DEFAULT_MAX_BACKOFF,
            ));
        let operations = OperationsClient::new(connection.service.clone())
            .with_library("lro", env!("CARGO_PKG_VERSION"))
            .with_call_settings(calls)
            .with_method_settings(
                OperationsRpc::Wait,
                CallSettings::default_of(OperationsRpc::Wait).timeout(calls.timeout),
            )
            .max_decoding_message_size(64 << 20);
        let types = Types::new(&settings, &connection.service)?;
        let stdin = std::mem::replace(&mut environment.stdin, Box::new(std::io::empty()));
        Ok(Self {
            clock: environment.clock.clone(),
            stdin: Mutex::new(stdin),
            unredacted: globals.unredacted,
            config: globals.config.clone(),
            profile: globals.profile.clone(),
            terminal,
            settings,
            connection,
            operations,
            types,
            environment,
            retry_errors,
        })
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// The form of the output, or the command's own.
    pub(crate) fn output(&self, default: Output) -> Result<Output, Failure> {
        match self.settings.text("output") {
            Some(text) => Output::parse(text),
            None => Ok(default),
        }
    }

    /// How points in time are written.
    pub(crate) fn times(&self) -> Result<TimeForm, Failure> {
        if self.settings.text("time").is_none() {
            let people = self.terminal.stdout_is_terminal;
            return Ok(if people {
                TimeForm::Relative
            } else {
                TimeForm::Utc
            });
        }
        let words = ["relative", "utc", "local", "unix"];
        Ok(match self.settings.word("time", &words)? {
            "relative" => TimeForm::Relative,
            "local" => TimeForm::Local,
            "unix" => TimeForm::Unix,
            _ => TimeForm::Utc,
        })
    }

    /// Whether fields that are marked `debug_redact` are shown.
    pub(crate) fn unredacted(&self) -> bool {
        self.unredacted
    }

    pub(crate) fn shower(&self) -> Result<Shower<'_>, Failure> {
        let fields = match self.settings.text("progress_fields") {
            Some(text) => Some(
                Fields::parse(text)
                    .map_err(|advice| self.settings.wrong("progress_fields", text, &advice))?,
            ),
            None => None,
        };
        Ok(Shower {
            types: &self.types,
            terminal: &self.terminal,
            fields,
            unredacted: self.unredacted,
        })
    }

    /// The server and the profile, for the last line of an error.
    pub(crate) fn server(&self) -> String {
        let target = &self.connection.target;
        match &*self.settings.profile {
            "default" => target.to_string(),
            profile => format!("{target} (profile {profile})"),
        }
    }

    /// The failure of a call.
    pub(crate) fn failed(&self, status: &Status, doing: &str) -> Failure {
        Failure::of_call(status, doing, None).server(&self.server())
    }

    /// The failure of a list, with the place of the fault in its filter.
    pub(crate) fn unlisted(&self, status: &Status, filter: &str) -> Failure {
        Failure::of_call(status, "cannot list operations", Some(filter)).server(&self.server())
    }

    /// Refuses what changes something where the profile is read-only.
    pub(crate) fn writable(&self, verb: &str) -> Result<(), Failure> {
        if !self.settings.flag("read_only")? {
            return Ok(());
        }
        let origin = self
            .settings
            .setting("read_only")
            .map(|it| it.origin.to_string());
        let origin = origin.unwrap_or_default();
        Err(Failure::usage(format!(
            "`{verb}` is refused: `read_only` is true (from {origin})"
        ))
        .advise("use a profile that may change something: lro config view --show-origin"))
    }

    /// Whether lines are wanted, and no screen that is drawn anew: a screen reader reads every frame,
    /// and a log keeps it.
    pub(crate) fn prefers_lines(&self) -> bool {
        let set = |name| {
            self.environment
                .variable(name)
                .is_some_and(|it| it != "false" && it != "0")
        };
        set("ACCESSIBLE") || set("CI") || self.environment.variable("TERM") == Some("dumb")
    }

    /// A command for people to copy, with the options that lead to the same server. Options that may
    /// hold a secret are left out.
    pub(crate) fn again(&self, command: &str) -> String {
        let mut again = format!("lro {command}");
        let mut add = |flag: &str, value: &str| {
            again.push_str(&format!(" {flag} {}", quoted(value)));
        };
        if let Some(config) = &self.config {
            add("--config", &config.to_string_lossy());
        }
        if let Some(profile) = &self.profile {
            add("-p", profile);
        }
        for (name, flag) in CONNECTION {
            let setting = self.settings.setting(name);
            let given = setting.filter(|it| it.origin == Origin::Flag);
            for value in given.map_or(&[][..], |it| &it.values) {
                add(flag, value);
            }
        }
        again
    }

    pub(crate) fn parent(&self) -> String {
        self.settings.text("parent").unwrap_or_default().to_owned()
    }

    /// One page of the list.
    pub(crate) async fn page(
        &self,
        filter: &str,
        size: usize,
        token: &str,
    ) -> Result<pb::ListOperationsResponse, Status> {
        let mut options = ListOptions::default();
        filter.clone_into(&mut options.filter);
        token.clone_into(&mut options.page_token);
        options.page_size = i32::try_from(size.clamp(1, 1_000)).unwrap_or(1_000);
        let page = self.operations.list(&self.parent(), &options).await?;
        for name in page.unreachable.iter().take(10) {
            self.terminal
                .note(&format!("warning: the server could not reach {name}"));
        }
        Ok(page)
    }

    /// The first operations of the list, and whether there are more.
    pub(crate) async fn first(
        &self,
        filter: &str,
        limit: usize,
    ) -> Result<(Vec<pb::Operation>, bool), Failure> {
        let mut found: Vec<pb::Operation> = Vec::new();
        let mut token = String::new();
        loop {
            let left = limit.saturating_sub(found.len());
            let page = self.page(filter, left, &token).await;
            let page = page.map_err(|status| self.unlisted(&status, filter))?;
            found.extend(page.operations);
            let again = !page.next_page_token.is_empty() && page.next_page_token == token;
            if page.next_page_token.is_empty() || again {
                let more = found.len() > limit;
                found.truncate(limit);
                return Ok((found, more));
            }
            token = page.next_page_token;
            if found.len() >= limit {
                found.truncate(limit);
                return Ok((found, true));
            }
        }
    }

    /// A line that a person answers, without its line feed.
    pub(crate) fn answer(&self) -> Option<String> {
        let mut stdin = self.stdin.lock().unwrap_or_else(PoisonError::into_inner);
        let mut line = Vec::new();
        let mut byte = [0];
        // Byte by byte: what follows the line is not for the command.
        while line.len() < 1_024 && stdin.read(&mut byte).ok()? == 1 && byte[0] != b'\n' {
            line.push(byte[0]);
        }
        String::from_utf8(line).ok().map(|it| it.trim().to_owned())
    }
}
