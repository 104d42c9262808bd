//! A step as a row.

use lro_core::store::{Child, StepKind, StepRow};
use tokio_postgres::Row;

use crate::error::Fault;
use crate::sql::row::{Fields, small, time, unsigned};

/// Reads the columns of a step.
pub(crate) fn decode_step(row: &Row) -> Result<StepRow, Fault> {
    let mut fields = Fields::new(row);
    step(&mut fields).map_err(|fault| match fault {
        Fault::Row(message) => {
            let key = row.try_get::<_, &str>(0).unwrap_or("?");
            Fault::row(format!("step `{key}` cannot be read: {message}"))
        }
        fault => fault,
    })
}

fn step(fields: &mut Fields<'_>) -> Result<StepRow, Fault> {
    let mut row = StepRow {
        key: fields.read(|key: &str| key.parse().ok())?,
        seq: fields.read(unsigned)?,
        kind: fields.read(|kind: i16| StepKind::from_number(kind.try_into().ok()?))?,
        attempt: fields.read(small)?,
        fence: fields.read(unsigned)?,
        sequential: fields.get()?,
        begin_time: fields.read(time)?,
        end_time: fields.time()?,
        wake_time: fields.time()?,
        outcome: None,
        last_error: None,
        child: None,
    };
    if let Some(kind) = fields.read_optional(|kind: i16| u8::try_from(kind).ok())? {
        let value = |bytes: &[u8]| StepRow::decode_value(kind, bytes);
        (row.outcome, row.last_error) = fields.read(value)?;
    } else {
        fields.read_optional(|_: &[u8]| None::<()>)?;
    }
    row.child = fields.read_optional(Child::decode)?.map(Box::new);
    if row.is_whole() {
        Ok(row)
    } else {
        Err(Fault::row("its columns contradict each other"))
    }
}
