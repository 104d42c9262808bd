//! The database: connections, transactions, statements, rows and the schema.

pub(crate) mod batch;
pub(crate) mod database;
#[cfg(test)]
mod plans;
pub(crate) mod row;
pub(crate) mod schema;
pub(crate) mod secret;
pub(crate) mod statement;
pub(crate) mod step;
pub(crate) mod text;
pub(crate) mod tls;
