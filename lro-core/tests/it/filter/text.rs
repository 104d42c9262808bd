//! Properties of every text; shared with the fuzz target.

use std::sync::LazyLock;

use lro_core::filter::{Filter, Known, Schema, TextField, parse};
use lro_core::store::{
    ListPolicy, NewOperation, OperationOutcome, OperationRecord, OperationState,
};
use lro_core::{Timestamp, pb};

/// That of every operation with payloads, and the dialects.
static SCHEMAS: LazyLock<[Schema; 4]> = LazyLock::new(|| {
    [
        schema(),
        ListPolicy::service_infrastructure().schema,
        ListPolicy::genomics_v1().schema,
        ListPolicy::genomics_v2alpha1(&schema(), "metadata.name").schema,
    ]
});

static RECORDS: LazyLock<Vec<OperationRecord>> = LazyLock::new(records);

/// Asks the text of operations, as a filter in every dialect.
///
/// # Panics
///
/// When the parser, the checker or the evaluator does, or they contradict each other.
pub(crate) fn ask(text: &str) {
    if let Ok(tree) = parse(text) {
        let printed = tree.as_ref().map(ToString::to_string).unwrap_or_default();
        let again = parse(&printed).expect("what was printed parses");
        let reprinted = again.as_ref().map(ToString::to_string).unwrap_or_default();
        assert_eq!(printed, reprinted, "of {text:?}");
        // The printed text is at times longer than a filter may be, but then it is refused.
        let schema = &SCHEMAS[0];
        if let (Ok(one), Ok(other)) = (Filter::parse(text, schema), Filter::parse(&printed, schema))
        {
            assert_eq!(
                one.predicate(),
                other.predicate(),
                "{text:?} and {printed:?}"
            );
        }
    }
    for schema in &*SCHEMAS {
        match Filter::parse(text, schema) {
            Ok(filter) => RECORDS.iter().for_each(|record| agree(&filter, record)),
            Err(error) => {
                assert!(error.offset() <= text.chars().count());
                let status = tonic::Status::from(error);
                assert_eq!(status.code(), tonic::Code::InvalidArgument);
            }
        }
    }
}

/// All that is said of the operation says the same.
fn agree(filter: &Filter, record: &OperationRecord) {
    let matches = filter.matches(record);
    let predicate = filter.predicate();
    let conjuncts = predicate.conjuncts();
    assert_eq!(conjuncts.iter().all(|part| part.matches(record)), matches);
    let known = [
        Known::default(),
        Known {
            method: Some(&record.method),
            state: Some(record.state),
        },
    ];
    for known in known {
        let verdict = predicate.verdict(&known);
        assert!(
            verdict.is_none_or(|verdict| verdict == matches),
            "{known:?}"
        );
    }
    for method in [None, Some(&*record.method)] {
        let states = predicate.states_of(method);
        let found = states.iter().find(|(state, _)| *state == record.state);
        assert!(found.is_some() || !matches);
        assert!(matches || !found.is_some_and(|(_, certain)| *certain));
        assert!(predicate.restricts_states() || states.len() == OperationState::ALL.len());
    }
    assert!(!matches || predicate.create_times().contains(&record.create_time));
}

fn schema() -> Schema {
    // A descriptor of a file that is there anyway.
    let pool = prost_reflect::DescriptorPool::decode(pb::FILE_DESCRIPTOR_SET);
    let pool = pool.expect("our own descriptors");
    let message = |name: &str| pool.get_message_by_name(name).expect("it is there");
    Schema::builder()
        .metadata(message("google.longrunning.Operation"))
        .response(message("google.longrunning.ListOperationsResponse"))
        .search(TextField::Name)
        .build()
}

/// One in every state that does not need a worker, with a label and payloads.
fn records() -> Vec<OperationRecord> {
    let payload = lro_core::pack(&pb::Operation {
        name: "n".to_owned(),
        ..pb::Operation::default()
    });
    let error = |code| {
        OperationOutcome::Error(pb::rpc::Status {
            code,
            ..pb::rpc::Status::default()
        })
    };
    let outcomes = [
        None,
        Some(OperationOutcome::Response(payload.clone())),
        Some(error(5)),
        Some(error(1)),
    ];
    let record = |outcome| {
        let name = "operations/n".parse().expect("a name");
        let mut new = NewOperation::new(uuid::Uuid::nil(), name, "/s.S/M", payload.clone());
        new.labels.insert("env".to_owned(), "prod".to_owned());
        new.metadata = Some(payload.clone());
        new.outcome = outcome;
        OperationRecord::new(new, Timestamp::from_micros(1_704_067_200_000_000))
    };
    let records: Vec<_> = outcomes.into_iter().map(record).collect();
    assert_eq!(records[0].state, OperationState::Pending);
    records
}
