use std::time::Duration;

use lro_client::OperationsClient;
use tonic::transport::{Certificate, Channel, ClientTlsConfig, Endpoint, Identity};

use crate::cli::args::{CallTlsArgs, ServerArgs};
use crate::cli::{Failure, files};
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
        let mut endpoint = endpoint.map_err(|error| Failure::new(&what, &error))?;
        if endpoint.uri().scheme_str() == Some("https") {
            let secured = endpoint.tls_config(tls(&server.tls)?);
            endpoint = secured.map_err(|error| Failure::new(&what, &error))?;
        }
        let channel = endpoint.connect_timeout(CONNECT_TIMEOUT).connect().await;
        let channel = channel.map_err(|error| Failure::new(&what, &error))?;
        Ok(Self {
            archiver: ArchiverClient::new(channel.clone()),
            operations: OperationsClient::new(channel),
        })
    }
}

fn tls(args: &CallTlsArgs) -> Result<ClientTlsConfig, Failure> {
    let mut tls = ClientTlsConfig::new();
    if let Some(ca) = &args.server_ca {
        tls = tls.ca_certificate(Certificate::from_pem(files::read(ca)?));
    }
    if let (Some(certificate), Some(key)) = (&args.client_cert, &args.client_key) {
        let identity = Identity::from_pem(files::read(certificate)?, files::read(key)?);
        tls = tls.identity(identity);
    }
    Ok(tls)
}
