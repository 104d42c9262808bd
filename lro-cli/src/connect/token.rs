//! Bearer tokens: from a variable, a file or a command. No message shows one.

use std::fmt;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::HeaderValue;
use tokio::process::Command;
use tokio::sync::Mutex;
use tokio::time::Instant;
use tonic::Status;

use crate::config::{Origin, Settings};
use crate::environment::Environment;
use crate::failure::Failure;

/// How long a token is kept that does not say when it expires.
const KEPT: Duration = Duration::from_secs(300);
/// How long before its expiry a token is replaced.
const MARGIN: Duration = Duration::from_secs(30);
/// How long the command that prints a token may take.
const COMMAND_LIMIT: Duration = Duration::from_secs(10);
/// The longest token, in bytes.
const MAX_LEN: usize = 64 * 1024;

/// Where the token of all calls comes from.
pub(crate) struct Tokens {
    source: Source,
    clock: std::sync::Arc<dyn lro_core::Clock>,
    kept: Mutex<Option<Kept>>,
}

enum Source {
    None,
    Variable(String),
    File(PathBuf),
    Command(Vec<String>),
}

struct Kept {
    header: HeaderValue,
    until: Instant,
    expiry: Option<i64>,
}

impl Tokens {
    pub(super) fn new(settings: &Settings, environment: &Environment) -> Result<Self, Failure> {
        Ok(Self {
            source: Self::source(settings, environment)?,
            clock: environment.clock.clone(),
            kept: Mutex::default(),
        })
    }

    /// The source of the highest rank: flags, then variables, then the profile.
    fn source(settings: &Settings, environment: &Environment) -> Result<Source, Failure> {
        let rank = |name| match settings.setting(name).map(|it| &it.origin) {
            Some(Origin::Flag) => 0,
            Some(Origin::Variable(_)) => 1,
            Some(Origin::Profile(_) | Origin::Default) => 2,
            None => 3,
        };
        let (file, command) = (rank("token_file"), rank("token_command"));
        if let Some(token) = environment.variable("LRO_TOKEN")
            && file.min(command) > 0
        {
            return Ok(Source::Variable(token.to_owned()));
        }
        if file == command && file < 3 {
            return Err(
                Failure::usage("there is both a `token_file` and a `token_command`")
                    .advise("leave one of them out: lro config view --show-origin"),
            );
        }
        if file < command {
            let path = settings.text("token_file").unwrap_or_default();
            return Ok(Source::File(path.into()));
        }
        let Some(words) = settings.text("token_command") else {
            return Ok(Source::None);
        };
        let words = shlex::split(words).filter(|words| !words.is_empty());
        words.map(Source::Command).ok_or_else(|| {
            Failure::usage("`token_command` has a quote that is not closed, or is empty")
        })
    }

    pub(crate) fn is_some(&self) -> bool {
        !matches!(self.source, Source::None)
    }

    /// The header `authorization`, if there is a token.
    pub(super) async fn header(&self) -> Result<Option<HeaderValue>, Status> {
        if !self.is_some() {
            return Ok(None);
        }
        let mut kept = self.kept.lock().await;
        if let Some(kept) = &*kept
            && Instant::now() < kept.until
        {
            return Ok(Some(kept.header.clone()));
        }
        let token = self.fetch().await.map_err(Status::unauthenticated)?;
        let token = token.trim();
        if token.is_empty() || token.len() > MAX_LEN {
            return Err(Status::unauthenticated(format!("{self} gave no token")));
        }
        let header = HeaderValue::try_from(format!("Bearer {token}"));
        let mut header =
            header.map_err(|_| Status::unauthenticated(format!("{self} gave no valid token")))?;
        header.set_sensitive(true);
        let expiry = expiry(token);
        let left = match expiry.map(|expiry| expiry - self.now()) {
            None => KEPT,
            Some(left) if left <= 0 => {
                let at = expiry.and_then(|it| jiff::Timestamp::from_second(it).ok());
                let at = at.map(|it| it.to_string()).unwrap_or_default();
                return Err(Status::unauthenticated(format!(
                    "the token of {self} expired at {at}"
                )));
            }
            Some(left) => Duration::from_secs(left.unsigned_abs()).saturating_sub(MARGIN),
        };
        let until = Instant::now() + left.min(Duration::from_secs(3_600));
        *kept = Some(Kept {
            header: header.clone(),
            until,
            expiry,
        });
        Ok(Some(header))
    }

    /// For how many more seconds the token is valid, where it says so.
    pub(crate) async fn valid_for(&self) -> Result<Option<i64>, Status> {
        self.header().await?;
        let kept = self.kept.lock().await;
        Ok(kept
            .as_ref()
            .and_then(|it| it.expiry)
            .map(|it| it - self.now()))
    }

    fn now(&self) -> i64 {
        self.clock.now().as_micros() / 1_000_000
    }

    async fn fetch(&self) -> Result<String, String> {
        match &self.source {
            Source::None => Ok(String::new()),
            Source::Variable(token) => Ok(token.clone()),
            Source::File(path) => std::fs::read_to_string(path)
                .map_err(|error| format!("cannot read the token file {}: {error}", path.display())),
            Source::Command(words) => run(words).await,
        }
    }
}

async fn run(words: &[String]) -> Result<String, String> {
    let program = &words[0];
    let mut command = Command::new(program);
    command
        .args(&words[1..])
        .stdin(Stdio::null())
        .stderr(Stdio::piped())
        .kill_on_drop(true);
    let output = tokio::time::timeout(COMMAND_LIMIT, command.output())
        .await
        .map_err(|_| format!("`{program}` printed no token within {COMMAND_LIMIT:?}"))?
        .map_err(|error| format!("cannot run the token command `{program}`: {error}"))?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        let said = said.lines().next().unwrap_or_default().to_owned();
        return Err(format!(
            "the token command `{program}` failed ({}): {said}",
            output.status
        ));
    }
    String::from_utf8(output.stdout).map_err(|_| format!("`{program}` printed no text"))
}

/// The claim `exp` of a JWT, in seconds since the Unix epoch.
fn expiry(token: &str) -> Option<i64> {
    let payload = URL_SAFE_NO_PAD.decode(token.split('.').nth(1)?).ok()?;
    let claims: serde_json::Value = serde_json::from_slice(&payload).ok()?;
    let expiry = claims.get("exp")?;
    // RFC 7519: a number that may have a fraction.
    expiry
        .as_i64()
        .or_else(|| expiry.as_f64().map(|it| it as i64))
}

/// Where it comes from, never what it is.
impl fmt::Display for Tokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.source {
            Source::None => f.write_str("nothing"),
            Source::Variable(_) => f.write_str("the variable LRO_TOKEN"),
            Source::File(path) => write!(f, "the file {}", path.display()),
            Source::Command(words) => write!(f, "the command `{}`", words[0]),
        }
    }
}

impl fmt::Debug for Tokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Tokens({self})")
    }
}
