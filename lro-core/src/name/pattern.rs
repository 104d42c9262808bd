use std::fmt;
use std::str::FromStr;

use super::{InvalidName, ParentName, check_length, check_segment, without_collection};

/// Which parents: a path whose segments may be left open.
///
/// `*` stands for any one segment, in the templates of HTTP rules and of name bindings; so does `-`,
/// the wildcard of AIP-159, in what clients send. Like a [`ParentName`] it may carry the collection.
///
/// ```
/// use lro_core::ParentPattern;
///
/// let pattern: ParentPattern = "projects/-/locations/eu".parse()?;
/// assert!(pattern.matches("projects/p/locations/eu"));
/// assert!(!pattern.matches("projects/p/q/locations/eu"));
/// assert_eq!(pattern.to_string(), "projects/*/locations/eu");
/// assert_eq!(pattern.exact(), None);
///
/// let pattern: ParentPattern = "projects/p/operations".parse()?;
/// assert_eq!(pattern.exact().map(|parent| parent.to_string()).as_deref(), Some("projects/p"));
/// # Ok::<(), lro_core::InvalidName>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct ParentPattern {
    /// `*` where a segment is open, which no name has.
    text: Box<str>,
}

const ANY: &str = "*";

impl ParentPattern {
    /// Whether it stands for this parent, given without the collection.
    pub fn matches(&self, parent: &str) -> bool {
        if !self.is_open() {
            return *self.text == *parent;
        }
        let mut segments = parent.split('/');
        let all = self.text.split('/').all(|segment| {
            segments
                .next()
                .is_some_and(|given| !given.is_empty() && (segment == ANY || segment == given))
        });
        all && segments.next().is_none()
    }

    /// The start of a name that it stands for: the parent of what is named, or of something above.
    ///
    /// ```
    /// use lro_core::ParentPattern;
    ///
    /// let pattern: ParentPattern = "projects/*/locations/*".parse()?;
    /// let shelf = "projects/p/locations/eu/shelves/poems";
    /// assert_eq!(pattern.start_of(shelf), Some("projects/p/locations/eu"));
    /// assert_eq!(pattern.start_of("projects/p"), None);
    /// # Ok::<(), lro_core::InvalidName>(())
    /// ```
    pub fn start_of<'a>(&self, name: &'a str) -> Option<&'a str> {
        let mut segments = name.split('/');
        let mut len = 0;
        for wanted in self.segments() {
            let given = segments.next().filter(|given| !given.is_empty())?;
            if wanted.is_some_and(|wanted| wanted != given) {
                return None;
            }
            len += given.len() + 1;
        }
        name.get(..len.saturating_sub(1))
    }

    /// The one parent that it stands for, unless a segment is open.
    pub fn exact(&self) -> Option<ParentName> {
        (!self.is_open()).then(|| ParentName(self.text.clone()))
    }

    /// Its segments; `None` is an open one. The root has none.
    pub fn segments(&self) -> impl Iterator<Item = Option<&str>> {
        let segments = self.text.split('/').filter(|segment| !segment.is_empty());
        segments.map(|segment| (segment != ANY).then_some(segment))
    }

    /// Whether every parent that `other` stands for is one of its own.
    pub fn covers(&self, other: &Self) -> bool {
        let mut own = self.segments();
        let all = other
            .segments()
            .all(|theirs| own.next().is_some_and(|own| own.is_none() || own == theirs));
        all && own.next().is_none()
    }

    /// Whether some parent is one of both.
    pub fn overlaps(&self, other: &Self) -> bool {
        let (mut own, mut theirs) = (self.segments(), other.segments());
        loop {
            match (own.next(), theirs.next()) {
                (None, None) => return true,
                (Some(own), Some(theirs)) if own.is_none() || theirs.is_none() || own == theirs => {
                }
                _ => return false,
            }
        }
    }

    /// As text, with `*` for an open segment.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    fn is_open(&self) -> bool {
        self.text.split('/').any(|segment| segment == ANY)
    }
}

impl FromStr for ParentPattern {
    type Err = InvalidName;

