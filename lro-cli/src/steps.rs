//! The steps service of a server, where it has one.
//!
//! The service lro.v1.Steps tells what the body of an operation has recorded, and takes values for its
//! promises. The command finds it by reflection.

use std::time::Duration;

use lro_core::inspection as pb;
use lro_core::inspection::list_steps_request::View;
use lro_core::inspection::steps_client::StepsClient;
use tonic::Status;

use crate::connect::Service;
use crate::context::Context;
use crate::failure::Failure;
use crate::inspection::{missing, offers, request, within};

/// The name by which reflection shows the service.
pub(crate) const SERVICE: &str = "lro.v1.Steps";

/// The most pages that are read: an operation has at most 10,000 steps.
const MAX_PAGES: usize = 10_000;

/// The service of a server that has it.
#[derive(Clone, Debug)]
pub(crate) struct Steps {
    client: StepsClient<Service>,
    limit: Duration,
}

impl Steps {
    /// The service, for a command that is nothing without it.
    ///
    /// # Errors
    ///
    /// When the server does not offer it, or cannot be asked.
    pub(crate) async fn required(context: &Context, command: &str) -> Result<Self, Failure> {
        if !offers(context, SERVICE).await {
            let advice = "`lro doctor` shows what this server offers";
            return Err(missing(context, command, SERVICE, advice).await?);
        }
        let client = StepsClient::new(context.connection.service.clone());
        Ok(Self {
            client: client.max_decoding_message_size(64 << 20),
            limit: context.settings.duration("rpc_timeout")?,
        })
    }

    /// All steps of an operation, as one page.
    pub(crate) async fn all(
        &self,
        name: &str,
        view: View,
        unredacted: bool,
    ) -> Result<pb::ListStepsResponse, Status> {
        let mut all = pb::ListStepsResponse::default();
        let mut page_token = String::new();
        for _ in 0..MAX_PAGES {
            let page = self.page(pb::ListStepsRequest {
                name: name.to_owned(),
                page_size: 1_000,
                page_token: page_token.clone(),
                view: view.into(),
                unredacted,
            });
            let mut page = page.await?;
            let next = std::mem::take(&mut page.next_page_token);
            all.steps.append(&mut page.steps);
            if page_token.is_empty() {
                // Only the first page has them.
                all.checkpoint = page.checkpoint.take();
                all.checkpoint_redaction = page.checkpoint_redaction;
                all.declared_promises = std::mem::take(&mut page.declared_promises);
            }
            all = pb::ListStepsResponse {
                steps: all.steps,
                checkpoint: all.checkpoint,
                checkpoint_redaction: all.checkpoint_redaction,
                declared_promises: all.declared_promises,
                ..page
            };
            if next.is_empty() || next == page_token {
                break;
            }
            page_token = next;
        }
        Ok(all)
    }

    /// The promises that the operation's method declares, with its first step.
    pub(crate) async fn declared(&self, name: &str) -> Result<pb::ListStepsResponse, Status> {
        self.page(pb::ListStepsRequest {
            name: name.to_owned(),
            page_size: 1,
            ..Default::default()
        })
        .await
    }

    async fn page(&self, list: pb::ListStepsRequest) -> Result<pb::ListStepsResponse, Status> {
        let mut client = self.client.clone();
        within(self.limit, client.list_steps(request(self.limit, list))).await
    }

    pub(crate) async fn complete(
        &self,
        complete: pb::CompletePromiseRequest,
    ) -> Result<(), Status> {
        let mut client = self.client.clone();
        let called = client.complete_promise(request(self.limit, complete));
        within(self.limit, called).await.map(drop)
    }

    pub(crate) async fn forget(&self, name: &str, keys: &[String]) -> Result<(), Status> {
        let forget = pb::ForgetStepsRequest {
            name: name.to_owned(),
            keys: keys.to_vec(),
        };
        let mut client = self.client.clone();
        let called = client.forget_steps(request(self.limit, forget));
        within(self.limit, called).await.map(drop)
    }

    pub(crate) async fn unblock(&self, name: &str) -> Result<(), Status> {
        let name = name.to_owned();
        let mut client = self.client.clone();
        let called = client.unblock(request(self.limit, pb::UnblockRequest { name }));
        within(self.limit, called).await.map(drop)
    }
}
