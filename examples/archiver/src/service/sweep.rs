//! Removes what no operation will finish.

use std::collections::HashSet;

use lro_core::{ListOptions, Operation, ParentPattern};
use lro_server::Operations;
use tonic::Status;

use super::blocking;
use crate::archive::Error;
use crate::catalog::Catalog;
use crate::pb::{Archive, CreateArchiveMetadata, DeleteArchiveMetadata};
use crate::reason::engine_failed;

const PAGE_SIZE: i32 = 1_000;

/// An archive that is begun is kept while an operation that works on it has not ended. An operation
/// that runs, but that was deleted and so is not listed, holds a reservation.
pub(super) async fn run(operations: &Operations, catalog: &Catalog) -> Result<(), Status> {
    let find = catalog.clone();
    let unfinished = blocking(move || find.unfinished()).await;
    let mut unfinished = unfinished.map_err(|error| engine_failed(&error))?;
    if unfinished.is_empty() {
        return Ok(());
    }
    let worked_on = worked_on(operations).await?;
    unfinished.retain(|id| !worked_on.contains(&id.name()));
    let catalog = catalog.clone();
    let removed = blocking(move || {
        for id in &unfinished {
            let Some(reservation) = catalog.reserve(id) else {
                continue;
            };
            // Meanwhile it may have become a complete archive.
            if catalog.find(id)?.is_none() {
                tracing::info!(%id, "removed an abandoned archive");
                catalog.remove(&reservation)?;
            }
        }
        Ok(())
    });
    removed.await.map_err(|error: Error| engine_failed(&error))
}

/// The archives that operations work on which have not ended.
async fn worked_on(operations: &Operations) -> Result<HashSet<String>, Status> {
    let mut names = HashSet::new();
    let mut page_token = String::new();
    loop {
        let options = ListOptions::new().page_size(PAGE_SIZE);
        let options = options.page_token(page_token);
        let page = operations.list(ParentPattern::default(), &options).await?;
        for operation in page.operations.into_iter().filter(|it| !it.done) {
            names.extend(archive_of(operation.into()));
        }
        page_token = page.next_page_token;
        if page_token.is_empty() {
            return Ok(names);
        }
    }
}

fn archive_of(operation: Operation<Archive, CreateArchiveMetadata>) -> Option<String> {
    // Of another type is what another method's metadata is.
    if let Ok(metadata) = operation.metadata() {
        return metadata.map(|it| it.archive);
    }
    let operation = Operation::<(), DeleteArchiveMetadata>::from(operation.into_inner());
    operation.metadata().ok().flatten().map(|it| it.archive)
}
