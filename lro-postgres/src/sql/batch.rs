//! Records as arrays, a column each: what UNNEST makes rows of.

use std::time::Duration;

use lro_core::Timestamp;
use lro_core::filter::nfc;
use lro_core::store::{
    Child, OperationRecord, StepKey, StepRow, StepSummary, StepWake, StepWrite, WorkerId,
};
use prost::Message as _;
use tokio_postgres::types::{ToSql, Type};
use uuid::Uuid;

use crate::group::ends::End;
use crate::group::recordings::Recording;
use crate::sql::database::Query;
use crate::sql::row::{
    encode_any, encode_kind, encode_labels, encode_origin, encode_result, encode_state,
    exclusive_digest, ready_time, request_digest, suspect_time,
};
use crate::sql::text::escape;

/// Arrays of one length, each with its type.
#[derive(Default)]
pub(crate) struct Columns(Vec<(Box<dyn ToSql + Sync + Send>, Type)>);

impl Columns {
    fn add<T>(&mut self, of: Type, values: Vec<T>)
    where
        Vec<T>: ToSql + Sync + Send + 'static,
    {
        self.0.push((Box::new(values), of));
    }

    fn integers<T>(&mut self, rows: &[T], value: impl Fn(&T) -> i64) {
        self.add(Type::INT8_ARRAY, rows.iter().map(value).collect());
    }

    fn times<T>(&mut self, rows: &[T], value: impl Fn(&T) -> Option<Timestamp>) {
        let micros = |row| value(row).map(Timestamp::as_micros);
        self.add(Type::INT8_ARRAY, rows.iter().map(micros).collect());
    }

    fn texts<T>(&mut self, rows: &[T], value: impl Fn(&T) -> Option<String>) {
        self.add(Type::TEXT_ARRAY, rows.iter().map(value).collect());
    }

    fn bytes<T>(&mut self, rows: &[T], value: impl Fn(&T) -> Option<Vec<u8>>) {
        self.add(Type::BYTEA_ARRAY, rows.iter().map(value).collect());
    }

    /// The values of steps: two columns.
    fn values<'r>(&mut self, rows: impl Iterator<Item = &'r StepRow>) {
        let values = rows.map(|row| row.encode_value().unzip());
        let (kinds, values): (Vec<_>, Vec<_>) = values.unzip();
        let kinds = kinds.into_iter().map(|kind| kind.map(i16::from));
        self.add::<Option<i16>>(Type::INT2_ARRAY, kinds.collect());
        self.add::<Option<Vec<u8>>>(Type::BYTEA_ARRAY, values);
    }

    /// A statement that takes these arrays as its parameters.
    pub(crate) fn query(&self, sql: &'static str) -> Query<'_> {
        let params = self.0.iter();
        Query {
            sql,
            params: params
                .map(|(values, of)| (&**values as &(dyn ToSql + Sync), of.clone()))
                .collect(),
        }
    }
}

/// The parameters of [`statement::INSERT`] and of [`statement::INSERT_NOW`].
pub(crate) fn new_records(records: &[&OperationRecord]) -> Columns {
    let mut columns = Columns::default();
    columns.add(Type::UUID_ARRAY, records.iter().map(|r| r.uid).collect());
    columns.integers(records, |r| r.revision.cast_signed());
    columns.integers(records, |r| i64::from(r.attempt));
    columns.integers(records, |r| r.fence.cast_signed());
    columns.integers(records, |r| i64::from(r.policy.max_attempts));
    columns.integers(records, |r| r.policy.retain.as_secs().cast_signed());
    columns.times(records, |r| Some(r.create_time));
    columns.times(records, |r| Some(r.ready_time));
    columns.times(records, |r| Some(r.update_time));
    columns.times(records, |r| r.start_time);
    columns.times(records, |r| r.end_time);
    columns.times(records, |r| r.expire_time);
    columns.times(records, |r| r.lease.as_ref().map(|l| l.expire_time));
    let workers = records.iter().map(|r| worker(r)).collect();
    columns.add::<Option<Uuid>>(Type::UUID_ARRAY, workers);
    // Below a thousand million: it fits.
    let nanos = |r: &&OperationRecord| r.policy.retain.subsec_nanos().cast_signed();
    columns.add(Type::INT4_ARRAY, records.iter().map(nanos).collect());
    let states = records.iter().map(|r| encode_state(r.state)).collect();
    columns.add::<i16>(Type::INT2_ARRAY, states);
    let on_crash = |r: &&OperationRecord| i16::from(r.policy.on_crash.as_number());
    columns.add(Type::INT2_ARRAY, records.iter().map(on_crash).collect());
    let kind = |r: &&OperationRecord| encode_kind(r.result.as_ref());
    columns.add(Type::INT2_ARRAY, records.iter().map(kind).collect());
    columns.texts(records, |r| Some(r.name.as_str().to_owned()));
    columns.texts(records, |r| Some(r.name.parent().to_owned()));
    columns.texts(records, |r| Some(escape(&r.method).into_owned()));
    columns.texts(records, |r| {
        Some(escape(&r.request_id.as_ref()?.id).into_owned())
    });
    columns.texts(records, |r| {
        Some(escape(r.exclusive_key.as_ref()?).into_owned())
    });
    columns.bytes(records, |r| digest(r));
    columns.bytes(records, |r| {
        Some(r.request_id.as_ref()?.fingerprint.to_vec())
    });
    columns.bytes(records, |r| {
        r.exclusive_key.as_deref().map(exclusive_digest)
    });
    columns.bytes(records, |r| encode_labels(&r.labels));
    columns.bytes(records, |r| encode_origin(&r.origin));
    columns.bytes(records, |r| encode_any(r.metadata.as_ref()));
    columns.bytes(records, |r| encode_result(r.result.as_ref()));
    columns.bytes(records, |r| Some(r.request.encode_to_vec()));
    columns
}

