//! The subcommands that call a server.

mod connection;
mod watch;

use std::path::Path;

use lro_client::lro_core::{Operation, pb::Operation as WireOperation, type_name};
use lro_client::{IntoPoller as _, ListOptions, Poller};
use prost::Name;
use uuid::Uuid;

use super::args::{CreateArgs, ServerArgs};
use super::progress::Describe as _;
use super::{Failure, output};
use crate::pb::{
    Archive, CreateArchiveMetadata, CreateArchiveRequest, DeleteArchiveMetadata,
    DeleteArchiveRequest, GetArchiveRequest, ListArchivesRequest, VerifyArchiveMetadata,
    VerifyArchiveRequest, VerifyArchiveResponse,
};
use connection::Connection;
use watch::watch;

pub(super) async fn create(args: CreateArgs) -> Result<(), Failure> {
    let request = CreateArchiveRequest {
        source_directory: absolute(&args.source_dir)?,
        archive_id: args.name.unwrap_or_default(),
        request_id: Uuid::new_v4().to_string(),
    };
    let mut server = Connection::open(&args.server).await?;
    let operation = server.archiver.create_archive(request).await?.into_inner();
    if args.no_wait {
        return output::print(operation.name());
    }
    let archive = watch(operation.into_poller(&server.operations)).await?;
    output::print(&output::archive(&archive))
}

pub(super) async fn verify(archive: &str, server: &ServerArgs) -> Result<(), Failure> {
    let name = archive_name(archive);
    let mut server = Connection::open(server).await?;
    let request = VerifyArchiveRequest { name };
    let operation = server.archiver.verify_archive(request).await?;
    let verified = watch(operation.into_poller(&server.operations)).await?;
    output::print(&output::verified(&verified))
}

pub(super) async fn delete(archive: &str, server: &ServerArgs) -> Result<(), Failure> {
    let name = archive_name(archive);
    let mut server = Connection::open(server).await?;
    let request = DeleteArchiveRequest { name: name.clone() };
    let operation = server.archiver.delete_archive(request).await?;
    watch(operation.into_poller(&server.operations)).await?;
    output::print(&format!("deleted {name}"))
}

pub(super) async fn wait(name: &str, server: &ServerArgs) -> Result<(), Failure> {
    let server = Connection::open(server).await?;
    let operation = server.operations.get(name).await?;
    match Kind::of(&operation)? {
        Kind::Create => {
            let poller = Poller::<Archive, CreateArchiveMetadata>::resume(name, &server.operations);
            output::print(&output::archive(&watch(poller).await?))
        }
        Kind::Verify => {
            let poller = Poller::<VerifyArchiveResponse, VerifyArchiveMetadata>::resume(
                name,
                &server.operations,
            );
            output::print(&output::verified(&watch(poller).await?))
        }
        Kind::Delete => {
            let poller = Poller::<(), DeleteArchiveMetadata>::resume(name, &server.operations);
            watch(poller).await?;
            output::print(&format!("{name} is done"))
        }
    }
}

pub(super) async fn get(name: &str, server: &ServerArgs) -> Result<(), Failure> {
    let is_operation = name.starts_with("operations/");
    let mut server = Connection::open(server).await?;
    if is_operation {
        let operation = server.operations.get(name).await?;
        return output::print(&operation_line(operation)?);
    }
    let name = archive_name(name);
    let archive = server.archiver.get_archive(GetArchiveRequest { name });
    output::print(&output::archive(&archive.await?.into_inner()))
}

pub(super) async fn list_archives(server: &ServerArgs) -> Result<(), Failure> {
    let mut server = Connection::open(server).await?;
    let mut request = ListArchivesRequest::default();
    loop {
        let page = server.archiver.list_archives(request.clone()).await?;
        let page = page.into_inner();
        for archive in &page.archives {
            output::print(&output::archive_line(archive))?;
        }
        request.page_token = page.next_page_token;
        if request.page_token.is_empty() {
            return Ok(());
        }
    }
}

pub(super) async fn list_operations(server: &ServerArgs) -> Result<(), Failure> {
    let server = Connection::open(server).await?;
    let mut options = ListOptions::default();
    loop {
        let page = server.operations.list("operations", &options).await?;
        for operation in page.operations {
            output::print(&operation_line(operation)?)?;
        }
        options.page_token = page.next_page_token;
        if options.page_token.is_empty() {
            return Ok(());
        }
    }
}

pub(super) async fn cancel(name: &str, server: &ServerArgs) -> Result<(), Failure> {
    let server = Connection::open(server).await?;
    server.operations.cancel(name).await?;
    output::print(&format!("asked to cancel {name}"))
}

/// Which rpc has started an operation.
#[derive(Clone, Copy)]
enum Kind {
    Create,
    Verify,
    Delete,
}

impl Kind {
    fn of(operation: &WireOperation) -> Result<Self, Failure> {
        let type_url = operation.metadata.as_ref().map(|it| &*it.type_url);
        let found = type_name(type_url.unwrap_or_default());
        let kinds = [
            (CreateArchiveMetadata::full_name(), Self::Create),
            (VerifyArchiveMetadata::full_name(), Self::Verify),
            (DeleteArchiveMetadata::full_name(), Self::Delete),
        ];
        let kind = kinds.into_iter().find(|(name, _)| name == found);
        kind.map(|(_, kind)| kind).ok_or_else(|| {
            Failure::message(format!("{} is no operation of archives", operation.name))
        })
    }
}

/// An operation in one line: name, archive, how far it is or how it ended.
fn operation_line(operation: WireOperation) -> Result<String, Failure> {
    let kind = Kind::of(&operation)?;
    let wire = operation.clone();
    let name = operation.name.clone();
    let (archive, stage) = match kind {
        Kind::Create => {
            let metadata = metadata::<CreateArchiveMetadata>(operation)?;
            (metadata.archive.clone(), metadata.stage())
        }
        Kind::Verify => {
            let metadata = metadata::<VerifyArchiveMetadata>(operation)?;
            (metadata.archive.clone(), metadata.stage())
        }
        Kind::Delete => {
            let metadata = metadata::<DeleteArchiveMetadata>(operation)?;
            (metadata.archive.clone(), metadata.stage())
        }
    };
    let untyped = Operation::<(), ()>::from(wire);
    let state = match (untyped.done(), untyped.error()) {
        (false, _) => stage.to_string(),
        (true, None) => "done".to_owned(),
        (true, Some(error)) => format!("failed: {}", error.message.escape_debug()),
    };
    Ok(format!("{name}  {archive}  {state}"))
}

fn metadata<M: prost::Message + Name + Default + 'static>(
    operation: WireOperation,
) -> Result<M, Failure> {
    let name = operation.name.clone();
    let metadata = Operation::<(), M>::from(operation).metadata();
    let unreadable = |error| Failure::new(&format!("cannot read the metadata of {name}"), &error);
    Ok(metadata.map_err(unreadable)?.unwrap_or_default())
}

fn archive_name(name: &str) -> String {
    match name.contains('/') {
        true => name.to_owned(),
        false => format!("archives/{name}"),
    }
}

fn absolute(path: &Path) -> Result<String, Failure> {
    let what = || format!("cannot use the path {}", path.display());
    let path = std::path::absolute(path).map_err(|error| Failure::new(&what(), &error))?;
    path.into_os_string().into_string().map_err(|path| {
        let path = path.to_string_lossy();
        Failure::message(format!("cannot use the path {path}: it is not UTF-8"))
    })
}
