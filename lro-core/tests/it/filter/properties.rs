//! Properties of every text, tree and operation.

use lro_core::Timestamp;
use lro_core::filter::{
    Argument, Call, Comparable, Expression, ExpressionKind, Filter, LabelNeed, Operator, Path,
    Predicate, Restriction, Schema, Segment, Span, TextField, nfc, parse,
};
use lro_core::store::{OperationRecord, OperationState};
use proptest::prelude::*;
use serde_json::json;

use super::{cases, fixtures};

/// Pieces that a filter is made of, and some that it is not.
fn scrap() -> impl Strategy<Value = String> {
    let pieces = [
        " ",
        "AND",
        " AND ",
        " OR ",
        "NOT ",
        "-",
        "(",
        ")",
        ".",
        ",",
        ":",
        "=",
        "!=",
        "<",
        ">=",
        "!",
        ";",
        "\"",
        "'",
        "\\",
        "\\*",
        "\\u00e9",
        "*",
        "name",
        "done",
        "labels",
        "metadata",
        "tags",
        "owner",
        "create_time",
        "true",
        "null",
        "1.5s",
        "40",
        "-1",
        "é",
        "\u{1}",
        "\u{301}",
        "🚀",
        "\"2024-01-01T00:00:00Z\"",
        "f(",
        "error",
        "steps",
    ];
    prop_oneof![
        4 => prop::sample::select(pieces.to_vec()).prop_map(str::to_owned),
        1 => "\\PC{0,3}",
    ]
}

pub(crate) fn text() -> impl Strategy<Value = String> {
    prop::collection::vec(scrap(), 0..24).prop_map(|pieces| pieces.concat())
}

fn segment(quoted: impl Strategy<Value = bool>) -> impl Strategy<Value = Segment> {
    (quoted, "[a-zA-Z_][a-zA-Z0-9_*-]{0,5}", "[^\0]{0,5}").prop_map(|(quoted, bare, any)| {
        let text = if quoted { any } else { format!("x{bare}") };
        let stars = text.match_indices('*').map(|(index, _)| index);
        Segment {
            escaped_stars: stars.filter(|index| quoted && index % 2 == 0).collect(),
            text,
            quoted,
            span: Span::default(),
        }
    })
}

fn path() -> impl Strategy<Value = Path> {
    prop::collection::vec(segment(any::<bool>()), 1..4).prop_map(|segments| Path {
        segments,
        span: Span::default(),
    })
}

fn argument(inner: impl Strategy<Value = Expression> + 'static) -> BoxedStrategy<Argument> {
    prop_oneof![
        3 => path().prop_map(|path| Argument::Comparable(Comparable::Path(path))),
        1 => inner.prop_map(|inner| Argument::Composite(Box::new(inner))),
    ]
    .boxed()
}

fn comparable(inner: impl Strategy<Value = Expression> + 'static) -> BoxedStrategy<Comparable> {
    let names = prop::collection::vec(segment(Just(false)), 1..3);
    let call = (names, prop::collection::vec(argument(inner), 0..3));
    prop_oneof![
        3 => path().prop_map(Comparable::Path),
        1 => call.prop_map(|(name, arguments)| Comparable::Call(Call {
            name,
            arguments,
            span: Span::default(),
        })),
    ]
    .boxed()
}

fn expression() -> impl Strategy<Value = Expression> {
    let made = |kind| Expression {
        kind,
        span: Span::default(),
    };
    let leaf = path().prop_map(move |path| made(ExpressionKind::Global(Comparable::Path(path))));
    leaf.prop_recursive(4, 24, 3, move |inner| {
        let list = prop::collection::vec(inner.clone(), 2..4);
        let restriction = (
            comparable(inner.clone()),
            prop::sample::select(Operator::ALL.to_vec()),
            argument(inner.clone()),
        );
        prop_oneof![
            list.clone()
                .prop_map(move |parts| made(ExpressionKind::And(parts))),
            list.clone()
                .prop_map(move |parts| made(ExpressionKind::Sequence(parts))),
            list.prop_map(move |parts| made(ExpressionKind::Or(parts))),
            inner
                .clone()
                .prop_map(move |part| made(ExpressionKind::Not(Box::new(part)))),
            comparable(inner).prop_map(move |one| made(ExpressionKind::Global(one))),
            restriction.prop_map(move |(field, operator, argument)| {
                made(ExpressionKind::Restriction(Restriction {
                    field,
                    operator,
                    operator_span: Span::default(),
                    argument,
                }))
            }),
        ]
    })
}

