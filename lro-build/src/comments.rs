//! Comments made fit for rustdoc, which runs every code block it does not know to be something
//! else.

use prost_types::FileDescriptorProto;

/// Marks the code blocks in all comments of the file as plain text.
pub(crate) fn neutralise(file: &mut FileDescriptorProto) {
    let Some(info) = &mut file.source_code_info else {
        return;
    };
    for location in &mut info.location {
        let comments = [
            &mut location.leading_comments,
            &mut location.trailing_comments,
        ];
        for comment in comments.into_iter().flatten() {
            *comment = plain(comment);
        }
    }
}

// Input:
//
//     Such as
//
//         a - b
//
// Output:
//
//     Such as
//
//     ```text
//     a - b
//     ```
fn plain(comment: &str) -> String {
    let mut out = vec![];
    let mut fence: Option<&str> = None;
    let mut indented = false;
    let mut after_blank = true;
    for line in comment.lines() {
        let text = line.trim_start();
        let is_blank = text.is_empty();
        // The space after `//` belongs to every line.
        let is_code = line.len() - text.len() > 4 && !is_blank;
        if indented && !is_code && !is_blank {
            close(&mut out);
            indented = false;
        }
        if let Some(open) = fence {
            if text.starts_with(open) && text.trim_end().chars().all(|it| open.contains(it)) {
                fence = None;
            }
            out.push(line.to_owned());
        } else if let Some(open) = ["```", "~~~"].into_iter().find(|it| text.starts_with(it)) {
            let says_nothing = text.trim_end() == open;
            out.push(if says_nothing {
                format!("{}text", line.trim_end())
            } else {
                line.to_owned()
            });
            fence = Some(open);
        } else {
            if is_code && after_blank && !indented {
                out.push(" ```text".to_owned());
                indented = true;
            }
            out.push(if indented && is_code {
                format!(" {}", line.get(5..).unwrap_or(text))
            } else {
                line.to_owned()
            });
        }
        after_blank = is_blank;
    }
    if indented {
        close(&mut out);
    }
    out.iter().map(|line| format!("{line}\n")).collect()
}

/// Ends a block before the blank lines that follow its last line of code.
fn close(out: &mut Vec<String>) {
    let code = out.iter().rposition(|line| !line.trim().is_empty());
    out.insert(code.map_or(0, |last| last + 1), " ```".to_owned());
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::plain;

    fn check(comment: &str, expected: &Expect) {
        let lines: Vec<String> = plain(comment)
            .lines()
            .map(|line| format!("//{line}"))
            .collect();
        expected.assert_eq(&lines.join("\n"));
    }

    #[test]
    fn prose_stays() {
        check(" One line.\n", &expect!["// One line."]);
        check(
            " * a list\n   goes on\n",
            &expect![[r#"
                // * a list
                //   goes on"#]],
        );
        check(
            " A paragraph\n      with an odd line\n",
            &expect![[r#"
                // A paragraph
                //      with an odd line"#]],
        );
    }

    #[test]
    fn indented_code_becomes_text() {
        check(
            " Such as\n\n     a - b\n\n     c\n\n and more.\n",
            &expect![[r#"
                // Such as
                //
                // ```text
                // a - b
                //
                // c
                // ```
                //
                // and more."#]],
        );
        check(
            "     a - b\n",
            &expect![[r#"
                // ```text
                // a - b
                // ```"#]],
        );
    }

    #[test]
    fn fences_without_a_language_become_text() {
        check(
            " ```\n     a - b\n ```\n",
            &expect![[r#"
                // ```text
                //     a - b
                // ```"#]],
        );
        check(
            " ```json\n {}\n ```\n done\n",
            &expect![[r#"
                // ```json
                // {}
                // ```
                // done"#]],
        );
    }
}
