//! `archiver serve`.

use lro_server::serve::Tls;
use tokio::signal::unix::{SignalKind, signal};

use super::args::{ServeArgs, ServeTlsArgs};
use super::{Failure, files, output};
use crate::archive::Options;
use crate::serve::{Server, ServerOptions};

pub(super) async fn run(args: ServeArgs) -> Result<(), Failure> {
    let listening = |error| Failure::new("cannot hear signals", &error);
    let mut terminate = signal(SignalKind::terminate()).map_err(listening)?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(listening)?;
    let defaults = Options::default();
    let server = Server::bind(ServerOptions {
        listen: args.listen,
        data: args.data,
        drain_timeout: args.drain_timeout,
        tls: tls(&args.tls)?,
        console: args.console,
        pack: Options {
            frame_bytes: args.pack.frame_bytes.unwrap_or(defaults.frame_bytes),
            ..defaults
        },
    });
    let server = server.await?;
    output::print(&format!("listening on {}", server.address()))?;
    if let Some(address) = server.console_address() {
        output::print(&format!("console on http://{address}/"))?;
    }
    let shutdown = async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    };
    Ok(server.serve(shutdown).await?)
}

fn tls(args: &ServeTlsArgs) -> Result<Option<Tls>, Failure> {
    let (Some(certificate), Some(key)) = (&args.tls_cert, &args.tls_key) else {
        return Ok(None);
    };
    let tls = Tls::from_pem(files::read(certificate)?, files::read(key)?);
    Ok(Some(match &args.client_ca {
        Some(ca) => tls.client_ca(files::read(ca)?),
        None => tls,
    }))
}
