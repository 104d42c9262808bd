//! Field masks: paths in snake case on the wire, in camel case in JSON.

/// Reads the JSON text of a field mask: paths in camel case, separated by commas.
///
/// `None` where a path holds an underscore, or nothing.
pub(crate) fn read(text: &str) -> Option<Vec<String>> {
    split(text, |path| (!path.contains('_')).then(|| snake(path)))
}

/// Reads the text of a field mask in a query: paths in camel case or snake case.
pub(crate) fn read_either(text: &str) -> Option<Vec<String>> {
    split(text, |path| {
        Some(if path.contains('_') {
            path.to_owned()
        } else {
            snake(path)
        })
    })
}

/// Writes a path in camel case where reading it gives the same path, and as it is otherwise.
pub(crate) fn write(path: &str) -> String {
    let camel = camel(path);
    if snake(&camel) == path && !camel.contains('_') {
        camel
    } else {
        path.to_owned()
    }
}

fn split(text: &str, convert: impl Fn(&str) -> Option<String>) -> Option<Vec<String>> {
    if text.is_empty() {
        return Some(Vec::new());
    }
    text.split(',')
        .map(|path| if path.is_empty() { None } else { convert(path) })
        .collect()
}

fn snake(path: &str) -> String {
    let mut snake = String::with_capacity(path.len() + 4);
    for c in path.chars() {
        if c.is_ascii_uppercase() {
            snake.push('_');
        }
        snake.push(c.to_ascii_lowercase());
    }
    snake
}

fn camel(path: &str) -> String {
    let mut camel = String::with_capacity(path.len());
    let mut chars = path.chars().peekable();
    while let Some(c) = chars.next() {
        match chars.peek() {
            Some(next) if c == '_' && next.is_ascii_lowercase() => {
                camel.push(next.to_ascii_uppercase());
                chars.next();
            }
            _ => camel.push(c),
        }
    }
    camel
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn masks_are_read_in_camel_case() {
        assert_eq!(read(""), Some(vec![]));
        assert_eq!(
            read("displayName,a.bC"),
            Some(vec!["display_name".into(), "a.b_c".into()])
        );
        assert_eq!(read("display_name"), None);
        assert_eq!(read("a,,b"), None);
        assert_eq!(read("a,"), None);
    }

    #[test]
    fn a_query_may_have_masks_in_snake_case() {
        assert_eq!(
            read_either("displayName,a.b_c"),
            Some(vec!["display_name".into(), "a.b_c".into()])
        );
    }

    #[test]
    fn a_path_without_a_camel_case_form_is_written_as_it_is() {
        assert_eq!(write("display_name"), "displayName");
        for path in ["a_1", "fooBar", "a__b", "_", "trailing_"] {
            assert_eq!(write(path), path);
        }
    }
}
