mod invisible;
mod pattern;

use std::fmt;
use std::str::FromStr;

pub use pattern::ParentPattern;

const COLLECTION: &str = "operations";

/// How many characters of a bad segment its error repeats.
const SHOWN_MAX: usize = 64;

/// The resource name of an operation: `operations/{id}` or `{parent}/operations/{id}`.
///
/// ```
/// use lro_core::OperationName;
///
/// let name: OperationName = "projects/p/operations/7".parse()?;
/// assert_eq!(name.parent(), "projects/p");
/// assert_eq!(name.operation_id(), "7");
/// assert_eq!(name.as_str(), "projects/p/operations/7");
/// # Ok::<(), lro_core::InvalidName>(())
/// ```
///
/// Names are compared byte for byte (AIP-122). Segments hold no control characters, no white space and
/// no characters that are invisible or change the direction of text (U+202E, U+FEFF); none is empty, `.`, `..`, `-` or `*` (the wildcards of AIP-159 and of patterns), and the whole is at most
/// [`MAX_LEN`](Self::MAX_LEN) bytes.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct OperationName {
    name: Box<str>,
    id_start: usize,
}

impl OperationName {
    /// The longest name, in bytes.
    pub const MAX_LEN: usize = 512;

    /// The name of the operation `operation_id` below `parent`.
    ///
    /// # Errors
    ///
    /// [`InvalidName`] if the id is not one valid segment, or the name is too long.
    pub fn new(parent: &ParentName, operation_id: &str) -> Result<Self, InvalidName> {
        check_segment(operation_id)?;
        let name = match parent.as_str() {
            "" => format!("{COLLECTION}/{operation_id}"),
            parent => format!("{parent}/{COLLECTION}/{operation_id}"),
        };
        name.parse()
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.name
    }

    /// The parent, which is the part before `operations/`; empty for a top-level operation.
    pub fn parent(&self) -> &str {
        let end = self.id_start - COLLECTION.len() - 1;
        self.name[..end].trim_end_matches('/')
    }

    /// The parent of the operations with which the engine watches [children on other servers](crate::RemoteOperations).
    ///
    /// No call of `google.longrunning.Operations` finds them, and no operation of a service has such a name.
    pub const WATCH_PARENT: &str = "lro.v1/watches";

    /// The beginning of the methods of those operations; the rest is the name of the other server.
    pub const WATCH_METHODS: &str = "/lro.v1.Watch/";

    /// Whether it is below [`WATCH_PARENT`](Self::WATCH_PARENT).
    ///
    /// ```
    /// use lro_core::OperationName;
    ///
    /// let name: OperationName = "lro.v1/watches/operations/7".parse()?;
    /// assert!(name.is_watch());
    /// # Ok::<(), lro_core::InvalidName>(())
    /// ```
    pub fn is_watch(&self) -> bool {
        self.parent() == Self::WATCH_PARENT
    }

    /// The last segment.
    pub fn operation_id(&self) -> &str {
        &self.name[self.id_start..]
    }
}

impl OperationName {
    /// Parses a stored name.
    ///
    /// For stores: it also accepts names with invisible characters, which earlier versions allowed,
    /// so that those operations stay readable and run.
    ///
    /// # Errors
    ///
    /// [`InvalidName`] if no version has accepted the name.
    pub fn from_stored(name: &str) -> Result<Self, InvalidName> {
        Self::parse_with(name, check_stored_segment)
    }

    fn parse_with(
        name: &str,
        check_segment: fn(&str) -> Result<(), InvalidName>,
    ) -> Result<Self, InvalidName> {
        check_length(name)?;
        let (collection, id) = name.rsplit_once('/').ok_or(InvalidName::Shape)?;
        if collection != COLLECTION && !collection.ends_with("/operations") {
            return Err(InvalidName::Shape);
        }
        // A parent that is itself a collection would be ambiguous with its children's parent.
        let parent = collection.strip_suffix("/operations").unwrap_or_default();
        if parent == COLLECTION || parent.ends_with("/operations") {
            return Err(InvalidName::Shape);
        }
        for segment in name.split('/') {
            check_segment(segment)?;
        }
        Ok(Self {
            id_start: name.len() - id.len(),
            name: name.into(),
        })
    }
}

