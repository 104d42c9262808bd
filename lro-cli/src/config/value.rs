//! Values of settings from their texts.

use std::time::Duration;

/// A duration such as `10s`, `1h30m` or `500ms`.
///
/// # Errors
///
/// The advice to the user.
pub(crate) fn duration(text: &str) -> Result<Duration, String> {
    let advice = || "write a duration such as 500ms, 10s, 5m or 1h30m".to_owned();
    let parsed: jiff::SignedDuration = text.trim().parse().map_err(|_| advice())?;
    Duration::try_from(parsed).map_err(|_| advice())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read_as_people_write_them() {
        let read = |text| duration(text).map(|it| it.as_millis());
        assert_eq!(read("500ms"), Ok(500));
        assert_eq!(read("10s"), Ok(10_000));
        assert_eq!(read("1h30m"), Ok(5_400_000));
        assert_eq!(read("2h"), Ok(7_200_000));
        for wrong in ["", "10", "-5s", "soon", "10 parsecs"] {
            assert!(read(wrong).is_err(), "{wrong}");
        }
    }
}
