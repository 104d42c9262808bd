//! Percent-decoding of paths.

use percent_encoding::percent_decode_str;

/// A path that cannot be decoded, or that tries to climb.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum BadPath {
    /// `%` without two hexadecimal digits.
    Escape,
    /// A segment of dots, encoded or not.
    Dots,
    /// Bytes that are not UTF-8.
    Text,
}

impl BadPath {
    pub(crate) fn reason(self) -> &'static str {
        match self {
            Self::Escape => {
                "the path has a `%` without two hexadecimal digits; write `%25` for a percent sign"
            }
            Self::Dots => "the path has a segment `.` or `..`; paths are not normalized here",
            Self::Text => "the path is not UTF-8 when decoded",
        }
    }
}

/// Checks what holds for a whole path, whatever it leads to.
pub(crate) fn check(segments: &[&str]) -> Result<(), BadPath> {
    for segment in segments {
        check_escapes(segment)?;
        let parts = segment.split("%2F").flat_map(|part| part.split("%2f"));
        for part in parts {
            let decoded: Vec<u8> = percent_decode_str(part).collect();
            if decoded == b"." || decoded == b".." {
                return Err(BadPath::Dots);
            }
        }
    }
    Ok(())
}

/// Checks that every percent sign stands before two hexadecimal digits.
pub(crate) fn check_escapes(text: &str) -> Result<(), BadPath> {
    let mut parts = text.split('%');
    parts.next();
    let is_escape = |part: &str| {
        let digits = part.as_bytes().get(..2);
        digits.is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit))
    };
    if parts.all(is_escape) {
        Ok(())
    } else {
        Err(BadPath::Escape)
    }
}

/// Decodes one segment.
pub(crate) fn decode(segment: &str) -> Result<String, BadPath> {
    match percent_decode_str(segment).decode_utf8() {
        Ok(decoded) => Ok(decoded.into_owned()),
        Err(_) => Err(BadPath::Text),
    }
}

/// Decodes several segments, but for encoded slashes, which stay as they are.
pub(crate) fn decode_but_slashes(segments: &[&str]) -> Result<String, BadPath> {
    let mut decoded = String::new();
    for (index, segment) in segments.iter().enumerate() {
        if index > 0 {
            decoded.push('/');
        }
        let mut rest = *segment;
        while let Some(slash) = rest.find("%2F").or_else(|| rest.find("%2f")) {
            let slash = rest.find("%2f").map_or(slash, |other| other.min(slash));
            decoded.push_str(&decode(&rest[..slash])?);
            decoded.push_str(&rest[slash..slash + 3]);
            rest = &rest[slash + 3..];
        }
        decoded.push_str(&decode(rest)?);
    }
    Ok(decoded)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// gateway:24 gateway:25
    #[test]
    fn dots_and_broken_escapes_are_refused() {
        for segment in [
            ".",
            "..",
            "%2e%2e",
            "%2E.",
            "a%2F..",
            "%2e%2Fb",
            "a%2f%2e%2fb",
        ] {
            assert_eq!(check(&["a", segment]), Err(BadPath::Dots), "{segment}");
        }
        for segment in ["%", "%4", "%zz", "a%2", "%G0", "%%41"] {
            assert_eq!(check(&["a", segment]), Err(BadPath::Escape), "{segment}");
        }
        for segment in ["..p", "...", "a.b", "%2e%2e%2e", "%41", ".a%2Fb"] {
            assert_eq!(check(&["a", segment]), Ok(()), "{segment}");
        }
    }

    /// gateway:33 gateway:34 gateway:35 gateway:36 gateway:37
    #[test]
    fn a_path_is_decoded_once() {
        assert_eq!(decode("a%2Fb%20c+d"), Ok("a/b c+d".into()));
        assert_eq!(decode("a%252Fb"), Ok("a%2Fb".into()));
        assert_eq!(decode("%ff"), Err(BadPath::Text));
        assert_eq!(
            decode_but_slashes(&["a%2fb%2Fc", "%20%3a"]),
            Ok("a%2fb%2Fc/ :".into())
        );
        assert_eq!(decode_but_slashes(&["a%252Fb"]), Ok("a%2Fb".into()));
        assert_eq!(decode_but_slashes(&[]), Ok(String::new()));
        assert_eq!(decode_but_slashes(&["%c3%2F%a9"]), Err(BadPath::Text));
    }
}
