//! The settings that all calls of a client share.

use std::fmt;
use std::sync::Arc;

use tonic::codec::CompressionEncoding;
use tonic::metadata::{Ascii, MetadataValue};

use lro_core::OperationsRpc;

use super::settings::CallSettings;
use super::token::{DEFAULT_SCOPES, TokenProvider};
use super::{OperationsClient, headers};

#[derive(Clone)]
pub(super) struct Config {
    settings: [CallSettings; OperationsRpc::ALL.len()],
    pub(super) api_client: MetadataValue<Ascii>,
    pub(super) tokens: Option<Arc<dyn TokenProvider>>,
    pub(super) scopes: Vec<String>,
    pub(super) message_size_max: Option<usize>,
    pub(super) accepts: Vec<CompressionEncoding>,
    pub(super) sends: Option<CompressionEncoding>,
    pub(super) waits: bool,
}

impl Config {
    pub(super) fn settings(&self, method: OperationsRpc) -> &CallSettings {
        &self.settings[method as usize]
    }
}

impl Default for Config {
    fn default() -> Self {
        Self {
            settings: OperationsRpc::ALL.map(CallSettings::default_of),
            api_client: headers::api_client(),
            tokens: None,
            scopes: DEFAULT_SCOPES.iter().map(|&it| it.to_owned()).collect(),
            message_size_max: None,
            accepts: Vec::new(),
            sends: None,
            waits: true,
        }
    }
}

impl fmt::Debug for Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Config")
            .field("settings", &self.settings)
            .field("api_client", &self.api_client)
            .field("has_token_provider", &self.tokens.is_some())
            .field("message_size_max", &self.message_size_max)
            .finish_non_exhaustive()
    }
}

/// The settings of all calls. Each of these gives the same client, over the same transport,
/// with one thing changed; clones made before stay as they are. A clone is cheap, so this also
/// serves for a single call:
///
/// ```
/// # async fn example(operations: lro_client::OperationsClient) -> Result<(), tonic::Status> {
/// use std::time::Duration;
/// use lro_client::CallSettings;
///
/// let hasty = CallSettings {
///     timeout: Duration::from_millis(300),
///     attempts: 1,
///     ..CallSettings::default()
/// };
/// let operation = operations.clone().with_call_settings(hasty).get("operations/42").await?;
/// # Ok(()) }
/// ```
impl OperationsClient {
    /// Other time limits and retries for Get, List, Cancel and Delete.
    #[must_use]
    pub fn with_call_settings(mut self, settings: CallSettings) -> Self {
        let config = self.config_mut();
        for method in OperationsRpc::ALL {
            if method != OperationsRpc::Wait {
                config.settings[method as usize] = settings;
            }
        }
        self
    }

    /// Other time limits and retries for one method.
    ///
    /// ```
    /// # fn example(operations: lro_client::OperationsClient) {
    /// use std::time::Duration;
    /// use lro_client::{CallSettings, OperationsRpc};
    ///
    /// let slow = CallSettings { timeout: Duration::from_secs(60), ..CallSettings::default() };
    /// let operations = operations.with_method_settings(OperationsRpc::List, slow);
    /// # }
    /// ```
    #[must_use]
    pub fn with_method_settings(mut self, method: OperationsRpc, settings: CallSettings) -> Self {
        self.config_mut().settings[method as usize] = settings;
        self
    }

    /// The time limits and retries of a method.
    pub fn call_settings(&self, method: OperationsRpc) -> &CallSettings {
        self.config.settings(method)
    }

    /// The name and the version of the library in the header `x-goog-api-client`, in place of
    /// this crate's: `gl-rust/1.95.0 archiver/2.1.0 grpc/0.14`.
    ///
    /// Both are cut to 128 bytes, and what cannot stand in the header becomes `-`. Without a name
    /// the header tells the language and the transport only.
    #[must_use]
    pub fn with_library(mut self, name: &str, version: &str) -> Self {
        self.config_mut().api_client = headers::api_client_of(name, version);
        self
    }

    /// Shows a token with each call, in the header `authorization`. None by default.
    ///
    /// The token goes to whatever the channel is connected to: use TLS. The header is marked as
    /// sensitive, so that neither logs nor HTTP/2's tables keep it.
    #[must_use]
    pub fn with_token_provider(mut self, tokens: impl TokenProvider) -> Self {
        self.config_mut().tokens = Some(Arc::new(tokens));
        self
    }

    /// The scopes that the token provider is asked for; [`DEFAULT_SCOPES`] by default.
    #[must_use]
    pub fn with_scopes<S: Into<String>>(mut self, scopes: impl IntoIterator<Item = S>) -> Self {
        self.config_mut().scopes = scopes.into_iter().map(Into::into).collect();
        self
    }

    /// The longest message that is accepted, in bytes: 4 MiB by default, as in tonic. Longer ones
    /// end the call with OUT_OF_RANGE. A page of a list is one message.
    #[must_use]
    pub fn max_decoding_message_size(mut self, bytes: usize) -> Self {
        self.config_mut().message_size_max = Some(bytes);
        self
    }

    /// Lets the server compress its answers in this way, and in the ones named before. The ways
    /// are features of tonic.
    #[must_use]
    pub fn accept_compressed(mut self, encoding: CompressionEncoding) -> Self {
        self.config_mut().accepts.push(encoding);
        self
    }

    /// Compresses the requests, which a server must understand: they are short, so it seldom pays.
    #[must_use]
    pub fn send_compressed(mut self, encoding: CompressionEncoding) -> Self {
        self.config_mut().sends = Some(encoding);
        self
    }

    /// Pollers of this client poll with GetOperation, whether or not the server offers
    /// WaitOperation: for a network that cuts calls which last.
    ///
    /// [`OperationsClient::wait`] itself stays as it is.
    #[must_use]
    pub fn without_wait_operation(mut self) -> Self {
        self.config_mut().waits = false;
        self
    }

    fn config_mut(&mut self) -> &mut Config {
        Arc::make_mut(&mut self.config)
    }
}
