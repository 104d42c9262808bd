//! The inspection service of a server, where it has one.
//!
//! The standard tells neither the method of an operation nor its attempts, holder or caller. The
//! service lro.v1.Inspection does. The command finds it by reflection, and works without it.

use std::future::Future;
use std::time::Duration;

use lro_core::Timestamp;
use lro_core::inspection::inspection_client::InspectionClient;
use lro_core::inspection::{self as pb, OperationRecord};
use tonic::{Code, Request, Response, Status, Streaming};

use crate::connect::Service;
use crate::context::Context;
use crate::exit::Exit;
use crate::failure::Failure;

/// The name by which reflection shows the service.
pub(crate) const SERVICE: &str = "lro.v1.Inspection";

/// The service of a server that has it.
#[derive(Clone, Debug)]
pub(crate) struct Inspection {
    client: InspectionClient<Service>,
    limit: Duration,
}

impl Inspection {
    /// The service, if reflection shows it.
    pub(crate) async fn of(context: &Context) -> Result<Option<Self>, Failure> {
        if !offers(context, SERVICE).await {
            return Ok(None);
        }
        let client = InspectionClient::new(context.connection.service.clone());
        Ok(Some(Self {
            client: client.max_decoding_message_size(64 << 20),
            limit: context.settings.duration("rpc_timeout")?,
        }))
    }

    /// The service, for a command that is nothing without it.
    ///
    /// # Errors
    ///
    /// When the server does not offer it, or cannot be asked.
    pub(crate) async fn required(context: &Context, command: &str) -> Result<Self, Failure> {
        if let Some(service) = Self::of(context).await? {
            return Ok(service);
        }
        let advice = match command {
            "resubmit" => "start it again with `lro start METHOD -d @request.json`",
            _ => "`lro doctor` shows what this server offers",
        };
        Err(missing(context, command, SERVICE, advice).await?)
    }

    pub(crate) async fn describe(
        &self,
        name: &str,
        unredacted: bool,
    ) -> Result<OperationRecord, Status> {
        let name = name.to_owned();
        let request = pb::DescribeOperationRequest { name, unredacted };
        let mut client = self.client.clone();
        self.within(client.describe_operation(self.request(request)))
            .await
    }

    pub(crate) async fn list(
        &self,
        request: pb::ListOperationsRequest,
    ) -> Result<pb::ListOperationsResponse, Status> {
        let mut client = self.client.clone();
        self.within(client.list_operations(self.request(request)))
            .await
    }

    /// Only the opening of the stream has a time limit.
    pub(crate) async fn watch(
        &self,
        request: pb::WatchOperationsRequest,
    ) -> Result<Streaming<pb::WatchOperationsResponse>, Status> {
        let mut client = self.client.clone();
        self.within(client.watch_operations(Request::new(request)))
            .await
    }

    pub(crate) async fn count(
        &self,
        request: pb::CountOperationsRequest,
    ) -> Result<pb::CountOperationsResponse, Status> {
        let mut client = self.client.clone();
        self.within(client.count_operations(self.request(request)))
            .await
    }

    pub(crate) async fn methods(&self) -> Result<pb::ListMethodsResponse, Status> {
        let request = self.request(pb::ListMethodsRequest {});
        let mut client = self.client.clone();
        self.within(client.list_methods(request)).await
    }

    pub(crate) async fn workers(&self) -> Result<pb::ListWorkersResponse, Status> {
        let request = self.request(pb::ListWorkersRequest {});
        let mut client = self.client.clone();
        self.within(client.list_workers(request)).await
    }

    /// One try: its request id makes a second one safe, which is the user's to decide.
    pub(crate) async fn resubmit(
        &self,
        request: pb::ResubmitOperationRequest,
    ) -> Result<lro_core::pb::Operation, Status> {
        let mut client = self.client.clone();
        let answer = self.within(client.resubmit_operation(self.request(request)));
        Ok(answer.await?.operation.unwrap_or_default())
    }

    fn request<T>(&self, message: T) -> Request<T> {
        request(self.limit, message)
    }

    async fn within<T>(
        &self,
        call: impl Future<Output = Result<Response<T>, Status>>,
    ) -> Result<T, Status> {
        within(self.limit, call).await
    }
}

/// Whether reflection shows the service.
pub(crate) async fn offers(context: &Context, service: &str) -> bool {
    // Without reflection nothing tells; what else is wrong, the standard's call will say.
    let services = context.types.services().await.unwrap_or_default();
    services.is_some_and(|it| it.iter().any(|name| name == service))
}

/// The failure of a command that is nothing without the service.
///
/// # Errors
///
/// When the server cannot be asked.
pub(crate) async fn missing(
    context: &Context,
    command: &str,
    service: &str,
    advice: &str,
) -> Result<Failure, Failure> {
    let why = match context.types.services().await? {
        Some(_) => "which the server does not offer",
        None => "which is found by reflection, and the server has none",
    };
    let text = format!("`lro {command}` needs the service {service}, {why}");
    let failure = Failure::new(Exit::Unimplemented, text).advise(advice);
    Ok(failure.server(&context.server()))
}

/// A request with a time limit.
pub(crate) fn request<T>(limit: Duration, message: T) -> Request<T> {
    let mut request = Request::new(message);
    request.set_timeout(limit);
    request
}

/// The answer to a call within a time limit.
pub(crate) async fn within<T>(
    limit: Duration,
    call: impl Future<Output = Result<Response<T>, Status>>,
) -> Result<T, Status> {
    match tokio::time::timeout(limit, call).await {
        Ok(answer) => answer.map(Response::into_inner),
        Err(_) => {
            let message = format!("no answer within {limit:?}");
            Err(Status::deadline_exceeded(message))
        }
    }
}

/// Whether a command should use the standard alone.
pub(crate) fn is_withheld(status: &Status) -> bool {
    matches!(
        status.code(),
        Code::Unimplemented | Code::PermissionDenied | Code::NotFound
    )
}

/// A time of the wire.
pub(crate) fn time(time: Option<&prost_types::Timestamp>) -> Option<Timestamp> {
    let time = time?;
    let micros = time.seconds.checked_mul(1_000_000)?;
    let micros = micros.checked_add(i64::from(time.nanos / 1_000))?;
    Some(Timestamp::from_micros(micros))
}

/// A method as people read it: `Exporter/Export` of `/exporter.v1.Exporter/Export`.
pub(crate) fn short_method(path: &str) -> &str {
    let path = path.trim_start_matches('/');
    let service = path.split_once('/').map_or(path, |(service, _)| service);
    match service.rfind('.') {
        Some(dot) => &path[dot + 1..],
        None => path,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn methods_are_shown_without_their_package() {
        for (path, short) in [
            ("/exporter.v1.Exporter/Export", "Exporter/Export"),
            ("/Exporter/Export", "Exporter/Export"),
            ("/a.b/C.d", "b/C.d"),
            ("", ""),
            ("odd", "odd"),
        ] {
            assert_eq!(short_method(path), short);
        }
    }

    #[test]
    fn times_out_of_range_are_none() {
        let wire = |seconds, nanos| Some(prost_types::Timestamp { seconds, nanos });
        assert_eq!(
            time(wire(2, 5_000).as_ref()).unwrap().as_micros(),
            2_000_005
        );
        assert_eq!(time(wire(i64::MAX, 0).as_ref()), None);
        assert_eq!(time(None), None);
    }
}
