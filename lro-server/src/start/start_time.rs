//! Start times that cannot be meant: mistakes of units.

use lro_core::{Reason, Timestamp};
use tonic::Status;

/// 2000-01-01T00:00:00Z: no operation is to start before this framework existed.
const FIRST: Timestamp = Timestamp::from_micros(946_684_800_000_000);

/// The start time, unless it lies before the year 2000 or after 9999.
///
/// # Errors
///
/// INVALID_ARGUMENT that names the unit which the value seems to have.
pub(super) fn checked_start_time(time: Timestamp) -> Result<Timestamp, Status> {
    if (FIRST..=Timestamp::MAX).contains(&time) {
        return Ok(time);
    }
    let micros = time.as_micros();
    let bound = if time < FIRST {
        "before the year 2000"
    } else {
        "after the year 9999"
    };
    let mut description = format!(
        "is {bound}: {micros} microseconds since the Unix epoch; give microseconds, as \
         Timestamp::from_micros takes them"
    );
    if let Some(unit) = seeming_unit(micros) {
        description.push_str(&format!(" (the value looks like {unit})"));
    }
    let value = micros.to_string();
    let metadata = [("microseconds", &*value)];
    Err(Reason::InvalidField.field_status_with("start_time", description, metadata))
}

/// The unit in which the value would be a time that can be meant.
fn seeming_unit(value: i64) -> Option<&'static str> {
    let is_meant = |micros: Option<i64>| {
        micros.is_some_and(|micros| (FIRST.as_micros()..4 * FIRST.as_micros()).contains(&micros))
    };
    if is_meant(value.checked_mul(1_000)) {
        Some("milliseconds")
    } else if is_meant(value.checked_mul(1_000_000)) {
        Some("seconds")
    } else if is_meant(Some(value / 1_000)) {
        Some("nanoseconds")
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use tonic_types::StatusExt as _;

    use super::*;

    /// report:S6
    #[test]
    fn start_times_that_cannot_be_meant_are_refused_and_their_unit_named() {
        const NOW: i64 = 1_790_000_000;
        for (micros, unit) in [
            (NOW, "seconds"),
            (NOW * 1_000, "milliseconds"),
            (NOW * 1_000_000_000, "nanoseconds"),
            (0, "1970"),
            (-1, "1970"),
            (FIRST.as_micros() - 1, "1970"),
            (Timestamp::MAX.as_micros() + 1, "9999"),
            (i64::MAX, "9999"),
            (i64::MIN, "1970"),
        ] {
            let error = checked_start_time(Timestamp::from_micros(micros)).unwrap_err();
            assert_eq!(error.code(), tonic::Code::InvalidArgument);
            let violations = error.get_details_bad_request().unwrap().field_violations;
            assert_eq!(violations[0].field, "start_time");
            let (message, unit) = (
                error.message(),
                unit.replace("1970", "before the year 2000"),
            );
            assert!(message.contains("give microseconds"), "{message}");
            assert!(message.contains(&*unit), "{message}");
            assert!(message.contains(&micros.to_string()), "{message}");
        }
        for micros in [
            FIRST.as_micros(),
            NOW * 1_000_000,
            Timestamp::MAX.as_micros(),
        ] {
            let time = Timestamp::from_micros(micros);
            assert_eq!(checked_start_time(time).unwrap(), time);
        }
    }
}
