//! ListArchives, with the paging of AIP-158.

use tonic::Status;

use super::blocking;
use crate::catalog::{ArchiveId, Catalog};
use crate::pb;
use crate::reason::{engine_failed, invalid_field};

const PAGE_SIZE_DEFAULT: usize = 50;
const PAGE_SIZE_MAX: usize = 1_000;

/// The beginning of a token, so that other texts are not taken for one.
const TOKEN_PREFIX: &str = "archives after ";

pub(super) async fn run(
    catalog: &Catalog,
    request: &pb::ListArchivesRequest,
) -> Result<pb::ListArchivesResponse, Status> {
    let limit = match usize::try_from(request.page_size) {
        Ok(0) => PAGE_SIZE_DEFAULT,
        Ok(size) => size.min(PAGE_SIZE_MAX),
        Err(_) => {
            let message = "is negative; leave it at 0 for the default";
            return Err(invalid_field("page_size", message));
        }
    };
    let after = match &*request.page_token {
        "" => None,
        token => Some(decode(token).ok_or_else(|| {
            let message = "is not a token of this list; ask for its first page again";
            invalid_field("page_token", message)
        })?),
    };
    let catalog = catalog.clone();
    let page = blocking(move || catalog.list(after.as_ref(), limit)).await;
    let page = page.map_err(|error| engine_failed(&error))?;
    Ok(pb::ListArchivesResponse {
        archives: page.archives,
        next_page_token: page.next.as_ref().map(encode).unwrap_or_default(),
    })
}

fn encode(id: &ArchiveId) -> String {
    hex::encode(format!("{TOKEN_PREFIX}{id}"))
}

fn decode(token: &str) -> Option<ArchiveId> {
    let text = String::from_utf8(hex::decode(token).ok()?).ok()?;
    ArchiveId::new(text.strip_prefix(TOKEN_PREFIX)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_come_back_and_others_are_refused() {
        let id = ArchiveId::new("a-1").unwrap();
        assert_eq!(decode(&encode(&id)), Some(id));
        for token in ["x", "00", "a-1", &hex::encode("a-1")] {
            assert_eq!(decode(token), None);
        }
    }
}
