//! The tree of a filter in the form of the table.

use lro_core::filter::{
    Argument, Call, Comparable, Expression, ExpressionKind, Operator, Path, Segment,
};
use serde_json::{Value as Json, json};

/// The tree in the form of the table.
pub(crate) fn rendered(expression: &Expression) -> Json {
    let list = |name: &str, parts: &[Expression]| {
        let mut list = vec![json!(name)];
        list.extend(parts.iter().map(rendered));
        Json::Array(list)
    };
    match &expression.kind {
        ExpressionKind::And(parts) => list("and", parts),
        ExpressionKind::Sequence(parts) => list("seq", parts),
        ExpressionKind::Or(parts) => list("or", parts),
        ExpressionKind::Not(inner) => json!(["not", rendered(inner)]),
        ExpressionKind::Global(comparable) => json!(["global", comparable_json(comparable)]),
        ExpressionKind::Restriction(restriction) => json!([
            Operator::as_str(restriction.operator),
            comparable_json(&restriction.field),
            argument_json(&restriction.argument),
        ]),
    }
}

fn comparable_json(comparable: &Comparable) -> Json {
    match comparable {
        Comparable::Path(Path { segments, .. }) => {
            let mut list = vec![json!("path")];
            list.extend(segments.iter().map(segment_json));
            Json::Array(list)
        }
        Comparable::Call(Call {
            name, arguments, ..
        }) => {
            let names: Vec<_> = name.iter().map(|one| one.text.as_str()).collect();
            let mut list = vec![json!("call"), json!(names.join("."))];
            list.extend(arguments.iter().map(argument_json));
            Json::Array(list)
        }
    }
}

fn argument_json(argument: &Argument) -> Json {
    match argument {
        Argument::Comparable(comparable) => comparable_json(comparable),
        Argument::Composite(inner) => json!(["composite", rendered(inner)]),
    }
}

fn segment_json(segment: &Segment) -> Json {
    if !segment.quoted {
        return json!(segment.text);
    }
    let stars = &segment.escaped_stars;
    let shown = |(index, c)| {
        if stars.contains(&index) {
            '\u{E000}'
        } else {
            c
        }
    };
    let text: String = segment.text.char_indices().map(shown).collect();
    json!({ "q": text })
}
