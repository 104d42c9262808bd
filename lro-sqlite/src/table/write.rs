//! Changes and removals of records.

use lro_core::filter::nfc;
use lro_core::store::{OperationRecord, OperationState};
use rusqlite::{OptionalExtension as _, params};

use super::Table;
use crate::error::Fault;
use crate::row::{
    decode_labels, encode_any, encode_kind, encode_result, encode_steps, encode_worker, micros,
};
use crate::statement;

impl Table<'_> {
    /// Writes a lease that was extended.
    pub(crate) fn renew(&self, record: &OperationRecord) -> Result<(), Fault> {
        let time = micros(record.lease.as_ref().map(|lease| lease.expire_time));
        self.execute(statement::RENEW, params![record.uid.as_bytes(), time])?;
        Ok(())
    }

    /// Writes what may have changed of a record that has not ended and is as visible as before.
    pub(crate) fn advance(&self, record: &OperationRecord, new_state: bool) -> Result<(), Fault> {
        // The ready time changes only of what is pending, then or now.
        let moves = new_state || record.state == OperationState::Pending;
        let mut statement = self.0.prepare_cached(if moves {
            statement::ADVANCE_STATE
        } else {
            statement::ADVANCE
        })?;
        let lease = record.lease.as_ref();
        let values = params![
            record.uid.as_bytes(),
            record.revision.cast_signed(),
            record.attempt,
            record.fence.cast_signed(),
            encode_worker(record),
            lease.map(|lease| lease.expire_time.as_micros()),
            record.ready_time.as_micros(),
            micros(record.start_time),
            record.update_time.as_micros(),
            micros(record.cancel_time),
            encode_any(record.metadata.as_ref()),
            encode_any(record.checkpoint.as_ref()),
            record.losses,
            micros(record.attempt_time),
            record.history.encode(),
            encode_steps(record),
            record.state.as_number(),
        ];
        let taken = if moves {
            values
        } else {
            &values[..values.len() - 1]
        };
        statement.execute(taken)?;
        Ok(())
    }

    /// Writes what recorded or completed steps change of a record: its state and its lease stay.
    pub(crate) fn record_steps(&self, record: &OperationRecord) -> Result<(), Fault> {
        if record.state == OperationState::Pending {
            return self.advance(record, false);
        }
        self.execute(
            statement::RECORD,
            params![
                record.uid.as_bytes(),
                record.revision.cast_signed(),
                record.update_time.as_micros(),
                record.attempt,
                record.losses,
                encode_any(record.metadata.as_ref()),
                encode_steps(record),
            ],
        )?;
        Ok(())
    }

    /// Writes that a record was deleted before its end.
    pub(crate) fn hide(&self, record: &OperationRecord) -> Result<(), Fault> {
        self.execute(
            statement::HIDE,
            params![
                record.uid.as_bytes(),
                record.revision.cast_signed(),
                record.update_time.as_micros(),
                micros(record.delete_time),
                record.history.encode(),
            ],
        )?;
        Ok(())
    }

    /// Writes how a record ended.
    pub(crate) fn finish(&self, record: &OperationRecord) -> Result<(), Fault> {
        let result = record.result.as_ref();
        self.execute(
            statement::FINISH,
            params![
                record.uid.as_bytes(),
                record.state.as_number(),
                record.revision.cast_signed(),
                record.update_time.as_micros(),
                micros(record.cancel_time),
                micros(record.end_time),
                micros(record.expire_time),
                encode_any(record.metadata.as_ref()),
                encode_kind(result),
                encode_result(result),
                encode_worker(record),
                micros(record.attempt_time),
                record.history.encode(),
                record.attempt,
                record.losses,
                encode_steps(record),
            ],
        )?;
        Ok(())
    }

    /// Removes a record with its labels and steps, and its request where it is stored apart.
    pub(crate) fn remove(&self, uid: &[u8]) -> Result<(), Fault> {
        let mut statement = self.0.prepare_cached(statement::DEPENDENTS)?;
        let found = statement.query_row(params![uid], |row| {
            let labels = decode_labels(row.get_ref(2)?);
            Ok((row.get(0)?, row.get(1)?, labels, row.get(3)?))
        });
        let found: Option<(String, i64, _, bool)> = found.optional()?;
        if let Some((parent, create_time, labels, has_steps)) = found {
            if has_steps {
                self.remove_steps(uid)?;
            }
            // Of labels that cannot be read, what was written for lists stays: it leads nowhere.
            for (key, value) in labels.unwrap_or_default() {
                let label = params![parent, nfc(&key), nfc(&value), create_time, uid];
                self.execute(statement::REMOVE_LABEL, label)?;
            }
        }
        self.execute(statement::REMOVE, params![uid])?;
        Ok(())
    }
}