/// The parameters of [`statement::INSERT_CHILDREN`].
pub(crate) fn new_children(records: &[&OperationRecord]) -> Columns {
    let mut columns = new_records(records);
    columns.bytes(records, |r| Some(r.parent_step.as_deref()?.encode()));
    columns.texts(records, |r| {
        // In the form in which filters compare it: it serves lists.
        Some(nfc(r.parent_step.as_deref()?.operation.as_str()).into_owned())
    });
    columns
}

/// The digest that identifies repetitions of this start, if it has a request id.
pub(crate) fn digest(record: &OperationRecord) -> Option<Vec<u8>> {
    let id = &record.request_id.as_ref()?.id;
    Some(request_digest(&record.method, record.name.parent(), id))
}

/// A record that commands have changed, as [`decode_head`](crate::sql::row::decode_head) read it.
#[derive(Debug)]
pub(crate) struct Changed<'r> {
    pub(crate) record: &'r OperationRecord,
    /// Whether its metadata is another than before.
    pub(crate) metadata: bool,
}

/// The parameters of [`statement::ADVANCE`].
pub(crate) fn changed_records(records: &[Changed<'_>]) -> Columns {
    let mut columns = Columns::default();
    columns.add(
        Type::UUID_ARRAY,
        records.iter().map(|c| c.record.uid).collect(),
    );
    columns.integers(records, |c| c.record.revision.cast_signed());
    columns.integers(records, |c| i64::from(c.record.attempt));
    columns.integers(records, |c| c.record.fence.cast_signed());
    columns.integers(records, |c| ready_time(c.record));
    columns.times(records, |c| Some(c.record.update_time));
    columns.times(records, |c| c.record.start_time);
    columns.times(records, |c| c.record.cancel_time);
    columns.times(records, |c| c.record.delete_time);
    columns.times(records, |c| c.record.end_time);
    columns.times(records, |c| c.record.expire_time);
    columns.times(records, |c| c.record.lease.as_ref().map(|l| l.expire_time));
    let workers = records.iter().map(|c| worker(c.record)).collect();
    columns.add::<Option<Uuid>>(Type::UUID_ARRAY, workers);
    let states = records
        .iter()
        .map(|c| encode_state(c.record.state))
        .collect();
    columns.add::<i16>(Type::INT2_ARRAY, states);
    let kind = |c: &Changed<'_>| encode_kind(c.record.result.as_ref());
    columns.add(Type::INT2_ARRAY, records.iter().map(kind).collect());
    // NULL: as it was, or, when the operation has ended, none.
    let metadata = |c: &Changed<'_>| encode_any(c.record.metadata.as_ref().filter(|_| c.metadata));
    columns.bytes(records, metadata);
    columns.bytes(records, |c| encode_any(c.record.checkpoint.as_ref()));
    columns.bytes(records, |c| encode_result(c.record.result.as_ref()));
    columns.integers(records, |c| i64::from(c.record.losses));
    columns.times(records, |c| suspect_time(c.record));
    columns.times(records, |c| c.record.attempt_time);
    columns.bytes(records, |c| c.record.history.encode());
    let steps = |c: &Changed<'_>| c.record.steps.as_deref().map(StepSummary::encode_to_vec);
    columns.bytes(records, steps);
    columns
}

/// A step of an operation.
#[derive(Debug)]
pub(crate) struct Step<'r> {
    pub(crate) uid: Uuid,
    pub(crate) epoch: u32,
    pub(crate) row: &'r StepRow,
}

