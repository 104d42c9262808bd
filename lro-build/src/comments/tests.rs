use expect_test::{Expect, expect};
use proptest::prelude::*;
use pulldown_cmark::{CodeBlockKind, Event, LinkType, Options, Parser, Tag};

use super::{Comments, markdown};

fn check(comment: &str, expected: &Expect) {
    let lines: Vec<String> = markdown(comment)
        .iter()
        .map(|line| format!("//{line}"))
        .collect();
    assert_eq!(acted_on(&markdown(comment)), Vec::<String>::new());
    expected.assert_eq(&lines.join("\n"));
}

/// The parts of a comment that rustdoc would run, resolve or warn about.
fn acted_on(lines: &[String]) -> Vec<String> {
    // As rustdoc reads it, which also takes the space away that is before every line.
    let text: Vec<&str> = lines
        .iter()
        .map(|line| line.strip_prefix(' ').unwrap_or(line))
        .collect();
    let text = text.join("\n");
    let options = Options::ENABLE_TABLES
        | Options::ENABLE_FOOTNOTES
        | Options::ENABLE_STRIKETHROUGH
        | Options::ENABLE_TASKLISTS
        | Options::ENABLE_SMART_PUNCTUATION;
    // rustdoc gets to see links that lead nowhere, too.
    let mut broken = |link: pulldown_cmark::BrokenLink<'_>| {
        Some((link.reference.to_string().into(), "broken".into()))
    };
    Parser::new_with_broken_link_callback(&text, options, Some(&mut broken))
        .filter(|event| match event {
            Event::Html(_) | Event::InlineHtml(_) | Event::FootnoteReference(_) => true,
            Event::Start(Tag::CodeBlock(CodeBlockKind::Fenced(language))) => &**language != "text",
            Event::Start(Tag::CodeBlock(CodeBlockKind::Indented)) => true,
            Event::Start(Tag::Link {
                link_type,
                dest_url,
                ..
            }) => {
                let is_known = matches!(link_type, LinkType::Autolink | LinkType::Inline);
                let schemes = ["https://", "http://", "mailto:"];
                !is_known || !schemes.iter().any(|scheme| dest_url.starts_with(scheme))
            }
            Event::Start(Tag::Image { dest_url, .. }) => !dest_url.starts_with("http"),
            _ => false,
        })
        .map(|event| format!("{event:?}"))
        .collect()
}

#[test]
fn prose_stays() {
    check(" One line.\n", &expect!["// One line."]);
    check(
        " * a list\n   continues\n",
        &expect![[r#"
            // * a list
            //   continues"#]],
    );
    check(
        " A paragraph\n      with an odd line\n",
        &expect![[r#"
            // A paragraph
            //   with an odd line"#]],
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

/// report:M4
#[test]
fn code_that_is_indented_by_a_tab_or_follows_a_blank_line_becomes_text() {
    check(
        " Such as\n\tlet x = 1;\n\n\tlet x = 1;\n\t\tx + 1\n and\n   \n\t x\n",
        &expect![[r#"
            // Such as
            //   let x = 1;
            //
            // ```text
            // let x = 1;
            //     x + 1
            // ```
            // and
            //
            // ```text
            // x
            // ```"#]],
    );
    check(
        " -      let x = 1;\n >      let y = 2;\n 1.     ```\n        let z = 3;\n",
        &expect![[r#"
            // - let x = 1;
            // > let y = 2;
            // 1. \`\`\`
            //   let z = 3;"#]],
    );
}

#[test]
fn fences_become_text() {
    check(
        " ```\n     a - b\n ```\n",
        &expect![[r#"
            // ```text
            // a - b
            // ```"#]],
    );
    check(
        " ```json\n {}\n ```\n done\n",
        &expect![[r#"
            // ```text
            // {}
            // ```
            // done"#]],
    );
    check(
        " ~~~rust,should_panic\n let fence = \"```\";\n",
        &expect![[r#"
            // ````text
            // let fence = "```";
            // ````"#]],
    );
}

/// report:M4
#[test]
fn links_and_html_become_text() {
    check(
        " See [Table][a.v1.Table], [Row], <b>this</b>, Map<string, [x]>, [1](#one),\n [^2], `Vec<T>`, `open <i>, \
         \\<u> and ```<p>```.\n\n [^2]: a note\n [Row]: Row\n",
        &expect![[r#"
            // See \[Table\]\[a.v1.Table\], \[Row\], \<b>this\</b>, Map\<string, \[x\]>, \[1\](#one),
            // \[^2\], `Vec<T>`, \`open \<i>, \<u> and \`\`\`\<p>\`\`\`.
            //
            // \[^2\]: a note
            // \[Row\]: Row"#]],
    );
    check(
        " https://example.com/a_b, (http://example.com/#x), <https://example.com>, `https://x.y`,\n \
         [the guide](https://example.com/guide) and [mail](mailto:a@example.com).\n",
        &expect![[r#"
            // <https://example.com/a_b>, (<http://example.com/#x>), <https://example.com>, `https://x.y`,
            // [the guide](https://example.com/guide) and [mail](mailto:a@example.com)."#]],
    );
}

/// Rust refuses both in a comment.
#[test]
fn characters_that_rust_rejects_are_left_out() {
    check(
        " One\r two \u{202e}three\u{0}\r\n four\n",
        &expect![[r#"
            // One  two three
            // four"#]],
    );
}

#[test]
fn comments_return_to_where_they_were() {
    let mut comments = Comments::default();
    let first = comments.keep(" One\n\n   two\n").expect("a text");
    assert_eq!(comments.keep(" \u{202e}\n\n"), None);
    let second = comments.keep(" Three\n").expect("a text");
    let code = format!(
        "/// {}struct A {{\n    ///{}    a: u8,\n}}\n",
        first.trim_start(),
        second
    );
    expect![[r#"
        /// One
        ///
        ///   two
        struct A {
            /// Three
            a: u8,
        }
    "#]]
    .assert_eq(&comments.put_back(&code));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    /// report:M4
    #[test]
    fn rustdoc_acts_on_no_comment(
        parts in prop::collection::vec(
            prop::sample::select(vec![
                "\n", "\n", "\n", "\n\n", " ", "    ", "\t", "`", "``", "```", "~~~", "````", "rust",
                "<", ">", "</b>", "<b>", "<!--", "[", "]", "(", ")", "](", "[a]", "[a]: b", "\\",
                "https://a.b", "http://", "-", "*", "+ ", "> ", "1. ", "2) ", "|", "|-|", "---", ":",
                "#", "a", "x = 1;", "&lt;", "!", "^", "_", "\"", "'", "\r", "\u{202e}", "é", "fn main() {}",
            ]),
            0..40,
        ),
    ) {
        let text = parts.concat();
        let lines = markdown(&text);
        prop_assert_eq!(acted_on(&lines), Vec::<String>::new(), "{:?}", lines);
        for line in &lines {
            let is_fit = !line.contains(['\r', '\n', '\u{202e}']);
            prop_assert!(is_fit && (line.is_empty() || line.starts_with(' ')));
        }
    }
}
