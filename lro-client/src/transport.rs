use bytes::Bytes;
use tonic::Status;
use tonic::body::Body;
use tower::util::BoxCloneSyncService;
use tower::{BoxError, Service, ServiceExt as _};

/// Any gRPC transport, its type forgotten.
///
/// Its error is already the status that tonic would make of it: with a boxed error in this place,
/// the compiler cannot tell any more that the generated client's futures are `Send`.
pub(crate) type Transport = BoxCloneSyncService<http::Request<Body>, http::Response<Body>, Status>;

pub(crate) fn boxed<S, B>(service: S) -> Transport
where
    S: Service<http::Request<Body>, Response = http::Response<B>>,
    S: Clone + Send + Sync + 'static,
    S::Error: Into<BoxError>,
    S::Future: Send + 'static,
    B: http_body::Body<Data = Bytes> + Send + 'static,
    B::Error: Into<BoxError>,
{
    // Becoming ready is made a part of the call: so it counts against the call's time limit, and
    // a service that cannot become ready is judged by its error. (A generated client makes UNKNOWN
    // of it, whatever it was.)
    BoxCloneSyncService::new(tower::service_fn(move |request: http::Request<Body>| {
        let service = service.clone();
        async move {
            let answer = service.oneshot(request).await;
            match answer {
                Ok(answer) => Ok(answer.map(Body::new)),
                Err(error) => Err(Status::from_error(error.into())),
            }
        }
    }))
}