impl FromStr for OperationName {
    type Err = InvalidName;

    fn from_str(name: &str) -> Result<Self, InvalidName> {
        Self::parse_with(name, check_segment)
    }
}

impl fmt::Display for OperationName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}

impl fmt::Debug for OperationName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.name, f)
    }
}

/// The parent of operations: the part before `operations/` in their names. The root is empty.
///
/// Also accepts the collection, because clients send both forms: `projects/p` and
/// `projects/p/operations` are one parent, and so are the empty text and `operations`.
///
/// ```
/// use lro_core::ParentName;
///
/// let parent: ParentName = "projects/p/operations".parse()?;
/// assert_eq!(parent.as_str(), "projects/p");
/// # Ok::<(), lro_core::InvalidName>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ParentName(Box<str>);

impl ParentName {
    /// The parent as text, without the collection.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for ParentName {
    type Err = InvalidName;

    fn from_str(name: &str) -> Result<Self, InvalidName> {
        check_length(name)?;
        let parent = without_collection(name)?;
        if !parent.is_empty() {
            for segment in parent.split('/') {
                check_segment(segment)?;
            }
        }
        Ok(Self(parent.into()))
    }
}

impl fmt::Display for ParentName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The reason why a text is not a name of an operation, or not a parent.
///
/// ```
/// use lro_core::{InvalidName, OperationName};
///
/// let reason = |text: &str| text.parse::<OperationName>().unwrap_err();
/// assert_eq!(reason("projects/p"), InvalidName::Shape);
/// assert_eq!(reason("projects//operations/7"), InvalidName::Segment(String::new()));
/// assert_eq!(reason("operations/.."), InvalidName::Segment("..".to_owned()));
/// assert!(matches!(reason(&format!("operations/{}", "7".repeat(5_000))), InvalidName::Length(_)));
/// ```
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidName {
    /// It does not end in `operations/{id}`.
    #[error("an operation's name is `operations/{{id}}` or `{{parent}}/operations/{{id}}`")]
    Shape,
    /// A segment is empty, `.`, `..`, `-`, `*`, or holds a character that names do not have.
    #[error(
        "`{0}` is not a valid segment of a resource name: give letters, digits, `-`, `_`, `.` or `~`, and not just `-`, `*`, `.` or `..`"
    )]
    Segment(String),
    /// It is longer than [`OperationName::MAX_LEN`].
    #[error("a name has at most {max} bytes, this one has {0}", max = OperationName::MAX_LEN)]
    Length(usize),
}

/// Removes the collection from the end, if present. A parent that is itself a collection would be
/// ambiguous with its own parent.
fn without_collection(name: &str) -> Result<&str, InvalidName> {
    let parent = match name.strip_suffix(COLLECTION) {
        Some("") => "",
        Some("/") => return Err(InvalidName::Segment(String::new())),
        Some(rest) => rest.strip_suffix('/').unwrap_or(name),
        None => name,
    };
    match parent.rsplit('/').next() {
        Some(COLLECTION) => Err(InvalidName::Segment(COLLECTION.to_owned())),
        _ => Ok(parent),
    }
}

fn check_length(name: &str) -> Result<(), InvalidName> {
    if name.len() > OperationName::MAX_LEN {
        return Err(InvalidName::Length(name.len()));
    }
    Ok(())
}

fn check_segment(segment: &str) -> Result<(), InvalidName> {
    check_characters(segment, |c| {
        is_never_in_a_name(c) || invisible::is_invisible(c)
    })
}

/// Invisible characters were accepted once, and are in stores.
fn check_stored_segment(segment: &str) -> Result<(), InvalidName> {
    check_characters(segment, is_never_in_a_name)
}

