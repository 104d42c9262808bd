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

/// The settings of all calls. Each method returns the same client, over the same transport, with
/// one setting changed; earlier clones do not change. Clones are cheap, so you can also change a
/// setting for a single call:
///
/// ```
/// # async fn example(operations: lro_client::OperationsClient) -> Result<(), tonic::Status> {
/// use std::time::Duration;
/// use lro_client::CallSettings;
///
/// let hasty = CallSettings::default().timeout(Duration::from_millis(300)).attempts(1);
/// let operation = operations.clone().with_call_settings(hasty).get("operations/42").await?;
/// # Ok(()) }
/// ```
impl OperationsClient {
    /// Sets the time limits and retries of Get, List, Cancel and Delete.
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

    /// Sets the time limits and retries of one method.
    ///
    /// ```
    /// # fn example(operations: lro_client::OperationsClient) {
    /// use std::time::Duration;
    /// use lro_client::{CallSettings, OperationsRpc};
    ///
    /// let slow = CallSettings::default().timeout(Duration::from_secs(60));
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
    /// Both are truncated to 128 bytes, and `-` replaces invalid characters. Without a name, the
    /// header contains only the language and the transport.
    #[must_use]
    pub fn with_library(mut self, name: &str, version: &str) -> Self {
        self.config_mut().api_client = headers::api_client_of(name, version);
        self
    }

    /// Sends a token with each call, in the header `authorization`. Default: none.
    ///
    /// The peer of the channel receives the token, so use TLS. The header is marked as sensitive,
    /// so that neither logs nor the tables of HTTP/2 contain it.
    #[must_use]
    pub fn with_token_provider(mut self, tokens: impl TokenProvider) -> Self {
        self.config_mut().tokens = Some(Arc::new(tokens));
        self
    }

    /// Sets the scopes for the token provider. Default: [`DEFAULT_SCOPES`].
    #[must_use]
    pub fn with_scopes<S: Into<String>>(mut self, scopes: impl IntoIterator<Item = S>) -> Self {
        self.config_mut().scopes = scopes.into_iter().map(Into::into).collect();
        self
    }

    /// Sets the largest message to accept, in bytes. Default: 4 MiB, as in tonic. A larger message
    /// fails the call with OUT_OF_RANGE. A page of a list is one message.
    #[must_use]
    pub fn max_decoding_message_size(mut self, bytes: usize) -> Self {
        self.config_mut().message_size_max = Some(bytes);
        self
    }

    /// Allows the server to compress its answers with this encoding, in addition to earlier ones.
    /// The encodings are features of tonic.
    #[must_use]
    pub fn accept_compressed(mut self, encoding: CompressionEncoding) -> Self {
        self.config_mut().accepts.push(encoding);
        self
    }

    /// Compresses requests. The server must support the encoding. Requests are short, so this
    /// seldom pays off.
    #[must_use]
    pub fn send_compressed(mut self, encoding: CompressionEncoding) -> Self {
        self.config_mut().sends = Some(encoding);
        self
    }

    /// Makes pollers of this client use GetOperation even if the server offers WaitOperation: for
    /// networks that cut long calls.
    ///
    /// [`OperationsClient::wait`] is not affected.
    #[must_use]
    pub fn without_wait_operation(mut self) -> Self {
        self.config_mut().waits = false;
        self
    }

    fn config_mut(&mut self) -> &mut Config {
        Arc::make_mut(&mut self.config)
    }
}
