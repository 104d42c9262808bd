//! The parent of an operation, taken from what its request names.

use lro_core::{LongRunningMethod, ParentName, ParentPattern, Reason};
use tonic::Status;

use super::StartOptions;

/// Sets the parent to the start of the request's `parent` or `name` that `pattern` stands for, where
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
    let invalid = |text: String| Reason::InvalidField.field_status(field, text);
    let pattern: ParentPattern = pattern
        .parse()
        .map_err(|error| Status::internal(format!("the pattern of the parent: {error}")))?;
    let parent = pattern.start_of(name).ok_or_else(|| {
        if name.is_empty() {
            return invalid(format!(
                "is empty; give a name that begins with `{pattern}`"
            ));
        }
        let name = name.escape_debug();
        invalid(format!("`{name}` does not begin with `{pattern}`"))
    })?;
    parent.parse().map_err(|error| invalid(format!("{error}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_begins_with_its_parent() {
        let parent = find("projects/p/locations/l/shelves/s", "name", "projects/*");
        assert_eq!(parent.unwrap().as_str(), "projects/p");
    }

    #[test]
    fn another_name_is_refused_with_field_and_pattern() {
        let check = |name: &str, expected: &str| {
            let status = find(name, "parent", "projects/*").unwrap_err();
            assert_eq!(status.code(), tonic::Code::InvalidArgument);
            assert_eq!(status.message(), expected);
        };
        check(
            "",
            "parent: is empty; give a name that begins with `projects/*`",
        );
        check(
            "folders/\n",
            "parent: `folders/\\n` does not begin with `projects/*`",
        );
        check(
            "projects/-",
            "parent: `-` is not a valid segment of a resource name: give letters, digits, `-`, `_`, `.` or `~`, and not just `-`, `*`, `.` or `..`",
        );
    }
}
