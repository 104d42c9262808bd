//! The configuration file.

use std::collections::BTreeMap;
use std::fmt;

use serde::Deserialize;

use crate::failure::nearest;

/// The configuration file: profiles, and the name of the one in use.
///
/// ```
/// use lro_cli::config::File;
///
/// let file = File::parse(
///     "profile = 'prod'\n[profiles.prod]\nserver = 'https://ops.example.com'\nread_only = true",
/// )?;
/// assert_eq!(file.profile.as_deref(), Some("prod"));
/// assert_eq!(file.profiles["prod"].server.as_deref(), Some("https://ops.example.com"));
///
/// let error = File::parse("[profiles.prod]\nsever = 'x'").unwrap_err();
/// assert_eq!(error.nearest(), Some("server"));
/// # Ok::<(), lro_cli::config::ConfigError>(())
/// ```
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct File {
    /// The profile that is used without `--profile` and `LRO_PROFILE`.
    pub profile: Option<String>,
    /// The profiles by name.
    #[serde(default)]
    pub profiles: BTreeMap<String, Profile>,
}

/// A server with all that it takes to call it. It holds no secret, only paths and commands.
///
/// ```
/// let file = lro_cli::config::File::parse("[profiles.a.tls]\nca = 'ca.pem'")?;
/// assert_eq!(file.profiles["a"].tls.ca.as_deref(), Some("ca.pem"));
/// # Ok::<(), lro_cli::config::ConfigError>(())
/// ```
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Profile {
    /// The server's address.
    pub server: Option<String>,
    /// The parent of the operations.
    pub parent: Option<String>,
    /// Paths of certificates and keys.
    #[serde(default)]
    pub tls: TlsPaths,
    /// The path of a file that holds a token.
    pub token_file: Option<String>,
    /// The command that prints a token.
    pub token_command: Option<String>,
    /// Headers of all calls, as `name: value`.
    pub headers: Option<Vec<String>>,
    /// The project that pays for the calls.
    pub quota_project: Option<String>,
    /// Files with descriptor sets.
    pub descriptor_sets: Option<Vec<String>>,
    /// `auto`, `off`, `v1` or `v1alpha`.
    pub reflection: Option<String>,
    /// The form of the output.
    pub output: Option<String>,
    /// `auto`, `bars`, `lines`, `json` or `none`.
    pub progress: Option<String>,
    /// `auto`, `always` or `never`.
    pub color: Option<String>,
    /// `relative`, `utc`, `local` or `unix`.
    pub time: Option<String>,
    /// The time limit of one try of a call.
    pub rpc_timeout: Option<String>,
    /// How many errors in a row to retry.
    pub retry_errors: Option<u32>,
    /// How many calls run at once.
    pub concurrency: Option<u32>,
    /// Whether start, cancel and delete are refused.
    pub read_only: Option<bool>,
    /// Which fields of the metadata tell the progress, as `done=a,total=b`.
    pub progress_fields: Option<String>,
}

/// Paths of certificates and keys, all PEM.
///
/// ```
/// assert_eq!(lro_cli::config::TlsPaths::default().ca, None);
/// ```
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct TlsPaths {
    /// The authorities that are trusted, in place of the system's.
    pub ca: Option<String>,
    /// The client's certificate.
    pub cert: Option<String>,
    /// The client's key.
    pub key: Option<String>,
    /// The name that the server's certificate must have.
    pub server_name: Option<String>,
}

/// Why a configuration file cannot be read.
///
/// ```
/// let error = lro_cli::config::File::parse("profiles = 3").unwrap_err();
/// assert!(error.to_string().contains("line 1"));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigError {
    text: String,
    nearest: Option<&'static str>,
}

impl ConfigError {
    /// The key that was meant by one that does not exist.
    #[must_use]
    pub fn nearest(&self) -> Option<&str> {
        self.nearest
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.text.trim_end())
    }
}

impl std::error::Error for ConfigError {}

/// The keys of a profile, and `tls` and its keys.
const NAMES: [&str; 24] = [
    "profile",
    "profiles",
    "tls",
    "ca",
    "cert",
    "key",
    "server_name",
    "server",
    "parent",
    "token_file",
    "token_command",
    "headers",
    "quota_project",
    "descriptor_sets",
    "reflection",
    "output",
    "progress",
    "color",
    "time",
    "rpc_timeout",
    "retry_errors",
    "concurrency",
    "read_only",
    "progress_fields",
];

impl File {
    /// The longest file that is read, in bytes: 1 MiB.
    pub const MAX_LEN: usize = 1 << 20;

    /// Reads the text of a file.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] with the line and the column of the fault.
    pub fn parse(text: &str) -> Result<Self, ConfigError> {
        if text.len() > Self::MAX_LEN {
            let text = format!(
                "the file has at most {} bytes, not {}",
                Self::MAX_LEN,
                text.len()
            );
            return Err(ConfigError {
                text,
                nearest: None,
            });
        }
        toml::from_str(text).map_err(|error| {
            let message = error.message();
            let unknown = message.strip_prefix("unknown field `");
            let name = unknown.and_then(|it| it.split('`').next());
            let nearest = name.and_then(|name| nearest(name, NAMES));
            ConfigError {
                text: error.to_string(),
                nearest,
            }
        })
    }
}

impl Profile {
    /// The values that are set, by the names of the settings.
    pub(crate) fn values(&self) -> BTreeMap<&'static str, Vec<String>> {
        let one = |value: &Option<String>| value.clone().map(|it| vec![it]);
        let number = |value: Option<u32>| value.map(|it| vec![it.to_string()]);
        let all = [
            ("server", one(&self.server)),
            ("parent", one(&self.parent)),
            ("tls.ca", one(&self.tls.ca)),
            ("tls.cert", one(&self.tls.cert)),
            ("tls.key", one(&self.tls.key)),
            ("tls.server_name", one(&self.tls.server_name)),
            ("token_file", one(&self.token_file)),
            ("token_command", one(&self.token_command)),
            ("headers", self.headers.clone()),
            ("quota_project", one(&self.quota_project)),
            ("descriptor_sets", self.descriptor_sets.clone()),
            ("reflection", one(&self.reflection)),
            ("output", one(&self.output)),
            ("progress", one(&self.progress)),
            ("color", one(&self.color)),
            ("time", one(&self.time)),
            ("rpc_timeout", one(&self.rpc_timeout)),
            ("retry_errors", number(self.retry_errors)),
            ("concurrency", number(self.concurrency)),
            ("read_only", self.read_only.map(|it| vec![it.to_string()])),
            ("progress_fields", one(&self.progress_fields)),
        ];
        let set = all.into_iter().filter_map(|(name, it)| Some((name, it?)));
        set.collect()
    }
}
