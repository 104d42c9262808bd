//! The parent of an operation, taken from what its request names.

use lro_core::{LongRunningMethod, ParentName, Reason};
use tonic::Status;

use crate::start::StartOptions;

/// Sets the parent to the start of the request's `parent` or `name` that `pattern` describes, where
/// the options say nothing of it. Called by what `#[long_running(parent = "..")]` writes.
///
/// # Errors
///
/// INVALID_ARGUMENT when the field does not begin so.
pub fn parent_from<M: LongRunningMethod>(
    options: StartOptions<M::Metadata>,
    request: &M::Request,
    field: &str,
    pattern: &str,
) -> Result<StartOptions<M::Metadata>, Status> {
    if options.has_parent() {
        return Ok(options);
    }
    let parent = find(&M::request_fields(request).target, field, pattern)?;
    Ok(options.parent(parent))
}

fn find(name: &str, field: &str, pattern: &str) -> Result<ParentName, Status> {
    let parent = prefix(name, pattern).ok_or_else(|| {
        let text = format!("`{}` does not begin with `{pattern}`", name.escape_debug());
        Reason::InvalidField.field_status(field, text)
    })?;
    parent
        .parse()
        .map_err(|error| Reason::InvalidField.field_status(field, format!("{error}")))
}

/// The start of `name` with as many segments as `pattern`, if each is the same, or any for `*`.
fn prefix<'a>(name: &'a str, pattern: &str) -> Option<&'a str> {
    let mut segments = name.split('/');
    let mut len = 0;
    for wanted in pattern.split('/') {
        let segment = segments.next()?;
        if segment.is_empty() || (wanted != "*" && wanted != segment) {
            return None;
        }
        len += segment.len() + 1;
    }
    name.get(..len - 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_begins_with_its_parent() {
        for (name, pattern, parent) in [
            ("projects/p", "projects/*", "projects/p"),
            ("projects/p/locations/l", "projects/*", "projects/p"),
            (
                "projects/p/locations/l/shelves/s",
                "projects/*/locations/*",
                "projects/p/locations/l",
            ),
            (
                "projects/p/locations/eu",
                "projects/*/locations/eu",
                "projects/p/locations/eu",
            ),
            ("shelves", "*", "shelves"),
        ] {
            assert_eq!(find(name, "name", pattern).unwrap().as_str(), parent);
        }
    }

    #[test]
    fn another_name_is_refused_with_field_and_pattern() {
        for (name, pattern) in [
            ("", "projects/*"),
            ("projects", "projects/*"),
            ("projects/", "projects/*"),
            ("/projects/p", "projects/*"),
            ("folders/p", "projects/*"),
            ("projects/p/locations/us", "projects/*/locations/eu"),
        ] {
            let status = find(name, "parent", pattern).unwrap_err();
            assert_eq!(status.code(), tonic::Code::InvalidArgument);
            assert_eq!(
                status.message(),
                format!("parent: `{name}` does not begin with `{pattern}`")
            );
        }
        let status = find("projects/-", "parent", "projects/*").unwrap_err();
        assert!(
            status.message().contains("`-` is no valid segment"),
            "{status}"
        );
    }
}
