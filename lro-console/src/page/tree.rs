//! A payload as nested lists.

use maud::{Markup, html};

use crate::text::visible;
use crate::tree::{Node, Tree};

/// From this number of lines on, a payload scrolls by itself.
const MAX_LINES: usize = 40;

/// A payload with the name of its type.
pub(crate) fn payload(tree: &Tree) -> Markup {
    html! {
        p.type { (visible(&tree.type_name)) }
        @match &tree.root {
            Node::Fields(fields) if fields.is_empty() => p.quiet { "no fields" },
            Node::Opaque { len, base64 } => {
                p.quiet { "The console does not know this type: " (len) " bytes. Give its descriptors to the server." }
                p.opaque { (base64) }
            }
            root if tree.root.lines() > MAX_LINES => {
                div.tree.long role="group" aria-label=(visible(&tree.type_name)) tabindex="0" { (node(root, "")) }
            }
            root => { div.tree { (node(root, "")) } },
        }
        @if tree.is_cut {
            p.note { "Only a part is shown. The JSON has all of it." }
        }
    }
}

fn node(node: &Node, path: &str) -> Markup {
    html! {
        @match node {
            Node::Fields(fields) if fields.is_empty() => span.default { "empty" },
            Node::Fields(fields) => dl { (entries(fields, path)) },
            Node::Text(text) => span.value { (value(text)) },
            Node::Default(text) => span.default { @if text.is_empty() { "empty" } @else { (visible(text)) } },
            Node::Redacted => span.redacted { "redacted" },
            Node::Opaque { len, base64 } => { span.opaque { (base64) } " " span.quiet { (len) " bytes" } },
        }
    }
}

fn entries(fields: &[(String, Node)], path: &str) -> Markup {
    html! {
        @for (name, child) in fields {
            @let path = format!("{path}.{name}");
            div {
                dt { (visible(name)) }
                dd data-path=[matches!(child, Node::Text(_) | Node::Default(_)).then_some(&path)] {
                    (node(child, &path))
                }
            }
        }
    }
}

/// A value. Only web addresses become links, and they say where they lead.
fn value(text: &str) -> Markup {
    let is_link = text.starts_with("https://") || text.starts_with("http://");
    let is_plain = text.chars().all(|char| char.is_ascii_graphic());
    html! {
        @if is_link && is_plain {
            a href=(text) rel="noopener noreferrer nofollow" { (text) }
        } @else {
            (visible(text))
        }
    }
}
