use std::time::Duration;

use lro_client::OperationsClient;
use tonic::transport::{Channel, Endpoint};

use crate::cli::Failure;
use crate::cli::args::ServerArgs;
use crate::pb::archiver_client::ArchiverClient;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// The clients of a server that was reached.
pub(super) struct Connection {
    pub(super) archiver: ArchiverClient<Channel>,
    pub(super) operations: OperationsClient,
}

impl Connection {
    pub(super) async fn open(server: &ServerArgs) -> Result<Self, Failure> {
        let url = &server.url;
        let what = format!("cannot reach a server at {url}");
        let endpoint = Endpoint::from_shared(url.clone());
        let endpoint = endpoint.map_err(|error| Failure::new(&what, &error))?;
        let channel = endpoint.connect_timeout(CONNECT_TIMEOUT).connect().await;
        let channel = channel.map_err(|error| Failure::new(&what, &error))?;
        Ok(Self {
            archiver: ArchiverClient::new(channel.clone()),
            operations: OperationsClient::new(channel),
        })
    }
}
