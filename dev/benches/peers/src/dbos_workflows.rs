//! dbos: a job is a workflow of ten steps in sequence.

use dbos::{Config, DBOS, Error, WorkflowRef, step};

use crate::{CONNECTIONS, Peer, Waiting};

const STEPS: u32 = 10;

type Job = (u64, String);

/// The workflow, which keeps its engine.
#[derive(Clone)]
pub(crate) struct Dbos(WorkflowRef<Job, String>);

impl Peer for Dbos {
    const RESULTS: &str = "SELECT count(*) FROM dbos.workflow_status WHERE status = 'SUCCESS'";

    async fn submit(&mut self, id: u64) -> anyhow::Result<()> {
        self.0.start((id, "x".repeat(200))).await?;
        Ok(())
    }
}

pub(crate) async fn start(url: &str, waiting: Waiting) -> anyhow::Result<Dbos> {
    let config = Config {
        app_version: Some("1".to_owned()),
        max_connections: CONNECTIONS,
        ..Config::new("benches", url)
    };
    let engine = DBOS::new(config);
    let workflow = engine.register_workflow("job", move |(id, _filler): Job| {
        let waiting = waiting.clone();
        async move {
            for n in 0..STEPS {
                step(&format!("step/{n}"), || async { Ok::<u32, Error>(7) }).await?;
            }
            waiting.end(id);
            Ok::<_, Error>("x".repeat(60))
        }
    })?;
    engine.launch().await?;
    Ok(Dbos(workflow))
}
