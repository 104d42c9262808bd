//! The suite finds what it is there to find: each store here breaks one guarantee.

use std::sync::Arc;
use std::time::Duration;

use lro_core::filter::{Filter, Schema};
use lro_core::store::{
    Backlog, Claim, Claimed, Command, CountQuery, Counts, ListQuery, MemoryStore, NewOperation,
    OperationRecord, OperationStore, Page, Refusal, StartError, Started, StepQuery, StepRow,
    StoreError, StoreObserver, Update, Updated,
};
use lro_core::{Clock, OperationName, Timestamp};
use lro_testing::store::{case_names, exercise, run_case};

const TABLE: &str = "every_case_of_the_table_of_filters";
const SEED: &str = "filters_of_seed_1_find_what_the_evaluator_finds";
const BOUND: &str = "what_is_looked_at_for_a_page_is_bounded";

#[derive(Clone, Copy, Debug, PartialEq)]
enum Fault {
    None,
    AppliesEachStartTwice,
    ClaimsOneTooMany,
    ForgetsRenewals,
    EndsTheListEarly,
    PurgesTooMuch,
    LosesTheCheckpoint,
    ListsOneTwice,
    TakesANameForAnIdentity,
    ListsWhatDoesNotMatch,
    ComparesWithoutCase,
    LosesWhatIsMissingUnderNot,
    LooksAtEverything,
    CreatesAKeyForEachCall,
    ListsWholeRecords,
    FillsPagesWithoutEnd,
    LosesTheOrderOfSteps,
    ForgetsSteps,
    RestartsTimers,
    WakesAtOnce,
    StartsChildrenAlone,
    StartsChildrenOfStaleRuns,
    KeepsDroppedChildren,
}

#[derive(Debug)]
struct Broken(MemoryStore, Fault);

#[async_trait::async_trait]
impl OperationStore for Broken {
    async fn start(
        &self,
        mut operations: Vec<NewOperation>,
    ) -> Result<Vec<Result<Started, StartError>>, StoreError> {
        for operation in &mut operations {
            match (self.1, &mut operation.child_of) {
                (Fault::StartsChildrenAlone, child_of) => *child_of = None,
                (Fault::StartsChildrenOfStaleRuns, Some(child_of)) => child_of.fence = 1,
                (Fault::KeepsDroppedChildren, Some(child_of)) => child_of.is_left = true,
                _ => {}
            }
        }
        if self.1 == Fault::AppliesEachStartTwice {
            self.0.start(operations.clone()).await?;
        }
        self.0.start(operations).await
    }

    async fn claim(&self, mut claim: Claim) -> Result<Claimed, StoreError> {
        if self.1 == Fault::ClaimsOneTooMany {
            claim.limit += 1;
        }
        self.0.claim(claim).await
    }

    async fn update(
        &self,
        mut updates: Vec<Update>,
    ) -> Result<Vec<Result<Updated, Refusal>>, StoreError> {
        for update in &mut updates {
            if self.1 == Fault::TakesANameForAnIdentity {
                update.uid = None;
            }
            match self.1 {
                Fault::ForgetsSteps => update.steps.clear(),
                Fault::RestartsTimers => {
                    for step in &mut update.steps {
                        step.attempt += 1;
                    }
                }
                _ => {}
            }
            match &mut update.command {
                Command::Suspend { waits, .. } if self.1 == Fault::WakesAtOnce => waits.clear(),
                Command::Renew { lease_duration, .. } if self.1 == Fault::ForgetsRenewals => {
                    *lease_duration = Duration::ZERO;
                }
                Command::Checkpoint { checkpoint, .. } if self.1 == Fault::LosesTheCheckpoint => {
                    checkpoint.value.clear();
                }
                _ => {}
            }
        }
        self.0.update(updates).await
    }

    async fn get(&self, name: &OperationName) -> Result<Option<OperationRecord>, StoreError> {
        self.0.get(name).await
    }

    async fn get_deleted(
        &self,
        name: &OperationName,
    ) -> Result<Option<OperationRecord>, StoreError> {
        self.0.get_deleted(name).await
    }

    async fn backlog(&self, now: Timestamp, limit: usize) -> Result<Vec<Backlog>, StoreError> {
        self.0.backlog(now, limit).await
    }

    async fn steps(&self, query: StepQuery) -> Result<Vec<StepRow>, StoreError> {
        let mut rows = self.0.steps(query).await?;
        if self.1 == Fault::LosesTheOrderOfSteps {
            rows.sort_by(|a, b| a.key.cmp(&b.key));
        }
        Ok(rows)
    }

    fn keeps_steps(&self) -> bool {
        true
    }

    async fn list(&self, mut query: ListQuery) -> Result<Page, StoreError> {
        let text = query.filter.text().to_owned();
        match self.1 {
            Fault::ListsWhatDoesNotMatch => query.filter = Filter::default(),
            Fault::LooksAtEverything => query.max_examined = usize::MAX,
            Fault::FillsPagesWithoutEnd => query.max_bytes = usize::MAX,
            Fault::ComparesWithoutCase => {
                let folded = text.replace("OPERATIONS", "operations");
                let parsed = Filter::parse(&folded, &Schema::default());
                query.filter = parsed.unwrap_or(query.filter);
            }
            _ => {}
        }
        let mut page = self.0.list(query).await?;
        match self.1 {
            Fault::LosesWhatIsMissingUnderNot if text.starts_with("NOT error") => {
                page.records.retain(|record| record.result.is_some());
            }
            Fault::ListsWholeRecords => {
                for record in &mut page.records {
                    let whole = self.0.get(&record.name).await?;
                    *record = whole.unwrap_or_else(|| record.clone());
                }
            }
            Fault::ListsOneTwice => page.records.extend(page.records.last().cloned()),
            Fault::EndsTheListEarly => page.next = page.next.filter(|_| page.records.len() != 3),
            _ => {}
        }
        Ok(page)
    }

