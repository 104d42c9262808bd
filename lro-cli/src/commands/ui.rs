//! `lro ui`: the operations of a server in a browser on this machine.

use lro_console::{Console, Remote};
use tokio::net::TcpListener;

use crate::args::Ui;
use crate::context::Context;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::inspection::Inspection;

pub(crate) async fn run(context: &Context, args: &Ui) -> Result<Exit, Failure> {
    if !args.listen.ip().to_canonical().is_loopback() {
        return Err(Failure::usage(format!(
            "refusing to listen on {}: each program that reaches it would act with your credentials",
            args.listen
        ))
        .advise("listen on 127.0.0.1 or [::1], and forward the port with ssh -L"));
    }
    let console = console(context, args).await?;
    let cannot = |error: std::io::Error| {
        Failure::new(
            Exit::Fault,
            format!("cannot listen on {}: {error}", args.listen),
        )
        .advise("choose another address with --listen, or a free port with port 0")
    };
    let listener = TcpListener::bind(args.listen).await.map_err(cannot)?;
    let address = listener.local_addr().map_err(cannot)?;
    let (console, link) = console.one_time_link();
    let terminal = &context.terminal;
    terminal.line(&format!("http://{address}/{link}"))?;
    terminal.say("Open this link in a browser: it works once. End with Ctrl-C.");
    let stop = async { drop(tokio::signal::ctrl_c().await) };
    console.serve(listener, stop).await.map_err(cannot)?;
    Ok(Exit::Done)
}

/// The console of the server, with all types that it reflects.
async fn console(context: &Context, args: &Ui) -> Result<Console, Failure> {
    let limit = context.settings.duration("rpc_timeout")?;
    let (_, has_reflection) = context.types.methods().await?;
    let mut remote = Remote::new(context.operations.clone()).timeout(limit);
    let terminal = &context.terminal;
    if Inspection::of(context).await?.is_some() {
        remote = remote.inspection(context.connection.service.clone());
    } else {
        terminal.note(
            "note: the server does not offer lro.v1.Inspection: no states of waiting, attempts, \
             counts, workers or resubmission; the page asks each 5 s",
        );
    }
    if crate::inspection::offers(context, crate::steps::SERVICE).await {
        remote = remote.steps(context.connection.service.clone());
    }
    if !has_reflection {
        terminal.note(
            "note: the server has no reflection: payloads are shown as bytes, unless \
             --descriptor-set describes them",
        );
    }
    let types = context.types.pool().encode_to_vec();
    let console = Console::of_remote(remote).file_descriptor_set(&types);
    let console = console.map_err(|error| Failure::new(Exit::Fault, error.to_string()))?;
    let console = console.title(context.server()).read_only(args.read_only);
    let parent = context.settings.text("parent").unwrap_or_default();
    match parent.parse::<lro_core::ParentPattern>() {
        Ok(parent) => Ok(console.parent(parent)),
        Err(error) => Err(context.settings.wrong("parent", parent, &error.to_string())),
    }
}