fn is_never_in_a_name(c: char) -> bool {
    c.is_control() || c.is_whitespace() || c == '/'
}

fn check_characters(segment: &str, is_refused: fn(char) -> bool) -> Result<(), InvalidName> {
    let reserved = matches!(segment, "" | "." | ".." | "-" | "*");
    if reserved || segment.contains(is_refused) {
        // Names come from anywhere and errors have little room: a long one is not repeated in full.
        let shown = segment.chars().take(SHOWN_MAX);
        return Err(InvalidName::Segment(
            shown.map(invisible::escaped).collect(),
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn valid_names_come_apart() {
        for (name, parent, id) in [
            ("operations/1", "", "1"),
            ("projects/p/operations/x", "projects/p", "x"),
            ("operations/kind/operations/id", "operations/kind", "id"),
            ("operations/operations", "", "operations"),
            ("v1/operations/ü:~", "v1", "ü:~"),
        ] {
            let parsed: OperationName = name.parse().unwrap();
            assert_eq!((parsed.parent(), parsed.operation_id()), (parent, id));
            let again = OperationName::new(&parent.parse().unwrap(), id).unwrap();
            assert_eq!(again, parsed);
        }
    }

    /// spec:44
    #[test]
    fn malformed_names_are_refused() {
        let long = format!("operations/{}", "x".repeat(502));
        for name in [
            "",
            "operations",
            "operations/",
            "/operations/x",
            "xoperations/1",
            "jobs/1",
            "operations/a b",
            "operations/\n",
            "operations/-",
            "operations/*",
            "a//operations/1",
            "a/operations/operations/1",
            "operations/..",
            &long,
        ] {
            assert!(name.parse::<OperationName>().is_err(), "{name:?}");
        }
    }

    /// report:W3
    #[test]
    fn invisible_characters_are_refused_and_never_repeated_as_they_are() {
        for c in
            "\u{202e}\u{feff}\u{200b}\u{200d}\u{2066}\u{61c}\u{ad}\u{3164}\u{fe0f}\u{e0041}".chars()
        {
            let id = format!("a{c}b");
            let root = ParentName::default();
            for refused in [
                OperationName::new(&root, &id).map(drop),
                format!("operations/{id}")
                    .parse::<OperationName>()
                    .map(drop),
                format!("p/{id}/operations/1")
                    .parse::<OperationName>()
                    .map(drop),
                id.parse::<ParentName>().map(drop),
                format!("projects/-/{id}")
                    .parse::<ParentPattern>()
                    .map(drop),
            ] {
                let message = refused.unwrap_err().to_string();
                assert!(message.is_ascii(), "{message}");
                assert!(message.contains("letters, digits"), "{message}");
            }
            // An operation that has such a name already stays readable.
            let stored = OperationName::from_stored(&format!("operations/{id}")).unwrap();
            assert_eq!(stored.operation_id(), id);
        }
        assert!(OperationName::from_stored("operations/a\nb").is_err());
        assert!("operations/ü日本語é".parse::<OperationName>().is_ok());
    }

    /// spec:81
    #[test]
    fn a_parent_may_carry_the_collection() {
        for (given, parent) in [
            ("", ""),
            ("operations", ""),
            ("projects/p", "projects/p"),
            ("projects/p/operations", "projects/p"),
            ("projects/myoperations", "projects/myoperations"),
        ] {
            assert_eq!(given.parse::<ParentName>().unwrap().as_str(), parent);
        }
    }

    proptest! {
        #[test]
        fn parsing_never_panics_and_keeps_the_text(name in "\\PC{0,80}|[a-z/]{0,20}/operations/[a-z0-9]{0,8}") {
            if let Ok(parsed) = name.parse::<OperationName>() {
                prop_assert_eq!(parsed.as_str(), &name);
                let parent: ParentName = parsed.parent().parse().unwrap();
                prop_assert_eq!(OperationName::new(&parent, parsed.operation_id()).unwrap(), parsed);
            }
        }
    }
}
