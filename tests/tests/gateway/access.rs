//! The access tests of `lro-server`, over HTTP/JSON: the same calls and the same expectations.

#[path = "../../../lro-server/tests/it/access/authorizing.rs"]
mod authorizing;
#[path = "../../../lro-server/tests/it/access/bindings.rs"]
mod bindings;
#[path = "../../../lro-server/tests/it/access/errors.rs"]
mod errors;
#[path = "../../../lro-server/tests/it/access/fixture.rs"]
pub(crate) mod fixture;
#[path = "../../../lro-server/tests/it/access/isolation.rs"]
mod isolation;
#[path = "../../../lro-server/tests/it/access/jwt.rs"]
mod jwt;
#[path = "../../../lro-server/tests/it/access/owners.rs"]
mod owners;
#[path = "../../../lro-server/tests/it/access/pages.rs"]
mod pages;
#[path = "../../../lro-server/tests/it/access/principals.rs"]
mod principals;
mod transport;
#[path = "../../../lro-server/tests/it/access/wire.rs"]
mod wire;
