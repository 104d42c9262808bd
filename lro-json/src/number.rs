//! Numbers from their decimal text, exactly: no detour through a float.

/// Whether the text is a number by the grammar of JSON (RFC 8259).
pub(crate) fn is_json_number(text: &str) -> bool {
    let rest = text.strip_prefix('-').unwrap_or(text);
    let Some(rest) = strip_digits(rest) else {
        return false;
    };
    let integer = &text[..text.len() - rest.len()];
    let integer = integer.strip_prefix('-').unwrap_or(integer);
    if integer.len() > 1 && integer.starts_with('0') {
        return false;
    }
    let rest = match rest.strip_prefix('.') {
        Some(fraction) => match strip_digits(fraction) {
            Some(rest) => rest,
            None => return false,
        },
        None => rest,
    };
    match rest.strip_prefix(['e', 'E']) {
        Some(exponent) => {
            let exponent = exponent.strip_prefix(['+', '-']).unwrap_or(exponent);
            strip_digits(exponent) == Some("")
        }
        None => rest.is_empty(),
    }
}

/// The text after its leading digits, of which there must be one.
fn strip_digits(text: &str) -> Option<&str> {
    let rest = text.trim_start_matches(|c: char| c.is_ascii_digit());
    (rest.len() < text.len()).then_some(rest)
}

/// The integer that a JSON number stands for: `1.0` and `1e2` are integers, `1.5` is not.
///
/// `None` where it has a fraction, or does not fit.
pub(crate) fn integer(number: &str) -> Option<i128> {
    let (mantissa, exponent) = match number.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, saturating(exponent)),
        None => (number, 0),
    };
    let (negative, mantissa) = match mantissa.strip_prefix('-') {
        Some(mantissa) => (true, mantissa),
        None => (false, mantissa),
    };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits: String = [whole, fraction].concat();
    // The value is 0.DIGITS times ten to the power of `point`.
    let leading_zeros = digits.len() - digits.trim_start_matches('0').len();
    let significant = digits.trim_matches('0');
    if significant.is_empty() {
        return Some(0);
    }
    let point = i64::try_from(whole.len()).ok()?.saturating_add(exponent)
        - i64::try_from(leading_zeros).ok()?;
    let length = i64::try_from(significant.len()).ok()?;
    if point < length || point > 38 {
        return None;
    }
    let zeros = usize::try_from(point - length).ok()?;
    let value: i128 = format!("{significant}{}", "0".repeat(zeros)).parse().ok()?;
    Some(if negative { -value } else { value })
}

/// An exponent, bounded far beyond anything that fits a number.
fn saturating(exponent: &str) -> i64 {
    const FAR: i64 = 1 << 40;
    let (negative, digits) = match exponent.strip_prefix('-') {
        Some(digits) => (true, digits),
        None => (false, exponent.strip_prefix('+').unwrap_or(exponent)),
    };
    let value = digits.parse().map_or(FAR, |value: i64| value.min(FAR));
    if negative { -value } else { value }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_grammar_of_numbers_is_that_of_json() {
        for number in ["0", "-0", "10", "1.5", "1e2", "1E+2", "1.0e-2", "-12.50e10"] {
            assert!(is_json_number(number), "{number}");
        }
        for other in [
            "", "-", "01", "-01", "+1", ".5", "1.", "1e", "1e+", "0x10", " 1", "1 ", "1_0", "NaN",
            "inf",
        ] {
            assert!(!is_json_number(other), "{other}");
        }
    }

    #[test]
    fn an_integer_is_read_without_rounding() {
        for (number, value) in [
            ("0", 0),
            ("-0.0", 0),
            ("0e99999999999999999999", 0),
            ("1.0", 1),
            ("1e2", 100),
            ("-1.5e1", -15),
            ("100e-2", 1),
            ("0.05e2", 5),
            ("9007199254740993", 9_007_199_254_740_993),
            ("9007199254740993.0", 9_007_199_254_740_993),
            ("18446744073709551616", 18_446_744_073_709_551_616),
        ] {
            assert_eq!(integer(number), Some(value), "{number}");
        }
        for number in [
            "1.5",
            "1e-1",
            "0.05e1",
            "1e39",
            "1e99999999999999999999",
            "1e-99999999999999999999",
        ] {
            assert_eq!(integer(number), None, "{number}");
        }
    }
}
