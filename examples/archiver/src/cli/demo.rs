//! `archiver demo`: server and caller in one process, with real gRPC between them.

use std::net::{Ipv4Addr, SocketAddr};

use tokio::sync::oneshot;

use super::args::{CallTlsArgs, CreateArgs, DemoArgs, ServerArgs};
use super::{Failure, calls};
use crate::serve::{Server, ServerOptions};

pub(super) async fn run(args: &DemoArgs) -> Result<(), Failure> {
    let unusable = |error| Failure::new("cannot make a temporary folder", &error);
    let data = tempfile::Builder::new().prefix("archiver-demo-").tempdir();
    let data = data.map_err(unusable)?;
    let server = Server::bind(ServerOptions {
        listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
        ..ServerOptions::new(data.path())
    });
    let server = server.await?;
    let url = format!("http://{}", server.address());
    let (stop, stopped) = oneshot::channel::<()>();
    let serving = tokio::spawn(server.serve(async {
        // An error means that the caller has disconnected.
        let _ = stopped.await;
    }));
    let created = calls::create(CreateArgs {
        source_dir: args.source_dir.clone(),
        name: None,
        no_wait: false,
        server: ServerArgs {
            url,
            tls: CallTlsArgs::default(),
        },
    });
    let created = created.await;
    let _ = stop.send(());
    let served = serving.await;
    created?;
    served.map_err(|error| Failure::new("the server failed", &error))??;
    // The archive stays for inspection.
    let _kept = data.keep();
    Ok(())
}
