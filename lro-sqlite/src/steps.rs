//! The table of steps.

use std::collections::HashMap;

use lro_core::store::{
    AppliedSteps, Child, Command, OperationRecord, StepKey, StepKind, StepQuery, StepRow,
    StepSummary, Update,
};
use rusqlite::{Row, params};
use uuid::Uuid;

use crate::error::Fault;
use crate::row::{Fields, blob, micros, number, text, time, unsigned};
use crate::table::Table;

macro_rules! columns {
    () => {
        "key, seq, kind, attempt, fence, sequential, begin_time, end_time, wake_time, value_kind, value, child"
    };
}

const GET: &str = concat!(
    "SELECT ",
    columns!(),
    " FROM step WHERE uid = ?1 AND epoch = ?2 AND key = ?3"
);

/// Those that callers gave: of kind 2 (a promise), by no run.
const GET_GIVEN: &str = concat!(
    "SELECT ",
    columns!(),
    " FROM step WHERE uid = ?1 AND epoch = ?2 AND kind = 2 AND fence = 0"
);

const PAGE: &str = concat!(
    "SELECT ",
    columns!(),
    " FROM step WHERE uid = ?1 AND epoch = ?2 AND seq > ?3 ORDER BY seq LIMIT ?4"
);

const PUT: &str = concat!(
    "INSERT OR REPLACE INTO step (uid, epoch, ",
    columns!(),
    ") VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14)"
);

const FORGET: &str = "DELETE FROM step WHERE uid = ?1 AND epoch = ?2 AND key = ?3";

/// A part of the rows of earlier epochs.
const SWEEP: &str = "DELETE FROM step WHERE uid = ?1 AND (epoch, key) IN \
     (SELECT epoch, key FROM step WHERE uid = ?1 AND epoch < ?2 LIMIT ?3)";

const REMOVE: &str = "DELETE FROM step WHERE uid = ?1";

/// Whether a command that leaves the state leaves the lease and the checkpoint too.
pub(crate) fn is_step_alone(command: &Command) -> bool {
    command.is_for_steps() && !matches!(command, Command::CheckpointAndForget { .. })
}

impl Table<'_> {
    /// The rows that an update needs to know, as far as there are any.
    pub(crate) fn steps_of(
        &self,
        record: &OperationRecord,
        update: &Update,
    ) -> Result<HashMap<StepKey, StepRow>, Fault> {
        let mut found = HashMap::new();
        let Some(summary) = &record.steps else {
            return Ok(found);
        };
        for key in update.step_keys() {
            if !found.contains_key(key)
                && let Some(row) = self.step(record, key)?
            {
                found.insert(key.clone(), row);
            }
        }
        if update.needs_given_steps() && summary.rows > 0 {
            let mut statement = self.0.prepare_cached(GET_GIVEN)?;
            let of = params![record.uid.as_bytes(), summary.epoch];
            for row in statement.query_and_then(of, decode)? {
                let row = row?;
                found.insert(row.key.clone(), row);
            }
        }
        Ok(found)
    }

    /// The row of this step in the present epoch.
    pub(crate) fn step(
        &self,
        record: &OperationRecord,
        key: &StepKey,
    ) -> Result<Option<StepRow>, Fault> {
        let Some(summary) = &record.steps else {
            return Ok(None);
        };
        let mut statement = self.0.prepare_cached(GET)?;
        let row = params![record.uid.as_bytes(), summary.epoch, key.as_str()];
        let mut rows = statement.query_and_then(row, decode)?;
        rows.next().transpose()
    }

    /// Writes what a command has done to the steps of this epoch, and of earlier ones.
    pub(crate) fn write_steps(
        &self,
        uid: Uuid,
        epoch: u32,
        applied: &AppliedSteps,
    ) -> Result<(), Fault> {
        if applied.sweeps {
            let swept = params![uid.as_bytes(), epoch, StepSummary::SWEPT];
            self.execute(SWEEP, swept)?;
        }
        for key in &applied.removed {
            self.execute(FORGET, params![uid.as_bytes(), epoch, key.as_str()])?;
        }
        let mut statement = self.0.prepare_cached(PUT)?;
        for row in &applied.written {
            let (value_kind, value) = row.encode_value().unzip();
            statement.execute(params![
                uid.as_bytes(),
                epoch,
                row.key.as_str(),
                row.seq.cast_signed(),
                row.kind.as_number(),
                row.attempt,
                row.fence.cast_signed(),
                row.sequential,
                row.begin_time.as_micros(),
                micros(row.end_time),
                micros(row.wake_time),
                value_kind,
                value,
                row.child.as_deref().map(Child::encode),
            ])?;
        }
        Ok(())
    }

    /// A page of the rows of an operation.
    pub(crate) fn step_page(&self, query: &StepQuery) -> Result<Vec<StepRow>, Fault> {
        let mut statement = self.0.prepare_cached(PAGE)?;
        let after = i64::try_from(query.after_seq).unwrap_or(i64::MAX);
        let limit = i64::try_from(query.limit).unwrap_or(i64::MAX);
        let page = params![query.uid.as_bytes(), query.epoch, after, limit];
        let mut len = 0;
        let mut rows = Vec::new();
        for row in statement.query_and_then(page, decode)? {
            let row = row?;
            len += row.encoded_len();
            if len > query.max_bytes && !rows.is_empty() {
                break;
            }
            rows.push(row);
        }
        Ok(rows)
    }

    pub(crate) fn remove_steps(&self, uid: &[u8]) -> Result<(), Fault> {
        self.execute(REMOVE, params![uid])?;
        Ok(())
    }
}

fn decode(row: &Row<'_>) -> Result<StepRow, Fault> {
    let mut fields = Fields::new(row);
    decode_fields(&mut fields).map_err(|fault| match fault {
        Fault::Row(message) => {
            let key = row.get_ref(0).ok().and_then(|value| value.as_str().ok());
            let key = key.unwrap_or("?");
            Fault::row(format!("step `{key}` cannot be read: {message}"))
        }
        fault => fault,
    })
}

fn decode_fields(fields: &mut Fields<'_>) -> Result<StepRow, Fault> {
    let mut row = StepRow {
        key: fields.required(|value| text(value)?.parse().ok())?,
        seq: fields.required(unsigned)?,
        kind: fields.required(|value| StepKind::from_number(number(value)?))?,
        attempt: fields.required(number)?,
        fence: fields.required(unsigned)?,
        sequential: fields.required(|value| Some(number::<u8>(value)? != 0))?,
        begin_time: fields.required(time)?,
        end_time: fields.optional(time)?,
        wake_time: fields.optional(time)?,
        outcome: None,
        last_error: None,
        child: None,
    };
    if let Some(kind) = fields.optional(number)? {
        let value = |value| StepRow::decode_value(kind, blob(value)?);
        (row.outcome, row.last_error) = fields.required(value)?;
    } else {
        fields.optional(|_| None::<()>)?;
    }
    row.child = fields
        .optional(|value| Child::decode(blob(value)?))?
        .map(Box::new);
    if row.is_whole() {
        Ok(row)
    } else {
        Err(Fault::row("its columns contradict each other"))
    }
}