    async fn count(&self, query: CountQuery) -> Result<Counts, StoreError> {
        self.0.count(query).await
    }

    async fn purge(&self, limit: usize) -> Result<usize, StoreError> {
        let more = usize::from(self.1 == Fault::PurgesTooMuch);
        self.0.purge(limit + more).await
    }

    async fn page_token_key(&self) -> Result<[u8; 32], StoreError> {
        if self.1 == Fault::CreatesAKeyForEachCall {
            return lro_core::store::kit::new_page_token_key();
        }
        self.0.page_token_key().await
    }

    fn observe(&self, observer: Arc<dyn StoreObserver>) {
        self.0.observe(observer);
    }

    fn event_gap(&self) -> Option<Duration> {
        self.0.event_gap()
    }

    fn is_exclusive(&self) -> bool {
        self.0.is_exclusive()
    }
}

fn make(fault: Fault) -> impl AsyncFn(Arc<dyn Clock>) -> Broken {
    async move |clock| Broken(MemoryStore::with_clock(clock), fault)
}

fn fails(case: &str, fault: Fault) -> bool {
    let run = || run_case(case, make(fault));
    std::panic::catch_unwind(std::panic::AssertUnwindSafe(run)).is_err()
}

#[test]
fn each_fault_is_found_by_its_case_and_a_script() {
    for (fault, case) in [
        (Fault::AppliesEachStartTwice, "a_start_keeps_every_field"),
        (
            Fault::ClaimsOneTooMany,
            "a_claim_keeps_the_limit_of_each_method_and_of_all",
        ),
        (
            Fault::ForgetsRenewals,
            "a_renewal_counts_from_the_clock_of_the_store",
        ),
        (Fault::EndsTheListEarly, "the_end_of_a_list_is_exact"),
        (
            Fault::LosesTheCheckpoint,
            "a_checkpoint_is_kept_until_the_end",
        ),
        (Fault::ListsOneTwice, "lists_are_newest_first"),
    ] {
        assert!(fails(case, fault), "{fault:?} by {case}");
        let script = "a_script_of_seed_1_gives_what_memory_gives";
        assert!(fails(script, fault), "{fault:?} by {script}");
        assert!(!fails(case, Fault::None), "{case} alone");
    }
    for (fault, case) in [
        (Fault::ListsWhatDoesNotMatch, TABLE),
        (Fault::ListsWhatDoesNotMatch, SEED),
        (Fault::ComparesWithoutCase, TABLE),
        (Fault::LosesWhatIsMissingUnderNot, TABLE),
        (Fault::LooksAtEverything, BOUND),
        (
            Fault::ListsWholeRecords,
            "lists_show_public_parts_in_every_state",
        ),
        (
            Fault::FillsPagesWithoutEnd,
            "a_page_ends_before_it_has_too_many_bytes",
        ),
    ] {
        assert!(fails(case, fault), "{fault:?} by {case}");
        assert!(!fails(case, Fault::None), "{case} alone");
    }
    for (fault, case) in [
        (
            Fault::LosesTheOrderOfSteps,
            "steps_are_read_in_the_order_of_their_first_writes",
        ),
        (
            Fault::ForgetsSteps,
            "the_end_brings_the_last_steps_and_keeps_all",
        ),
        (Fault::RestartsTimers, "a_timer_is_fixed_by_its_first_write"),
        (
            Fault::WakesAtOnce,
            "a_suspended_operation_is_claimed_at_its_wake_time_and_not_before",
        ),
        (
            Fault::StartsChildrenAlone,
            "a_child_is_stored_with_its_step",
        ),
        (
            Fault::StartsChildrenOfStaleRuns,
            "a_parent_that_refuses_stores_no_child",
        ),
        (
            Fault::KeepsDroppedChildren,
            "a_child_that_is_dropped_is_cancelled",
        ),
    ] {
        assert!(fails(case, fault), "{fault:?} by {case}");
        assert!(!fails(case, Fault::None), "{case} alone");
    }
    assert!(fails("a_purge_is_bounded", Fault::PurgesTooMuch));
    assert!(fails(
        "the_page_token_key_is_created_once",
        Fault::CreatesAKeyForEachCall
    ));
    assert!(fails(
        "a_holder_of_a_former_operation_of_the_name_changes_nothing",
        Fault::TakesANameForAnIdentity
    ));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_whole_suite_names_what_failed() {
    exercise(make(Fault::None)).await;
    // Its own panic is the answer, so it runs as a task.
    let suite = async { tokio::task::spawn_local(exercise(make(Fault::PurgesTooMuch))).await };
    let answer = tokio::task::LocalSet::new().run_until(suite).await;
    let panic = answer.unwrap_err().into_panic();
    let message = panic.downcast_ref::<String>().unwrap();
    assert!(message.contains("a_purge_is_bounded"), "{message}");
    assert!(message.starts_with("1 of "), "{message}");
}

#[tokio::test(start_paused = true)]
async fn an_event_that_does_not_come_is_a_failure() {
    let log = lro_testing::EventLog::new();
    let wait = tokio::spawn(async move { log.wait_for("anything", |_| true).await });
    assert!(wait.await.unwrap_err().is_panic());
}

#[test]
fn cases_have_names_of_their_own() {
    let names: std::collections::BTreeSet<_> = case_names().collect();
    assert_eq!(names.len(), case_names().count());
    assert!(names.len() >= 60);
}
