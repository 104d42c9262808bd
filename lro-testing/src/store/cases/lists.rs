use lro_core::store::{Command, OperationRecord, PageCursor};

use crate::store::build::*;
use crate::store::filters::{list_all, query};
use crate::store::trial::{Trial, names};

pub(crate) async fn an_unknown_name_or_parent_is_nothing(trial: Trial) {
    assert_eq!(trial.get(&name("operations/unknown")).await, None);
    assert_eq!(trial.get(&name("p/operations/unknown")).await, None);
    let page = trial.page("unknown/parent", None, 9).await;
    assert_eq!(page, lro_core::store::Page::default());
}

/// report:W2
pub(crate) async fn the_page_token_key_is_created_once(trial: Trial) {
    let mut asking = tokio::task::JoinSet::new();
    for _ in 0..16 {
        let store = trial.store().clone();
        asking.spawn(async move { store.page_token_key().await.unwrap() });
    }
    let keys = asking.join_all().await;
    let later = trial.store().page_token_key().await.unwrap();
    assert!(
        keys.iter().all(|key| *key == later),
        "one key for all calls"
    );
    let distinct: std::collections::BTreeSet<u8> = later.into_iter().collect();
    assert!(distinct.len() > 8, "32 random bytes");
}

/// spec:102
pub(crate) async fn lists_are_newest_first(trial: Trial) {
    for of in ["b", "c", "a"] {
        trial.pending(&format!("operations/{of}")).await;
        trial.advance(secs(1));
    }
    let all = ["operations/a", "operations/c", "operations/b"];
    assert_eq!(trial.list("").await, all);
}

/// spec:99
pub(crate) async fn the_order_of_lists_is_that_of_create_times_then_of_uids(trial: Trial) {
    trial.pending("operations/first").await;
    trial.pending("operations/second").await;
    trial.clock.set(lro_core::Timestamp::EPOCH);
    trial.pending("operations/third").await;
    let all = ["operations/second", "operations/first", "operations/third"];
    assert_eq!(trial.list("").await, all);
    let page = trial.page("", None, 1).await;
    let page = trial.page("", page.next, 1).await;
    assert_eq!(names(&page.records), ["operations/first"]);
    let page = trial.page("", page.next, 1).await;
    assert_eq!(names(&page.records), ["operations/third"]);
}

/// spec:85
pub(crate) async fn open_segments_list_across_collections(trial: Trial) {
    let all = [
        "operations/1",
        "a/x/operations/2",
        "a/y/operations/3",
        "a/operations/4",
        "a/x/b/operations/5",
        "aa/x/operations/6",
        "a/*z/operations/7",
        "a/x%_/operations/8",
        "a/ä/operations/9",
        "operations/a/operations/10",
    ];
    for of in all {
        trial.pending(of).await;
    }
    for (pattern, expected) in [
        ("a/-", &[9, 8, 7, 3, 2][..]),
        ("-/x", &[6, 2]),
        ("-", &[4]),
        ("-/-", &[10, 9, 8, 7, 6, 3, 2]),
        ("a/x/-", &[5]),
        ("a/-/c", &[]),
    ] {
        let expected: Vec<_> = expected.iter().map(|n| all[n - 1]).collect();
        let pattern: lro_core::ParentPattern = pattern.parse().unwrap();
        let mut found = Vec::new();
        let mut query = lro_core::store::ListQuery::new(pattern.clone(), 2);
        loop {
            let page = trial.store().list(query.clone()).await.unwrap();
            found.extend(names(&page.records));
            query.after = page.next;
            if query.after.is_none() {
                break;
            }
        }
        assert_eq!(found, expected, "{pattern}");
    }
}

