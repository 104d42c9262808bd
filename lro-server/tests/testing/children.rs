//! Bodies with children, wherever their process dies.

use std::sync::Mutex;
use std::time::Duration;

use lro_core::Operation;
use lro_core::store::MemoryStore;
use lro_server::steps::{Either, Step};
use lro_server::{HandlerError, OperationContext, Operations, testing};
use tonic::{Code, Response, Status};

/// A child that the kit starts.
fn child<'a>(
    operations: &Operations,
    operation: &'a OperationContext<()>,
    name: &str,
) -> Step<'a, String> {
    let start = async |_request_id| -> Result<Response<Operation<String, ()>>, Status> {
        panic!("the kit starts the child")
    };
    operation.child(name, operations, start)
}

/// The findings of a body, which its last step notes.
struct World {
    operations: Operations,
    found: Mutex<String>,
}

impl World {
    fn new() -> Self {
        Self {
            operations: Operations::new(MemoryStore::new()),
            found: Mutex::default(),
        }
    }

    async fn note(&self, operation: &OperationContext<()>, found: &str) -> Result<(), Status> {
        let note = async || {
            found.clone_into(&mut self.found.lock().unwrap());
            Ok::<_, Status>(())
        };
        operation.step("note", note).await
    }

    fn found(&self) -> String {
        self.found.lock().unwrap().clone()
    }
}

/// Answers that ride on later commits must be durable before the commit that starts a child.
///
/// steps:S6 steps:S16
#[test]
fn a_child_follows_from_what_is_durable() {
    testing::crash_everywhere(World::new, |world, operation| async move {
        let mut path = String::new();
        if operation.introduced("v2").await? {
            path.push_str("new ");
        }
        operation.sleep("moment", Duration::from_millis(10)).await?;
        path.push_str(&child(&world.operations, &operation, "child").await?);
        world.note(&operation, &path).await?;
        Ok::<_, HandlerError>(())
    })
    .child("child", |_| Ok("child".to_owned()))
    .check(|world| assert_eq!(world.found(), "new child"))
    .run();
}

/// steps:C11 steps:S12
#[test]
fn races_lists_and_epochs_of_children_end_in_the_same_way() {
    let kit = testing::crash_everywhere(World::new, |world, operation| async move {
        let (operations, operation) = (&world.operations, &operation);
        for round in operation.restore::<u32>()?.unwrap_or(0)..2 {
            let names = ["a", "b", "c"];
            let children = names.map(|name| child(operations, operation, name));
            let answers = operation.all(2, children).await?;
            assert_eq!(answers, names);
            let (left, right) = (
                child(operations, operation, "d"),
                operation.promise::<bool>("never"),
            );
            let Either::Left(answer) = operation.first("raced", left, right).await? else {
                panic!("a promise that has no value");
            };
            assert_eq!(answer?, "d");
            operation.checkpoint_and_forget(&(round + 1)).await?;
        }
        let failed = child(operations, operation, "failed").await.unwrap_err();
        assert_eq!(failed.code(), Code::Aborted);
        world.note(operation, failed.message()).await?;
        Ok::<_, HandlerError>(())
    });
    let kit = ["a", "b", "c", "d"]
        .into_iter()
        .fold(kit, |kit, name| kit.child(name, |_| Ok(name.to_owned())));
    kit.child("failed", |_| Err::<String, _>(Status::aborted("enough")))
        .check(|world| assert_eq!(world.found(), "enough"))
        .run();
}
