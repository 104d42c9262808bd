//! The owner and the version of a file.

use std::path::Path;

use lro_core::store::kit::new_page_token_key;
use lro_core::store::{StoreError, StoreErrorKind};
use rusqlite::{Connection, TransactionBehavior};

use crate::error::Fault;
use crate::row::decode_labels;
use crate::table::Table;

/// `LROS`, where SQLite files say whose they are.
pub(crate) const APPLICATION_ID: i32 = 0x4c52_4f53;

/// Step n takes the file from version n to version n + 1. None is ever edited.
const MIGRATIONS: [Step; 8] = [
    (include_str!("migrations/1_operation.sql"), |_| Ok(())),
    (include_str!("migrations/2_list_order.sql"), fill_labels),
    (
        include_str!("migrations/3_secret.sql"),
        create_page_token_key,
    ),
    (include_str!("migrations/4_losses.sql"), |_| Ok(())),
    (include_str!("migrations/5_history.sql"), |_| Ok(())),
    (include_str!("migrations/6_steps.sql"), |_| Ok(())),
    (include_str!("migrations/7_far.sql"), |_| Ok(())),
    (include_str!("migrations/8_children.sql"), |_| Ok(())),
];

/// Statements, and what they cannot say.
type Step = (&'static str, fn(&Connection) -> Result<(), Fault>);

/// Refuses a file that is not ours, without changing it.
pub(crate) fn check(connection: &Connection, path: &Path) -> Result<(), StoreError> {
    let fault = |error| Fault::from(error).to_error(path);
    let unusable = |message| Err(StoreError::new(StoreErrorKind::Unusable, message));
    let path_text = path.display();
    let owner: i32 = pragma(connection, "application_id").map_err(fault)?;
    let version = version(connection).map_err(fault)?;
    let is_empty = connection
        .query_row("SELECT count(*) = 0 FROM sqlite_schema", (), |row| {
            row.get(0)
        })
        .map_err(fault)?;
    if owner != APPLICATION_ID && !(is_empty && owner == 0 && version == 0) {
        return unusable(format!(
            "`{path_text}` is a database of another program: give the store its own file"
        ));
    }
    if version < 0 || version as usize > MIGRATIONS.len() {
        return unusable(format!(
            "`{path_text}` has schema version {version}, and this program knows versions up to \
             {known}: it was written by a newer one; use that, or a copy made before it",
            known = MIGRATIONS.len()
        ));
    }
    Ok(())
}

/// Brings the file to the newest version, one transaction a step.
pub(crate) fn migrate(connection: &mut Connection) -> Result<(), Fault> {
    loop {
        // Read again in the transaction: what was checked may be old.
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let version = version(&transaction)?;
        let Some((sql, fill)) = usize::try_from(version)
            .ok()
            .and_then(|v| MIGRATIONS.get(v))
        else {
            return Ok(());
        };
        transaction.execute_batch(sql)?;
        fill(&transaction)?;
        transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
        transaction.pragma_update(None, "user_version", version + 1)?;
        transaction.commit()?;
    }
}

/// Labels of operations that are there already.
fn fill_labels(connection: &Connection) -> Result<(), Fault> {
    let table = Table(connection);
    let all = "SELECT uid, parent, create_time, labels FROM operation WHERE labels IS NOT NULL";
    let mut statement = connection.prepare(all)?;
    let mut rows = statement.query(())?;
    while let Some(row) = rows.next()? {
        let (uid, parent): (Vec<u8>, String) = (row.get(0)?, row.get(1)?);
        // A corrupt row is left alone: reads of it fail.
        let labels = decode_labels(row.get_ref(3)?).unwrap_or_default();
        table.insert_labels(&uid, &parent, row.get(2)?, &labels)?;
    }
    Ok(())
}

fn create_page_token_key(connection: &Connection) -> Result<(), Fault> {
    let key = new_page_token_key()
        .map_err(|error| rusqlite::Error::ToSqlConversionFailure(Box::new(error)))?;
    Table(connection).insert_page_token_key(&key)
}

fn version(connection: &Connection) -> Result<i32, rusqlite::Error> {
    pragma(connection, "user_version")
}

fn pragma(connection: &Connection, name: &str) -> Result<i32, rusqlite::Error> {
    connection.pragma_query_value(None, name, |row| row.get(0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::row::encode_labels;

    #[test]
    fn labels_of_operations_that_are_there_are_found_by_lists_after_the_migration() {
        let mut connection = Connection::open_in_memory().unwrap();
        connection.execute_batch(MIGRATIONS[0].0).unwrap();
        connection.pragma_update(None, "user_version", 1).unwrap();
        let labels = [("env", "prod"), ("e\u{301}", "\u{212a}")];
        let labels = labels.map(|(key, value)| (key.to_owned(), value.to_owned()));
        for (uid, labels) in [
            (1, encode_labels(&labels.into())),
            (2, None),
            (3, Some(vec![0xff])),
        ] {
            let sql = "INSERT INTO operation (uid, name, parent, method, state, revision, attempt, \
                 fence, max_attempts, on_crash, retain_seconds, retain_nanos, create_time, \
                 ready_time, update_time, labels) \
                 VALUES (?1, hex(?1), 'p', 'm', 0, 1, 0, 0, 1, 0, 1, 0, 7, 7, 7, ?2)";
            let uid = vec![b'0' + uid];
            connection.execute(sql, (uid, labels)).unwrap();
        }
        migrate(&mut connection).unwrap();
        let mut statement = connection
            .prepare("SELECT parent || key || value || create_time || hex(uid) FROM label")
            .unwrap();
        let found = statement.query_map((), |row| row.get::<_, String>(0));
        let found: Vec<_> = found.unwrap().map(Result::unwrap).collect();
        assert_eq!(found, ["penvprod731", "p\u{e9}K731"]);
    }
}