/// The parameters of [`statement::PUT_STEPS`].
pub(crate) fn written_steps(steps: &[Step<'_>]) -> Columns {
    let mut columns = Columns::default();
    columns.add(Type::UUID_ARRAY, steps.iter().map(|s| s.uid).collect());
    columns.integers(steps, |s| i64::from(s.epoch));
    columns.texts(steps, |s| Some(s.row.key.as_str().to_owned()));
    columns.integers(steps, |s| s.row.seq.cast_signed());
    let kinds = steps.iter().map(|s| i16::from(s.row.kind.as_number()));
    columns.add::<i16>(Type::INT2_ARRAY, kinds.collect());
    columns.integers(steps, |s| i64::from(s.row.attempt));
    columns.integers(steps, |s| s.row.fence.cast_signed());
    let sequential = steps.iter().map(|s| s.row.sequential);
    columns.add::<bool>(Type::BOOL_ARRAY, sequential.collect());
    columns.times(steps, |s| Some(s.row.begin_time));
    columns.times(steps, |s| s.row.end_time);
    columns.times(steps, |s| s.row.wake_time);
    columns.values(steps.iter().map(|s| s.row));
    columns.bytes(steps, |s| s.row.child.as_deref().map(Child::encode));
    columns
}

/// The parameters of [`statement::FORGET_STEPS`].
pub(crate) fn forgotten_steps(steps: &[(Uuid, u32, &StepKey)]) -> Columns {
    let mut columns = Columns::default();
    columns.add(Type::UUID_ARRAY, steps.iter().map(|step| step.0).collect());
    columns.integers(steps, |step| i64::from(step.1));
    columns.texts(steps, |step| Some(step.2.as_str().to_owned()));
    columns
}

/// The parameters of [`statement::SWEEP_STEPS`]: operations and their epochs.
pub(crate) fn swept_steps(swept: &[(Uuid, u32)]) -> Columns {
    let mut columns = Columns::default();
    columns.add(Type::UUID_ARRAY, swept.iter().map(|it| it.0).collect());
    columns.integers(swept, |it| i64::from(it.1));
    columns.integers(swept, |_| i64::from(StepSummary::SWEPT));
    columns
}

/// The parameters of [`statement::END`], but for the last, which is the time.
pub(crate) fn ended_records(ends: &[End]) -> Columns {
    let mut columns = Columns::default();
    columns.add(
        Type::UUID_ARRAY,
        ends.iter().map(|end| end.after.uid).collect(),
    );
    columns.integers(ends, |end| end.revision_before().cast_signed());
    columns.integers(ends, |end| end.after.fence.cast_signed());
    columns.times(ends, |end| Some(end.after.update_time));
    columns.times(ends, |end| end.after.expire_time);
    let states = ends.iter().map(|end| encode_state(end.after.state));
    columns.add::<i16>(Type::INT2_ARRAY, states.collect());
    let kind = |end: &End| encode_kind(end.after.result.as_ref());
    columns.add(Type::INT2_ARRAY, ends.iter().map(kind).collect());
    // NULL: as it was.
    let metadata = |end: &End| encode_any(end.after.metadata.as_ref().filter(|_| end.metadata));
    columns.bytes(ends, metadata);
    columns.bytes(ends, |end| encode_result(end.after.result.as_ref()));
    columns
}

/// The parameters of [`statement::RECORD`], but for the last, which is the time.
pub(crate) fn recorded_steps(recordings: &[Recording<'_>]) -> Columns {
    let mut columns = Columns::default();
    let uids = recordings.iter().map(|it| it.after.uid);
    columns.add(Type::UUID_ARRAY, uids.collect());
    columns.integers(recordings, |it| it.before().revision.cast_signed());
    columns.integers(recordings, |it| it.after.fence.cast_signed());
    columns.times(recordings, |it| Some(it.before().update_time));
    columns.integers(recordings, |it| i64::from(it.after.attempt));
    columns.integers(recordings, |it| i64::from(it.after.losses));
    // NULL: as it was.
    let metadata =
        |it: &Recording<'_>| encode_any(it.after.metadata.as_ref().filter(|_| it.metadata));
    columns.bytes(recordings, metadata);
    let steps = |it: &Recording<'_>| it.after.steps.as_deref().map(StepSummary::encode_to_vec);
    columns.bytes(recordings, steps);

    let rows = recordings.iter().flat_map(|it| {
        let rows = it.rows.iter();
        rows.map(move |(row, write)| (it, row, *write))
    });
    let rows: Vec<(&Recording<'_>, &StepRow, &StepWrite)> = rows.collect();
    let uids = rows.iter().map(|(it, ..)| it.after.uid);
    columns.add(Type::UUID_ARRAY, uids.collect());
    columns.times(&rows, |(it, ..)| Some(it.before().update_time));
    columns.times(&rows, |(it, ..)| Some(it.after.create_time));
    let epoch = |it: &Recording<'_>| it.after.steps.as_deref().map_or(0, |steps| steps.epoch);
    columns.integers(&rows, |(it, ..)| i64::from(epoch(it)));
    columns.texts(&rows, |(_, row, _)| Some(row.key.as_str().to_owned()));
    columns.integers(&rows, |(_, row, _)| row.seq.cast_signed());
    let kinds = rows
        .iter()
        .map(|(_, row, _)| i16::from(row.kind.as_number()));
    columns.add::<i16>(Type::INT2_ARRAY, kinds.collect());
    columns.integers(&rows, |(_, row, _)| i64::from(row.attempt));
    columns.integers(&rows, |(_, row, _)| row.fence.cast_signed());
    let sequential = rows.iter().map(|(_, row, _)| row.sequential);
    columns.add::<bool>(Type::BOOL_ARRAY, sequential.collect());
    columns.integers(&rows, |(.., write)| micros(write.begun_ago));
    let finished = rows.iter().map(|(_, row, _)| row.is_finished());
    columns.add::<bool>(Type::BOOL_ARRAY, finished.collect());
    columns.times(&rows, |(.., write)| match write.wake {
        Some(StepWake::At(time)) => Some(time),
        Some(StepWake::After(_)) | None => None,
    });
    let wake_after = rows.iter().map(|(.., write)| match write.wake {
        Some(StepWake::After(duration)) => Some(micros(duration)),
        Some(StepWake::At(_)) | None => None,
    });
    columns.add::<Option<i64>>(Type::INT8_ARRAY, wake_after.collect());
    columns.values(rows.iter().map(|(_, row, _)| *row));
    columns
}

/// As many microseconds, but no more than there are times: sums with a time do not overflow.
fn micros(duration: Duration) -> i64 {
    let most = Timestamp::MAX.as_micros();
    i64::try_from(duration.as_micros()).map_or(most, |micros| micros.min(most))
}

/// The parameters of [`statement::RENEW`].
pub(crate) fn renewed_records(records: &[&OperationRecord]) -> Columns {
    let mut columns = Columns::default();
    columns.add(Type::UUID_ARRAY, records.iter().map(|r| r.uid).collect());
    columns.times(records, |r| r.lease.as_ref().map(|l| l.expire_time));
    columns
}

/// The parameter of [`statement::REMOVE`].
pub(crate) fn removed_records(records: &[&OperationRecord]) -> Columns {
    let mut columns = Columns::default();
    columns.add(Type::UUID_ARRAY, records.iter().map(|r| r.uid).collect());
    columns
}

fn worker(record: &OperationRecord) -> Option<Uuid> {
    record.worker.map(WorkerId::as_uuid)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sql::statement;

    #[test]
    fn statements_take_as_many_parameters_as_there_are_columns() {
        let columns = [
            (statement::INSERT, new_records(&[])),
            (statement::INSERT_NOW, new_records(&[])),
            (statement::INSERT_CHILDREN, new_children(&[])),
            (statement::ADVANCE, changed_records(&[])),
            (statement::RENEW, renewed_records(&[])),
            (statement::END, ended_records(&[])),
            (statement::REMOVE, removed_records(&[])),
            (statement::RECORD, recorded_steps(&[])),
            (statement::PUT_STEPS, written_steps(&[])),
            (statement::FORGET_STEPS, forgotten_steps(&[])),
            (statement::SWEEP_STEPS, swept_steps(&[])),
        ];
        let has_time = |sql| [statement::END, statement::RECORD].contains(&sql);
        for (sql, columns) in columns {
            let count = columns.0.len() + usize::from(has_time(sql));
            assert!(sql.contains(&format!("${count}::")), "{count}: {sql}");
            assert!(!sql.contains(&format!("${}::", count + 1)), "{sql}");
        }
    }
}
