//! The settings of a gateway.

use std::time::Duration;

use crate::builder::GatewayBuilder;

/// The settings of a gateway.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    pub(crate) max_body: usize,
    pub(crate) max_response: usize,
    pub(crate) max_timeout: Option<Duration>,
    pub(crate) ignore_unknown_fields: bool,
    pub(crate) ignore_unknown_parameters: bool,
    pub(crate) default_values: bool,
    /// The beginning of all paths, without a slash at its end.
    pub(crate) base_path: String,
    /// The longest time that one watch lasts.
    pub(crate) max_watch: Duration,
    /// The seconds after which clients may poll an unfinished operation again.
    pub(crate) poll_hint: Option<u64>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            max_body: GatewayBuilder::DEFAULT_MAX_BODY,
            max_response: usize::MAX,
            max_timeout: None,
            ignore_unknown_fields: false,
            ignore_unknown_parameters: false,
            default_values: false,
            base_path: String::new(),
            max_watch: GatewayBuilder::DEFAULT_MAX_WATCH,
            poll_hint: None,
        }
    }
}
