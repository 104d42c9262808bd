//! Every case of the table `tests/data/filter_cases.json`.

use lro_core::filter::{
    Argument, Call, Comparable, Expression, ExpressionKind, Filter, Operator, Path, Segment, parse,
};
use serde_json::{Value as Json, json};

use super::fixtures;

pub(crate) fn table() -> Json {
    serde_json::from_str(include_str!("../../data/filter_cases.json")).unwrap()
}

/// spec:104-121
#[test]
fn every_case_of_the_table() {
    let table = table();
    let schema = fixtures::schema();
    let records: Vec<_> = table["fixtures"]
        .as_object()
        .unwrap()
        .iter()
        .map(|(id, json)| (id.as_str(), fixtures::record(json)))
        .collect();
    let mut failures = Vec::new();
    let cases = table["cases"].as_array().unwrap();
    for case in cases {
        let text = text(case);
        let mut expect = |what: &str, found: Json, wanted: Json| {
            if found != wanted {
                let id = &case["id"];
                let meaning = &case["meaning"];
                failures.push(format!(
                    "{id} {text:?}: {what} is {found}, not {wanted}: {meaning}"
                ));
            }
        };
        let tree = match parse(&text) {
            Ok(tree) => tree,
            Err(error) => {
                expect("parse", json!("error"), case["parse"].clone());
                expect("error", json!(error.kind().as_str()), case["error"].clone());
                continue;
            }
        };
        expect("parse", json!("ok"), case["parse"].clone());
        let ast = tree.as_ref().map_or(Json::Null, rendered);
        expect("ast", ast, case["ast"].clone());
        match Filter::parse(&text, &schema) {
            Ok(filter) => {
                let matches = records.iter().filter(|(_, record)| filter.matches(record));
                let mut ids: Vec<_> = matches.map(|(id, _)| *id).collect();
                ids.sort_unstable();
                let mut wanted: Vec<_> = case["matches"]
                    .as_array()
                    .map(|ids| ids.iter().map(|id| id.as_str().unwrap()).collect())
                    .unwrap_or_default();
                wanted.sort_unstable();
                expect("check", json!("ok"), case["check"].clone());
                expect("matches", json!(ids), json!(wanted));
            }
            Err(error) => {
                expect("check", json!("error"), case["check"].clone());
                expect("error", json!(error.kind().as_str()), case["error"].clone());
                let status = tonic::Status::from(error);
                assert_eq!(status.code(), tonic::Code::InvalidArgument);
            }
        }
    }
    assert_eq!(cases.len(), 160);
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

pub(crate) fn text(case: &Json) -> String {
    let Some(made) = case.get("filter_gen") else {
        return case["filter"].as_str().unwrap().to_owned();
    };
    let part = |name: &str| made[name].as_str().unwrap();
    let times = |name: &str| made[name].as_u64().unwrap() as usize;
    [
        part("prefix").repeat(times("repeat")),
        part("body").to_owned(),
        part("suffix").repeat(times("suffix_repeat")),
    ]
    .concat()
}

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
    let text: String = segment
        .text
        .char_indices()
        .map(|(index, c)| {
            if stars.contains(&index) {
                '\u{E000}'
            } else {
                c
            }
        })
        .collect();
    json!({ "q": text })
}