/// report:L2
pub(crate) async fn lists_show_public_parts_in_every_state(trial: Trial) {
    let mut records = vec![
        trial.pending("operations/pending").await,
        trial.running("operations/running").await,
        trial.running("operations/cancelling").await,
        trial.running("operations/succeeded").await,
        trial.running("operations/failed").await,
    ];
    let mut new = trial.operation("operations/keys");
    new.request_id = request_id("request", 1);
    new.exclusive_key = Some("key".to_owned());
    new.metadata = Some(any("m"));
    records.push(trial.running_from(new).await);
    trial
        .apply(&mut records[2], Command::cancel())
        .await
        .unwrap();
    trial.apply(&mut records[3], succeed(1, "r")).await.unwrap();
    let end = finish(1, lro_core::store::OperationOutcome::Error(failure(5)));
    trial.apply(&mut records[4], end).await.unwrap();
    let checkpoint = Command::Checkpoint {
        fence: 1,
        checkpoint: any("c"),
        metadata: None,
        lease_duration: LEASE,
    };
    trial.apply(&mut records[5], checkpoint).await.unwrap();
    records.reverse();
    assert!(records[0].checkpoint.is_some() && !records[0].request.value.is_empty());
    let public: Vec<_> = records.iter().map(OperationRecord::public_part).collect();
    let page = trial.page("", None, 9).await.records;
    assert_eq!(page, public);
    // With a filter that no index answers, too.
    let found = list_all(trial.store(), query("", "NOT metadata:* OR metadata:*", 2)).await;
    assert_eq!(found, public);
}

/// report:L1 report:L2
pub(crate) async fn a_page_ends_before_it_has_too_many_bytes(trial: Trial) {
    const LEN: usize = 100_000;
    let mut all = Vec::new();
    for n in 0..12 {
        let mut new = trial.operation(&numbered("", n));
        // One alone is longer than a page; others have nothing that counts.
        let len = match n {
            5 => 5 * LEN,
            8 | 9 => 0,
            _ => LEN,
        };
        new.request = any(&"q".repeat(LEN));
        new.labels = labels([("env", "prod")]);
        if n % 2 == 0 {
            new.metadata = Some(any(&"m".repeat(len)));
            new.outcome = Some(lro_core::store::OperationOutcome::Response(any("")));
        } else {
            new.outcome = Some(lro_core::store::OperationOutcome::Response(any(
                &"r".repeat(len)
            )));
        }
        all.push(trial.started(new).await);
    }
    all.reverse();
    let all: Vec<_> = all.iter().map(OperationRecord::public_part).collect();
    let max_bytes = 3 * LEN + LEN / 2;
    for text in [
        "",
        "state = SUCCEEDED",
        "labels.env = prod",
        "NOT response = null",
    ] {
        for limit in [50, 1_000, 5] {
            let mut query = query("", text, limit);
            query.max_bytes = max_bytes;
            let (mut found, mut lengths) = (Vec::new(), Vec::new());
            loop {
                let page = trial.store().list(query.clone()).await.unwrap();
                let bytes: usize = page.records.iter().map(OperationRecord::max_wire_len).sum();
                let count = page.records.len();
                assert!(
                    bytes <= max_bytes || count == 1,
                    "{count} records, {bytes} bytes"
                );
                lengths.push(count);
                found.extend(page.records);
                query.after = page.next;
                if query.after.is_none() {
                    break;
                }
            }
            assert_eq!(found, all, "{text}, {limit} on a page");
            let wanted = [5, 1, 1, 3, 2];
            lengths.retain(|length| *length > 0);
            assert_eq!(lengths, wanted, "{text}, {limit} on a page");
        }
    }
}

/// spec:82
pub(crate) async fn parents_are_compared_by_segments(trial: Trial) {
    let all = [
        "operations/1",
        "a/operations/2",
        "ab/operations/3",
        "a/b/operations/4",
        "A/operations/5",
        "a_/operations/6",
        "a%/operations/7",
        "operations/a/operations/8",
        "ä/operations/9",
    ];
    for of in all {
        trial.pending(of).await;
    }
    for of in all {
        let of = name(of);
        assert_eq!(trial.list(of.parent()).await, [of.as_str()]);
    }
}

/// spec:83
pub(crate) async fn a_list_does_not_descend(trial: Trial) {
    trial.pending("p/operations/1").await;
    trial.pending("p/q/operations/2").await;
    trial.pending("p/operations/1/operations/3").await;
    assert_eq!(trial.list("").await, [""; 0]);
    assert_eq!(trial.list("p").await, ["p/operations/1"]);
}

/// spec:75
pub(crate) async fn hidden_operations_are_left_out_of_pages(trial: Trial) {
    for n in 0..20 {
        let mut record = trial.running(&numbered("", n)).await;
        if n % 2 == 0 {
            trial.apply(&mut record, Command::delete()).await.unwrap();
        }
    }
    let page = trial.page("", None, 10).await;
    assert_eq!(
        page.records.len(),
        10,
        "a page is full while there are more"
    );
    assert_eq!(page.next, None);
    let odd: Vec<_> = (0..20).rev().filter(|n| n % 2 == 1).collect();
    let odd: Vec<_> = odd.into_iter().map(|n| numbered("", n)).collect();
    assert_eq!(names(&page.records), odd);
}