    fn from_str(pattern: &str) -> Result<Self, InvalidName> {
        check_length(pattern)?;
        let parent = without_collection(pattern)?;
        if parent.is_empty() {
            return Ok(Self::default());
        }
        let segments = parent.split('/').map(|segment| match segment {
            "-" | ANY => Ok(ANY),
            segment => check_segment(segment).map(|()| segment),
        });
        let segments: Vec<_> = segments.collect::<Result<_, _>>()?;
        Ok(Self {
            text: segments.join("/").into(),
        })
    }
}

impl From<ParentName> for ParentPattern {
    fn from(parent: ParentName) -> Self {
        // No segment of a name is a wildcard.
        Self { text: parent.0 }
    }
}

impl fmt::Display for ParentPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn pattern(text: &str) -> ParentPattern {
        text.parse().unwrap()
    }

    /// spec:85
    #[test]
    fn open_segments_stand_for_one_segment() {
        for (open, parent, matches) in [
            ("", "", true),
            ("", "a", false),
            ("-", "a", true),
            ("-", "", false),
            ("-", "a/b", false),
            ("a/-", "a/b", true),
            ("a/-", "a", false),
            ("a/-", "a/b/c", false),
            ("a/-", "ab/c", false),
            ("a/-/c", "a/b/c", true),
            ("a/*/c/operations", "a/b/c", true),
            ("a/-/c", "a/b/d", false),
            ("a/b", "a/B", false),
        ] {
            assert_eq!(pattern(open).matches(parent), matches, "{open} {parent}");
        }
    }

    #[test]
    fn a_name_begins_with_its_parent() {
        for (open, name, start) in [
            ("", "a/b", Some("")),
            ("a/*", "a/b", Some("a/b")),
            ("a/*", "a/ü/c/d", Some("a/ü")),
            ("a/*/c", "a/b/c/d", Some("a/b/c")),
            ("*", "a", Some("a")),
            ("a/*", "", None),
            ("a/*", "a", None),
            ("a/*", "a/", None),
            ("a/*", "/a/b", None),
            ("a/*", "b/b", None),
            ("a/*/c", "a/b/d", None),
        ] {
            assert_eq!(pattern(open).start_of(name), start, "{open} {name}");
        }
    }

    #[test]
    fn one_pattern_may_cover_another() {
        for (wide, narrow, covers) in [
            ("a/*", "a/b", true),
            ("a/*", "a/-", true),
            ("a/b", "a/-", false),
            ("a/*", "a", false),
            ("a", "a/*", false),
            ("", "", true),
            ("", "a", false),
        ] {
            assert_eq!(
                pattern(wide).covers(&pattern(narrow)),
                covers,
                "{wide} {narrow}"
            );
        }
    }

    #[test]
    fn two_patterns_may_have_parents_in_common() {
        for (one, other, overlap) in [
            ("a/*", "a/b", true),
            ("a/*", "*/b", true),
            ("a/b", "a/b", true),
            ("a/b", "a/c", false),
            ("a/*", "b/*", false),
            ("a/*", "a", false),
            ("a/*", "a/*/b", false),
            ("", "", true),
            ("", "a", false),
        ] {
            let (one, other) = (pattern(one), pattern(other));
            assert_eq!(one.overlaps(&other), overlap, "{one} {other}");
            assert_eq!(other.overlaps(&one), overlap, "{other} {one}");
        }
    }

    #[test]
    fn invalid_paths_are_rejected() {
        for text in [
            "a//b",
            "/",
            "/operations",
            "operations/operations",
            "a/operations/operations",
            "a/",
            "a b",
            "a/\n",
            "..",
            &"x".repeat(513),
        ] {
            assert!(text.parse::<ParentPattern>().is_err(), "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn parsing_never_panics_and_a_name_stands_for_itself(text in "\\PC{0,40}|[-a/*]{0,9}") {
            if let Ok(parsed) = text.parse::<ParentPattern>() {
                prop_assert_eq!(&parsed.to_string().parse::<ParentPattern>().unwrap(), &parsed);
            }
            if let Ok(parent) = text.parse::<ParentName>() {
                let parsed: ParentPattern = text.parse().unwrap();
                prop_assert!(parsed.matches(parent.as_str()));
                prop_assert_eq!(parsed.exact(), Some(parent));
            }
        }
    }
}
