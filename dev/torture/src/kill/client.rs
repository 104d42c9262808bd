//! A client that notes the answers to its calls.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crate::pb::exporter_client::ExporterClient;
use anyhow::bail;
use lro_core::pb;
use lro_core::pb::operations_client::OperationsClient;
use tonic::transport::Channel;
use tonic::{Code, Status};

use crate::journal::{Entry, Journal};
use crate::random::Random;
use crate::server::{Script, request};

/// Makes calls until the server is dead.
#[derive(Debug)]
pub struct Client {
    /// Part of the ids of the operations it starts.
    pub name: String,
    /// The connection that it uses.
    pub channel: Channel,
    /// Where it notes the answers.
    pub journal: Arc<Journal>,
    /// Set before the server is killed: calls may fail from then on.
    pub dying: Arc<AtomicBool>,
    /// Tells the expected failures of a dying server.
    pub expected: fn(&Status) -> bool,
    /// The scripts of the operations that it starts.
    pub scripts: &'static [Script],
    /// The longest pause between two calls.
    pub pause: Duration,
    /// Decides what it calls.
    pub random: Random,
}

impl Client {
    /// Makes calls until one fails.
    pub async fn run(mut self) {
        let mut ids: Vec<String> = self.journal.some_ids(&mut self.random);
        let mut number = 0;
        loop {
            let begins = ids.is_empty() || self.random.percent(40);
            let called = match begins {
                true => {
                    number += 1;
                    let id = format!("{}-{number}", self.name);
                    ids.push(id.clone());
                    self.start(&id).await
                }
                false => {
                    let at = self.random.index(ids.len());
                    let id = ids[at].clone();
                    self.use_one(&id).await
                }
            };
            if let Err(status) = called {
                let dying = self.dying.load(Ordering::SeqCst);
                if !dying || !(self.expected)(&status) {
                    self.journal.fault(format!("a call failed: {status:?}"));
                }
                return;
            }
            if !self.pause.is_zero() {
                let most = self.pause.as_micros().try_into().unwrap_or(u64::MAX);
                let pause = Duration::from_micros(self.random.below(most));
                tokio::time::sleep(pause).await;
            }
        }
    }

    async fn start(&mut self, id: &str) -> Result<(), Status> {
        let script = self.scripts[self.random.index(self.scripts.len())];
        self.journal.starting(id, script);
        let mut client = ExporterClient::new(self.channel.clone());
        let operation = client.export(request(id, script)).await?.into_inner();
        if operation.name() != format!("operations/{id}") {
            self.journal
                .fault(format!("{id} was named {}", operation.name()));
        }
        self.journal.acknowledge(id, |entry| entry.started = true);
        Ok(())
    }

    async fn use_one(&mut self, id: &str) -> Result<(), Status> {
        let Some(before) = self.journal.entry(id) else {
            return Ok(());
        };
        let mut client = OperationsClient::new(self.channel.clone());
        let name = format!("operations/{id}");
        match self.random.below(100) {
            0..40 => {
                let answer = client.get_operation(pb::GetOperationRequest { name }).await;
                self.look(id, &before, answer.map(tonic::Response::into_inner))
            }
            40..65 => {
                let request = pb::WaitOperationRequest {
                    name,
                    timeout: Some(prost_types::Duration {
                        seconds: 0,
                        nanos: 30_000_000,
                    }),
                };
                let answer = client.wait_operation(request).await;
                self.look(id, &before, answer.map(tonic::Response::into_inner))
            }
            65..82 => {
                let request = pb::CancelOperationRequest { name };
                let answer = client.cancel_operation(request).await;
                if self.is_found(id, &before, answer.map(drop))? {
                    self.journal.acknowledge(id, |entry| entry.cancelled = true);
                }
                Ok(())
            }
            82..95 => {
                self.journal.deleting(id);
                let request = pb::DeleteOperationRequest { name };
                let answer = client.delete_operation(request).await;
                if self.is_found(id, &before, answer.map(drop))? {
                    self.journal.acknowledge(id, |entry| entry.deleted = true);
                }
                Ok(())
            }
            _ => self.list(&mut client).await,
        }
    }

    fn look(
        &self,
        id: &str,
        before: &Entry,
        answer: Result<pb::Operation, Status>,
    ) -> Result<(), Status> {
        match answer {
            Ok(operation) => self.journal.seen(id, &operation, before),
            Err(status) => drop(self.is_found(id, before, Err(status))?),
        }
        Ok(())
    }

    /// `false` when there is no such operation, which is noted.
    fn is_found(
        &self,
        id: &str,
        before: &Entry,
        answer: Result<(), Status>,
    ) -> Result<bool, Status> {
        match answer {
            Ok(()) => Ok(true),
            Err(status) if status.code() == Code::NotFound => {
                self.journal.missed(id, before);
                Ok(false)
            }
            Err(status) => Err(status),
        }
    }

    async fn list(&self, client: &mut OperationsClient<Channel>) -> Result<(), Status> {
        let request = pb::ListOperationsRequest {
            name: "operations".to_owned(),
            page_size: 20,
            ..pb::ListOperationsRequest::default()
        };
        let before = self.journal.entries();
        let page = client.list_operations(request).await?.into_inner();
        for operation in page.operations {
            let id = operation.name.trim_start_matches("operations/");
            // One that was started since is not known yet.
            if let Some(before) = before.get(id) {
                self.journal.seen(id, &operation, before);
            }
        }
        Ok(())
    }
}

/// Waits until an operation finishes. It may be missing if it was deleted or never acknowledged.
pub async fn wait_until_done(
    channel: Channel,
    id: &str,
    entry: &Entry,
    journal: &Journal,
) -> anyhow::Result<()> {
    let mut client = OperationsClient::new(channel);
    loop {
        let request = pb::WaitOperationRequest {
            name: format!("operations/{id}"),
            timeout: Some(prost_types::Duration {
                seconds: 5,
                nanos: 0,
            }),
        };
        match client.wait_operation(request).await {
            Ok(answer) => {
                let operation = answer.into_inner();
                journal.seen(id, &operation, entry);
                if operation.done {
                    return Ok(());
                }
            }
            Err(status) if status.code() == Code::NotFound => {
                journal.missed(id, entry);
                return Ok(());
            }
            Err(status) => bail!("waiting for {id}: {status:?}"),
        }
    }
}