/// spec:93
pub(crate) async fn the_end_of_a_list_is_exact(trial: Trial) {
    for n in 0..6 {
        trial.pending(&numbered("", n)).await;
    }
    for limit in 1..=7 {
        let pages = pages(&trial, limit).await;
        let full = 6_usize.div_ceil(limit);
        assert_eq!(pages.len(), full, "no empty page at the end, limit {limit}");
        let all: Vec<_> = (0..6).rev().map(|n| numbered("", n)).collect();
        assert_eq!(pages.concat(), all, "limit {limit}");
    }
}

/// spec:94
pub(crate) async fn the_limit_may_change_between_pages(trial: Trial) {
    for n in 0..10 {
        trial.pending(&numbered("", n)).await;
    }
    let mut seen = Vec::new();
    let mut after = None;
    for limit in [1, 4, 2, 99] {
        let page = trial.page("", after, limit).await;
        seen.extend(names(&page.records));
        after = page.next;
    }
    assert_eq!(after, None);
    let all: Vec<_> = (0..10).rev().map(|n| numbered("", n)).collect();
    assert_eq!(seen, all);
}

/// spec:99
pub(crate) async fn neither_new_nor_removed_ones_disturb_the_pages(trial: Trial) {
    let mut records = Vec::new();
    for n in 0..30 {
        records.push(trial.running(&numbered("", n)).await);
    }
    let mut seen = Vec::new();
    let mut after = None;
    for round in 0.. {
        let page = trial.page("", after, 3).await;
        seen.extend(names(&page.records));
        let Some(next) = page.next else {
            break;
        };
        after = Some(next);
        trial.pending(&format!("operations/new{round}")).await;
        // Those on the page just seen, its last one among them: the cursor stands on it.
        for record in page.records {
            trial.update(&record.name, succeed(1, "r")).await.unwrap();
            trial.update(&record.name, Command::delete()).await.unwrap();
        }
    }
    let all: Vec<_> = (0..30).rev().map(|n| numbered("", n)).collect();
    assert_eq!(seen, all);
}

pub(crate) async fn what_is_removed_ahead_does_not_hide_others(trial: Trial) {
    for n in 0..9 {
        trial.running(&numbered("", n)).await;
    }
    let first = trial.page("", None, 3).await;
    for n in [5, 3] {
        let of = name(&numbered("", n));
        trial.update(&of, succeed(1, "r")).await.unwrap();
        trial.update(&of, Command::delete()).await.unwrap();
    }
    let rest = trial.page("", first.next, 9).await;
    let expected: Vec<_> = [4, 2, 1, 0].map(|n| numbered("", n)).into();
    assert_eq!(names(&rest.records), expected);
}

/// spec:98
pub(crate) async fn a_cursor_may_be_used_again(trial: Trial) {
    for n in 0..9 {
        trial.pending(&numbered("", n)).await;
    }
    let after = trial.page("", None, 4).await.next;
    let once = trial.page("", after, 4).await;
    let twice = trial.page("", after, 4).await;
    assert_eq!(once, twice);
    let read = PageCursor::from_bytes(after.unwrap().to_bytes());
    assert_eq!(trial.page("", Some(read), 4).await, once);
}

pub(crate) async fn pages_of_one_parent_skip_those_of_others(trial: Trial) {
    for n in 0..60 {
        let parent = ["", "p", "p/q"][n as usize % 3];
        trial.pending(&numbered(parent, n)).await;
    }
    let mut after = None;
    let mut seen = Vec::new();
    loop {
        let page = trial.page("p", after, 7).await;
        seen.extend(names(&page.records));
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    let all = (0..60).rev().filter(|n| n % 3 == 1);
    let all: Vec<_> = all.map(|n| numbered("p", n)).collect();
    assert_eq!(seen, all);
}

async fn pages(trial: &Trial, limit: usize) -> Vec<Vec<String>> {
    let mut pages = Vec::new();
    let mut after = None;
    loop {
        let page = trial.page("", after, limit).await;
        pages.push(names(&page.records));
        after = page.next;
        if after.is_none() {
            return pages;
        }
    }
}
