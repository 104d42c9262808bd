//! Five changes of code, and what happens to operations that run: tests on the history of one that waits.
#![allow(clippy::unwrap_used, reason = "helpers of tests are tests too")]

use lro_server::OperationContext;
use lro_server::testing::{self, History};
use tonic::Status;

type Operation = OperationContext<()>;

/// The code that has begun the operation.
async fn before(operation: Operation) -> Result<bool, Status> {
    let text: String = operation.step("ocr", async || ocr().await).await?;
    operation.step("ask", async || ask(&text).await).await?;
    operation.promise("approved").await
}

/// An operation that waits for the approval.
fn waiting() -> History {
    History::of("operations/1")
        .step("ocr", &"the text".to_owned())
        .step("ask", &())
        .asked("approved")
}

async fn ocr() -> Result<String, Status> {
    Ok("the text".to_owned())
}

async fn ask(text: &str) -> Result<(), Status> {
    println!("{text}");
    Ok(())
}

async fn nothing() -> Result<(), Status> {
    Ok(())
}

#[test]
fn the_same_code_waits_on() {
    let run = testing::replay(waiting(), before);
    assert!(run.is_waiting_for("approved"));
    assert_eq!(run.begun(), [""; 0]);
}

#[test]
fn other_code_in_a_step_counts_where_it_is_not_recorded() {
    async fn after(operation: Operation) -> Result<bool, Status> {
        let better = async || Ok::<_, Status>("a better text".to_owned());
        let text: String = operation.step("ocr", better).await?;
        operation.step("ask", async || ask(&text).await).await?;
        operation.promise("approved").await
    }
    assert!(testing::replay(waiting(), after).is_waiting_for("approved"));
}

#[test]
fn a_new_step_behind_the_recorded_ones_runs_when_it_is_reached() {
    async fn after(operation: Operation) -> Result<bool, Status> {
        let approved = before(operation.clone()).await?;
        operation.step("announce", nothing).await?;
        Ok(approved)
    }
    assert!(testing::replay(waiting(), after).is_waiting_for("approved"));
    let approved = waiting_no_longer();
    assert_eq!(testing::replay(approved, after).begun(), ["announce"]);
}

fn waiting_no_longer() -> History {
    History::of("operations/1")
        .step("ocr", &"the text".to_owned())
        .step("ask", &())
        .promise("approved", &true)
}

#[test]
fn a_removed_step_is_left_unread_and_blocks_a_new_one() {
    async fn after(operation: Operation) -> Result<bool, Status> {
        operation
            .step("ask", async || ask("a document").await)
            .await?;
        operation.promise("approved").await
    }
    let run = testing::replay(waiting(), after);
    assert!(run.is_waiting_for("approved"));
    assert_eq!(run.unreached(), ["ocr"]);

    async fn and_a_new_one(operation: Operation) -> Result<bool, Status> {
        let approved = after(operation.clone()).await?;
        operation.step("announce", nothing).await?;
        Ok(approved)
    }
    let run = testing::replay(waiting_no_longer(), and_a_new_one);
    let blocked = run.blocked().unwrap();
    assert!(blocked.contains("`announce` is new, but `ocr` was recorded"));
}

#[test]
fn a_new_step_before_recorded_ones_blocks_unless_it_was_introduced() {
    async fn after(operation: Operation) -> Result<bool, Status> {
        let text: String = operation.step("ocr", async || ocr().await).await?;
        operation.step("scan", nothing).await?;
        operation.step("ask", async || ask(&text).await).await?;
        operation.promise("approved").await
    }
    let run = testing::replay(waiting(), after);
    let blocked = run.blocked().unwrap();
    assert!(blocked.contains("`scan` is new, but `ask` was recorded"));

    async fn introduced(operation: Operation) -> Result<bool, Status> {
        let text: String = operation.step("ocr", async || ocr().await).await?;
        if operation.introduced("scan-2027").await? {
            operation.step("scan", nothing).await?;
        }
        operation.step("ask", async || ask(&text).await).await?;
        operation.promise("approved").await
    }
    assert!(testing::replay(waiting(), introduced).is_waiting_for("approved"));
    let new = History::of("operations/2").step("ocr", &"the text".to_owned());
    assert_eq!(testing::replay(new, introduced).begun(), ["scan"]);
}

#[test]
fn another_type_blocks_unless_the_step_has_another_name() {
    async fn after(operation: Operation) -> Result<u64, Status> {
        operation.step("ocr", async || Ok::<_, Status>(7_u64)).await
    }
    let run = testing::replay(waiting(), after);
    assert!(run.blocked().unwrap().contains("the step `ocr` returns a"));

    async fn renamed(operation: Operation) -> Result<u64, Status> {
        operation
            .step("count", async || Ok::<_, Status>(7_u64))
            .await
    }
    let run = testing::replay(History::of("operations/2"), renamed);
    assert_eq!(run.begun(), ["count"]);
}

/// The version before saved the number of rendered pages as a checkpoint.
async fn render(pages: u32, operation: Operation) -> Result<u32, Status> {
    let done = operation.restore::<u32>()?.unwrap_or_default();
    for page in done..pages {
        operation.step(format!("page/{page}"), nothing).await?;
    }
    Ok(pages)
}

#[test]
fn an_operation_with_a_checkpoint_continues_behind_it() {
    let history = History::of("operations/1").checkpoint(&3_u32);
    let run = testing::replay(history, |operation| render(9, operation));
    assert_eq!(run.begun(), ["page/3"]);
}
