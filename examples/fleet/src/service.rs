//! The service: one type for both kinds of processes. A front end uses what answers the calls, a
//! worker uses the bodies.

use std::time::Duration;

use lro_server::{HandlerError, OperationContext, Operations, StartOptions, long_running};
use tonic::{Request, Status};

use fleet::pb::{
    self, Progress, RenderRequest, RenderResponse, ResizeRequest, ResizeResponse, WatchRequest,
    WatchResponse,
};

/// How many frames one operation may have.
const FRAMES_MAX: i32 = 10_000;

/// How long a watch without a time lasts: a year.
const FOR_EVER: Duration = Duration::from_secs(365 * 24 * 60 * 60);

#[derive(Debug)]
pub(crate) struct Fleet {
    pub(crate) operations: Operations,
    /// The worker's name, which responses tell; a front end has none.
    pub(crate) worker: String,
}

#[long_running]
impl pb::fleet_server::Fleet for Fleet {
    #[long_running(
        response = RenderResponse,
        metadata = Progress,
        prepare = Self::prepare_render,
        max_attempts = 100
    )]
    async fn render(
        &self,
        request: RenderRequest,
        operation: OperationContext<Progress>,
    ) -> Result<RenderResponse, HandlerError> {
        let time = duration("frame_time", request.frame_time)?;
        let saved: Option<Progress> = operation.restore()?;
        let first = saved.map_or(0, |it| it.steps_done);
        for frame in first..request.frames {
            tokio::time::sleep(time).await;
            let progress = self.progress(frame + 1, request.frames);
            operation.set_metadata(progress.clone());
            operation.checkpoint(&progress).await?;
        }
        Ok(RenderResponse {
            frames: request.frames,
            worker: self.worker.clone(),
            attempts: i32::try_from(operation.attempt()).unwrap_or(i32::MAX),
        })
    }

    #[long_running(response = ResizeResponse, metadata = Progress, max_attempts = 100)]
    async fn resize(
        &self,
        request: ResizeRequest,
        operation: OperationContext<Progress>,
    ) -> Result<ResizeResponse, Status> {
        operation.set_metadata(self.progress(0, 1));
        tokio::time::sleep(duration("time", request.time)?).await;
        operation.set_metadata(self.progress(1, 1));
        let worker = self.worker.clone();
        Ok(ResizeResponse { worker })
    }

    #[long_running(
        response = WatchResponse,
        metadata = Progress,
        cancel_grace = "1s",
        max_attempts = 100
    )]
    async fn watch(
        &self,
        request: WatchRequest,
        operation: OperationContext<Progress>,
    ) -> Result<WatchResponse, Status> {
        operation.set_metadata(self.progress(0, 1));
        let time = match request.time {
            Some(time) => duration("time", Some(time))?,
            None => FOR_EVER,
        };
        tokio::select! {
            () = tokio::time::sleep(time) => {}
            _ = operation.cancelled() => return Err(Status::cancelled("the caller cancelled")),
        }
        operation.set_metadata(self.progress(1, 1));
        let worker = self.worker.clone();
        Ok(WatchResponse { worker })
    }
}

impl Fleet {
    /// Runs in the front end, before there is an operation.
    async fn prepare_render(
        &self,
        request: &Request<RenderRequest>,
    ) -> Result<StartOptions<Progress>, Status> {
        let request = request.get_ref();
        if !(0..=FRAMES_MAX).contains(&request.frames) {
            let message = format!("frames: must be between 0 and {FRAMES_MAX}");
            return Err(Status::invalid_argument(message));
        }
        duration("frame_time", request.frame_time)?;
        Ok(StartOptions::new().metadata(self.progress(0, request.frames)))
    }

    fn progress(&self, steps_done: i32, steps_total: i32) -> Progress {
        Progress {
            worker: self.worker.clone(),
            steps_done,
            steps_total,
        }
    }
}

fn duration(field: &str, time: Option<prost_types::Duration>) -> Result<Duration, Status> {
    let time = Duration::try_from(time.unwrap_or_default());
    time.map_err(|_| Status::invalid_argument(format!("{field}: must not be negative")))
}
