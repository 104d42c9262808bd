//! The options of all commands.

use std::collections::BTreeMap;
use std::path::PathBuf;

use clap::Args;

use crate::complete;

/// The options of all commands.
#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = "Options of all commands")]
pub(crate) struct Globals {
    /// The server: http://host:port, https://host:port, host:port or unix:/path [env: LRO_SERVER]
    #[arg(short, long, global = true, value_name = "URL")]
    server: Option<String>,
    /// The profile of the configuration file [env: LRO_PROFILE]
    #[arg(short, long, global = true, value_name = "NAME", add = complete::profiles())]
    pub(crate) profile: Option<String>,
    /// The configuration file [env: LRO_CONFIG]
    #[arg(long, global = true, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// The parent of the operations, such as projects/p [env: LRO_PARENT]
    #[arg(long, global = true, value_name = "NAME")]
    parent: Option<String>,
    /// A file with the authorities to trust in place of the system's [env: LRO_CA, LRO_CA_DATA]
    #[arg(long, global = true, value_name = "FILE", hide_short_help = true)]
    ca: Option<String>,
    /// A file with the client's certificate [env: LRO_CERT, LRO_CERT_DATA]
    #[arg(long, global = true, value_name = "FILE", hide_short_help = true)]
    cert: Option<String>,
    /// A file with the client's key [env: LRO_KEY, LRO_KEY_DATA]
    #[arg(long, global = true, value_name = "FILE", hide_short_help = true)]
    key: Option<String>,
    /// The name that the server's certificate must have [env: LRO_SERVER_NAME]
    #[arg(long, global = true, value_name = "NAME", hide_short_help = true)]
    server_name: Option<String>,
    /// A file that holds a bearer token [env: LRO_TOKEN_FILE, or the token itself in LRO_TOKEN]
    #[arg(long, global = true, value_name = "FILE", hide_short_help = true)]
    token_file: Option<String>,
    /// A command that prints a bearer token, run without a shell [env: LRO_TOKEN_COMMAND]
    #[arg(long, global = true, value_name = "COMMAND", hide_short_help = true)]
    token_command: Option<String>,
    /// Send a token without TLS to a server that is not on this machine
    #[arg(long, global = true, hide_short_help = true)]
    pub(crate) plaintext_token: bool,
    /// A header of all calls, reflection among them [env: LRO_HEADERS]
    #[arg(
        short = 'H',
        long = "header",
        global = true,
        value_name = "NAME: VALUE",
        hide_short_help = true
    )]
    headers: Vec<String>,
    /// The project that pays for the calls, as x-goog-user-project [env: LRO_QUOTA_PROJECT]
    #[arg(long, global = true, value_name = "PROJECT", hide_short_help = true)]
    quota_project: Option<String>,
    /// A file with a descriptor set, united with reflection [env: LRO_DESCRIPTOR_SET]
    #[arg(
        long = "descriptor-set",
        global = true,
        value_name = "FILE",
        hide_short_help = true
    )]
    descriptor_sets: Vec<String>,
    /// Server reflection: auto, off, v1 or v1alpha [env: LRO_REFLECTION]
    #[arg(long, global = true, value_name = "VERSION", hide_short_help = true)]
    reflection: Option<String>,
    /// table, wide, json, ndjson, name, value(FIELD,..) or token [env: LRO_OUTPUT]
    #[arg(short, long, alias = "format", global = true, value_name = "FORM", add = complete::outputs())]
    output: Option<String>,
    /// auto, bars, lines, json or none [env: LRO_PROGRESS; ACCESSIBLE and CI choose lines]
    #[arg(
        long,
        global = true,
        value_name = "FORM",
        add = complete::one_of(&["auto", "bars", "lines", "json", "none"])
    )]
    progress: Option<String>,
    /// Which fields of the metadata tell the progress, as done=FIELD,total=FIELD
    #[arg(
        long = "progress-field",
        global = true,
        value_name = "FIELDS",
        hide_short_help = true
    )]
    progress_fields: Option<String>,
    /// auto, always or never [env: LRO_COLOR; NO_COLOR, CLICOLOR_FORCE]
    #[arg(long, global = true, value_name = "WHEN", hide_short_help = true)]
    color: Option<String>,
    /// Times: relative, utc, local or unix [env: LRO_TIME] [default: relative on a terminal, else utc]
    #[arg(long, global = true, value_name = "FORM", hide_short_help = true)]
    time: Option<String>,
    /// The time limit of one try of a call [env: LRO_RPC_TIMEOUT] [default: 10s]
    #[arg(long, global = true, value_name = "TIME", hide_short_help = true)]
    rpc_timeout: Option<String>,
    /// How many errors in a row to retry [env: LRO_RETRY_ERRORS] [default: 5]
    #[arg(long, global = true, value_name = "N", hide_short_help = true)]
    retry_errors: Option<u32>,
    /// How many calls run at once [env: LRO_CONCURRENCY] [default: 16]
    #[arg(long, global = true, value_name = "N", hide_short_help = true)]
    concurrency: Option<u32>,
    /// Show fields that their proto marks as debug_redact
    #[arg(long, global = true, hide_short_help = true)]
    pub(crate) unredacted: bool,
    /// No progress, hints or summaries on stderr
    #[arg(short, long, global = true)]
    pub(crate) quiet: bool,
    /// Tell of each call on stderr
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    pub(crate) verbose: u8,
}

impl Globals {
    /// The flags that are set, by the names of the settings.
    pub(crate) fn values(&self) -> BTreeMap<&'static str, Vec<String>> {
        let one = |value: &Option<String>| value.clone().map(|it| vec![it]);
        let many = |values: &Vec<String>| (!values.is_empty()).then(|| values.clone());
        let number = |value: Option<u32>| value.map(|it| vec![it.to_string()]);
        let all = [
            ("server", one(&self.server)),
            ("parent", one(&self.parent)),
            ("tls.ca", one(&self.ca)),
            ("tls.cert", one(&self.cert)),
            ("tls.key", one(&self.key)),
            ("tls.server_name", one(&self.server_name)),
            ("token_file", one(&self.token_file)),
            ("token_command", one(&self.token_command)),
            ("headers", many(&self.headers)),
            ("quota_project", one(&self.quota_project)),
            ("descriptor_sets", many(&self.descriptor_sets)),
            ("reflection", one(&self.reflection)),
            ("output", one(&self.output)),
            ("progress", one(&self.progress)),
            ("color", one(&self.color)),
            ("time", one(&self.time)),
            ("rpc_timeout", one(&self.rpc_timeout)),
            ("retry_errors", number(self.retry_errors)),
            ("concurrency", number(self.concurrency)),
            ("progress_fields", one(&self.progress_fields)),
        ];
        all.into_iter()
            .filter_map(|(name, it)| Some((name, it?)))
            .collect()
    }
}
