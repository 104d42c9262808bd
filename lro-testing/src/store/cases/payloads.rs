use std::time::Duration;

use lro_core::Timestamp;
use lro_core::store::OperationOutcome;
use prost_types::Any;

use crate::store::build::*;
use crate::store::trial::Trial;

/// Texts that stores are known to spoil.
const ODD: [&str; 14] = [
    "",
    " ",
    " both sides ",
    "%",
    "_",
    "\\",
    "'; DROP TABLE operations; --",
    "\"quoted\"",
    "nul\0inside",
    "line\r\nbreak\t",
    "e\u{301} is not \u{e9}",
    "שלום \u{202e}right to left",
    "\u{1f468}\u{200d}\u{1f469}\u{200d}\u{1f467}",
    "\u{feff}\u{fffd}\u{10ffff}",
];

pub(crate) async fn large_payloads_are_kept(trial: Trial) {
    let large = |seed: u64| Any {
        type_url: "type.googleapis.com/test.Large".to_owned(),
        value: (0..1 << 20)
            .map(|n: u64| (n * n * 31 + seed) as u8)
            .collect(),
    };
    let mut operation = trial.operation("operations/a");
    operation.request = large(1);
    operation.metadata = Some(large(2));
    let mut record = trial.running_from(operation).await;
    let saved = checkpoint(1, large(3));
    trial.apply(&mut record, saved).await.unwrap();
    let news = renew(1, Some(large(4)));
    trial.apply(&mut record, news).await.unwrap();
    let end = finish(1, OperationOutcome::Response(large(5)));
    trial.apply(&mut record, end).await.unwrap();
    let listed = trial.page("", None, 1).await.records;
    assert_eq!(listed, [record.public_part()]);
}

pub(crate) async fn an_empty_payload_is_not_a_missing_one(trial: Trial) {
    let mut operation = trial.operation("operations/a");
    operation.request = Any::default();
    operation.metadata = Some(Any::default());
    let mut record = trial.running_from(operation).await;
    assert_eq!(record.metadata, Some(Any::default()));
    let saved = checkpoint(1, Any::default());
    trial.apply(&mut record, saved).await.unwrap();
    assert_eq!(record.checkpoint, Some(Any::default()));
    let end = finish(1, OperationOutcome::Response(Any::default()));
    trial.apply(&mut record, end).await.unwrap();
}

/// spec:20
pub(crate) async fn payloads_of_unknown_types_are_kept(trial: Trial) {
    for (n, type_url) in (0..).zip(["", "/", "x", "type.googleapis.com/", "no/such.Type", "ü"]) {
        let mut operation = trial.operation(&numbered("", n));
        operation.request = Any {
            type_url: type_url.to_owned(),
            value: vec![0xff, 0x00, 0xfe],
        };
        trial.started(operation).await;
    }
}

pub(crate) async fn every_byte_is_kept(trial: Trial) {
    let mut operation = trial.operation("operations/a");
    operation.request.value = (0..=255).cycle().take(1_000).collect();
    trial.started(operation).await;
}

pub(crate) async fn names_in_unicode_are_kept(trial: Trial) {
    for of in [
        "operations/ü:~",
        "проекты/п/operations/операция",
        "項目/零/operations/\u{1f680}",
        "e\u{301}/operations/é",
        "'/operations/\"",
        "a,b;c/operations/=?&#",
    ] {
        let record = trial.pending(of).await;
        assert_eq!(trial.list(name(of).parent()).await, [of]);
        assert_eq!(record.name.as_str(), of);
    }
}

pub(crate) async fn the_longest_name_is_kept(trial: Trial) {
    let max = lro_core::OperationName::MAX_LEN;
    let of = format!("operations/{}", "x".repeat(max - 11));
    trial.pending(&of).await;
    let of = format!("{}/operations/1", "y".repeat(max - 13));
    trial.pending(&of).await;
    assert_eq!(trial.list(name(&of).parent()).await, [of]);
}

pub(crate) async fn labels_with_odd_characters_are_kept(trial: Trial) {
    let mut operation = trial.operation("operations/a");
    for odd in ODD {
        operation.labels.insert(odd.to_owned(), format!("{odd}!"));
        operation
            .labels
            .insert(format!("key {odd}"), odd.to_owned());
    }
    let record = trial.started(operation).await;
    assert_eq!(record.labels.len(), 2 * ODD.len());
}

pub(crate) async fn keys_with_odd_characters_are_distinguished(trial: Trial) {
    for (n, odd) in (0..).zip(ODD) {
        let mut operation = trial.operation(&numbered("", n));
        operation.method = format!("/odd.{odd}/M");
        operation.request_id = request_id(odd, n as u8);
        operation.exclusive_key = Some(odd.to_owned());
        trial.started(operation).await;
    }
    for (n, odd) in (0..).zip(ODD) {
        let claim = claim(worker(1), &[&format!("/odd.{odd}/M")], 9);
        let claimed = trial.store().claim(claim).await.unwrap().operations;
        assert_eq!(crate::store::trial::names(&claimed), [numbered("", n)]);
        let second = trial.operation("operations/x").exclusive(odd);
        let held = lro_core::store::StartError::ExclusiveKeyHeld(name(&numbered("", n)));
        assert_eq!(trial.start(second).await, Err(held), "{odd:?}");
    }
}

pub(crate) async fn every_fingerprint_is_kept(trial: Trial) {
    let mut operation = trial.operation("operations/a").request_id("r", 0);
    let fingerprint = std::array::from_fn(|n| 255 - 8 * n as u8);
    operation.request_id.as_mut().unwrap().fingerprint = fingerprint;
    trial.started(operation.clone()).await;
    assert!(trial.start(operation.clone()).await.unwrap().existing);
    operation.request_id.as_mut().unwrap().fingerprint[31] ^= 1;
    trial.start(operation).await.unwrap_err();
}

pub(crate) async fn times_are_kept_to_the_microsecond(trial: Trial) {
    let times = [
        1,
        999_999,
        1_700_000_000_999_999,
        4_102_444_800_000_001,
        Timestamp::MAX.as_micros() - 1,
    ];
    for (n, micros) in (0..).zip(times) {
        trial.clock.set(Timestamp::from_micros(micros));
        let mut record = trial.running(&numbered("", n)).await;
        trial.advance(Duration::from_micros(1));
        let cancel = lro_core::store::Command::cancel();
        trial.apply(&mut record, cancel).await.unwrap();
        trial.advance(Duration::from_micros(1));
        trial.apply(&mut record, succeed(1, "r")).await.unwrap();
    }
}

pub(crate) async fn durations_are_kept_to_the_microsecond(trial: Trial) {
    let mut operation = trial.operation("operations/a");
    operation.policy.retain = Duration::from_micros(1_000_001);
    operation.claimed_by = Some((worker(1), Duration::from_micros(7)));
    let mut record = trial.started(operation).await;
    let pause = retry(1, Duration::from_micros(3));
    trial.apply(&mut record, pause).await.unwrap();
    trial.advance(Duration::from_micros(3));
    trial.reclaim(&mut record).await;
    trial.apply(&mut record, succeed(2, "r")).await.unwrap();
}

pub(crate) async fn the_largest_numbers_are_kept(trial: Trial) {
    let mut operation = trial.operation("operations/a");
    operation.policy.max_attempts = u32::MAX;
    operation.claimed_by = Some((
        lro_core::store::WorkerId::from_uuid(uuid::Uuid::max()),
        Duration::from_secs(u64::from(u32::MAX)),
    ));
    let mut record = trial.started(operation).await;
    trial.apply(&mut record, renew(1, None)).await.unwrap();
}