/// A filter that passes the check.
pub(crate) fn valid() -> impl Strategy<Value = String> {
    let leaves = [
        "done = true",
        "done != true",
        "state = RUNNING",
        "state:*",
        "name = \"operations/*\"",
        "name > a",
        "error:*",
        "error.code = 5",
        "error.code != 5",
        "error = null",
        "error.message = \"*deleted\"",
        "labels:env",
        "labels.env = prod",
        "labels.env != prod",
        "labels:*",
        "end_time < \"2024-01-01T00:00:00.0000005Z\"",
        "end_time != null",
        "create_time >= \"2024-01-01T00:00:00.0000005Z\"",
        "attempt > 1",
        "metadata:*",
        "metadata:owner",
        "metadata.owner.email != x",
        "metadata.owner.email = \"\"",
        "metadata.tags:(a OR NOT b)",
        "metadata.progress_percent = 40",
        "metadata.eta > 1s",
        "metadata.steps.attempts:2",
        "response.count = 1",
    ];
    let leaf = prop::sample::select(leaves.to_vec()).prop_map(str::to_owned);
    leaf.prop_recursive(5, 32, 3, |inner| {
        let some = prop::collection::vec(inner.clone(), 2..4);
        prop_oneof![
            some.clone()
                .prop_map(|parts| format!("({})", parts.join(" AND "))),
            some.clone()
                .prop_map(|parts| format!("({})", parts.join(" OR "))),
            some.prop_map(|parts| format!("({})", parts.join(" "))),
            inner.prop_map(|part| format!("(NOT ({part}))")),
        ]
    })
    .prop_filter("within the depth", |text| {
        Filter::parse(text, &fixtures::wide_schema()).is_ok()
    })
}

fn record() -> impl Strategy<Value = OperationRecord> {
    let table = cases::table();
    let fixtures: Vec<_> = table["fixtures"]
        .as_object()
        .unwrap()
        .values()
        .cloned()
        .collect();
    let metadata = prop_oneof![
        Just(None),
        Just(Some((
            "Metadata",
            json!({"owner": {"team": "t"}, "tags": ["b"]})
        ))),
        Just(Some((
            "Metadata",
            json!({"owner": {"email": "x"}, "tags": ["a", "b"], "eta": "2s"})
        ))),
        Just(Some(("Other", json!({"progress_percent": "40"})))),
    ];
    let state = prop::sample::select(OperationState::ALL.to_vec());
    let time = prop::option::of(1_704_067_199_999_999..1_704_067_200_000_002_i64);
    let other = (
        prop::sample::select(fixtures),
        metadata,
        any::<bool>(),
        state,
        time,
        0..3_u32,
    );
    other.prop_map(|(json, metadata, replace, state, time, attempt)| {
        let mut record = fixtures::record(&json);
        record.state = state;
        record.attempt = attempt;
        record.end_time = time.map(Timestamp::from_micros);
        if replace {
            record.metadata = metadata.map(|(name, json)| fixtures::pack(name, &json));
        }
        record
    })
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_text_makes_the_parser_or_the_evaluator_panic(text in text(), record in record()) {
        let searching = Schema::builder().metadata(fixtures::message("Metadata"))
            .search(TextField::Name).build();
        for schema in [fixtures::wide_schema(), searching] {
            match Filter::parse(&text, &schema) {
                Ok(filter) => {
                    filter.matches(&record);
                }
                Err(error) => {
                    prop_assert!(error.offset() <= text.chars().count());
                    prop_assert_eq!(tonic::Status::from(error).code(), tonic::Code::InvalidArgument);
                }
            }
        }
    }

    #[test]
    fn parsed_filters_print_and_parse_to_the_same(text in text()) {
        if let Ok(Some(tree)) = parse(&text) {
            let again = parse(&tree.to_string()).unwrap().unwrap();
            prop_assert_eq!(cases::rendered(&again), cases::rendered(&tree));
            prop_assert!(text.get(tree.span.start..tree.span.end).is_some());
        }
    }

    #[test]
    fn trees_print_and_parse_to_the_same(tree in expression()) {
        let text = tree.to_string();
        let again = parse(&text).map_err(|error| TestCaseError::fail(format!("{text}: {error}")))?;
        prop_assert_eq!(cases::rendered(&again.unwrap()), cases::rendered(&tree), "{}", text);
    }

    /// spec:114
    #[test]
    fn not_is_two_valued(text in valid(), record in record()) {
        let schema = fixtures::wide_schema();
        let matches = |text: &str| Filter::parse(text, &schema).unwrap().matches(&record);
        let found = matches(&text);
        prop_assert_eq!(matches(&format!("NOT ({text})")), !found);
        prop_assert_eq!(matches(&format!("-({text})")), !found);
        prop_assert_eq!(matches(&format!("NOT (NOT ({text}))")), found);
        prop_assert_eq!(matches(&format!("({text}) AND ({text})")), found);
    }

    /// spec:120
    #[test]
    fn conjuncts_are_the_filter(text in valid(), record in record()) {
        let filter = Filter::parse(&text, &fixtures::wide_schema()).unwrap();
        let parts = filter.predicate().conjuncts();
        prop_assert_eq!(Predicate::And(parts).matches(&record), filter.matches(&record));
    }

    /// spec:120
    #[test]
    fn matching_operations_have_a_needed_label(text in valid(), record in record()) {
        let filter = Filter::parse(&text, &fixtures::wide_schema()).unwrap();
        let matches = filter.matches(&record);
        let has = |need: &LabelNeed| record.labels.iter().any(|(key, value)| {
            nfc(key) == need.key && need.test.as_ref().is_none_or(|test| test.accepts(value))
        });
        for needs in filter.predicate().label_needs() {
            prop_assert!(!matches || needs.iter().any(has), "{:?}", needs);
        }
    }
}
